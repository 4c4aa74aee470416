//! `/v1/samples/rejected`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Items, Paging, Problem, Query};

/// A sample that does not count, and what could be read of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Rejected {
    /// Why not.
    reason: String,
    /// The event of the log that holds it.
    event_id: Uuid,
    /// That event's place in the log.
    position: i64,
    /// Its own place among the event's samples, from 0.
    index: i32,
    counter_name: Option<String>,
    project_id: Option<String>,
    resource_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    timestamp: Option<Timestamp>,
    message_id: Option<String>,
    /// As it was sent, whatever that is.
    counter_volume: Option<String>,
}

impl From<&Row> for Rejected {
    fn from(row: &Row) -> Self {
        Rejected {
            reason: row.get("reason"),
            event_id: row.get("event_id"),
            position: row.get("position"),
            index: row.get("index"),
            counter_name: row.get("counter_name"),
            project_id: row.get("project_id"),
            resource_id: row.get("resource_id"),
            timestamp: row.get("timestamp"),
            message_id: row.get("message_id"),
            counter_volume: row.get("counter_volume"),
        }
    }
}

/// Samples that do not count, the last that came first
#[utoipa::path(get, path = "/v1/samples/rejected", tag = "Meters", operation_id = "rejected_samples",
    params(Paging), responses((status = 200, body = Items<Rejected>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Rejected>>, Problem> {
    let (position, index) = paging.after::<(i64, i32)>()?.unzip();
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- metering::rejected
             SELECT * FROM metering.rejected
             WHERE $1::bigint IS NULL OR (position, index) < ($1, $2::integer)
             ORDER BY position DESC, index DESC LIMIT $3",
            &[&position, &index, &paging.rows()],
        )
        .await?;
    let items = rows.iter().map(Rejected::from).collect();
    Ok(Json(paging.page(items, |rejected: &Rejected| (rejected.position, rejected.index))))
}
