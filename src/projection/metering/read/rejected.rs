//! Samples that do not count.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use utoipa::ToSchema;
use uuid::Uuid;

/// A sample that does not count, and as much of it as could be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RejectedSample {
    /// Why it does not count.
    pub reason: String,
    /// The event of the log that contains it.
    pub event_id: Uuid,
    /// The event's position in the log.
    pub position: i64,
    /// The sample's index among those of the event, from 0.
    pub index: i32,
    /// The meter.
    pub counter_name: Option<String>,
    /// The tenant.
    pub project_id: Option<String>,
    /// The resource.
    pub resource_id: Option<String>,
    /// When it was measured.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<Timestamp>,
    /// The sender's id of it.
    pub message_id: Option<String>,
    /// The value as it was sent, number or not.
    pub counter_volume: Option<String>,
}

/// Reads a page of the rejected samples before a position and index, the newest first.
///
/// # Errors
///
/// When the database does not answer.
pub async fn rejected_samples(
    client: &impl GenericClient,
    before: Option<(i64, i32)>,
    limit: i64,
) -> Result<Vec<RejectedSample>, tokio_postgres::Error> {
    let (position, index) = before.unzip();
    let statement = "-- metering::rejected
        SELECT reason, event_id, position, index, counter_name, project_id, resource_id, \"timestamp\",
               message_id, counter_volume
        FROM metering.rejected
        WHERE $1::bigint IS NULL OR (position, index) < ($1, $2::integer)
        ORDER BY position DESC, index DESC LIMIT $3";
    let rows = client.query(statement, &[&position, &index, &limit]).await?;
    let rejected = |row: &Row| RejectedSample {
        reason: row.get(0),
        event_id: row.get(1),
        position: row.get(2),
        index: row.get(3),
        counter_name: row.get(4),
        project_id: row.get(5),
        resource_id: row.get(6),
        timestamp: row.get(7),
        message_id: row.get(8),
        counter_volume: row.get(9),
    };
    Ok(rows.iter().map(rejected).collect())
}
