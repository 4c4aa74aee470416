//! Operations of one instance.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Row};

/// An operation on an instance.
pub struct OperationRow {
    pub operation: String,
    pub request_id: Option<String>,
    pub host: Option<String>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub duration_us: Option<i64>,
    pub status: String,
    pub error: Option<String>,
    pub skewed: bool,
}

impl From<&Row> for OperationRow {
    fn from(row: &Row) -> Self {
        OperationRow {
            operation: row.get("operation"),
            request_id: row.get("request_id"),
            host: row.get("host"),
            started_at: row.get("started_at"),
            ended_at: row.get("ended_at"),
            duration_us: row.get("duration_us"),
            status: row.get("status"),
            error: row.get("error"),
            skewed: row.get("skewed"),
        }
    }
}

/// Lists the operations of an instance, in time order.
pub async fn list(
    client: &impl GenericClient,
    instance_id: &str,
) -> Result<Vec<OperationRow>, Error> {
    let rows = client
        .query(
            "-- timing::operations
             SELECT operation, request_id, host, started_at, ended_at, duration_us, status, error, skewed
             FROM timing.operation WHERE instance_id = $1
             ORDER BY at, operation_id",
            &[&instance_id],
        )
        .await?;
    Ok(rows.iter().map(OperationRow::from).collect())
}
