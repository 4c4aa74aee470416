//! Where the projections stand.

use axum::Json;
use axum::extract;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Items, Problem, Query};
use crate::projection::{self, Status};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Where a projection stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Projection)]
struct Standing {
    /// Its name.
    name: String,
    /// The last position it has applied.
    checkpoint: i64,
    /// The log's last position.
    head: i64,
    /// Events it has not seen yet.
    lag_events: i64,
    /// Age of the oldest append it has not seen; 0 when there is none.
    lag_s: f64,
    /// `running`; `stopped` while nobody projects it; `failed` where it stands still at an event;
    /// `replaying` for rows that are being made anew, while the old ones go on answering.
    state: &'static str,
    /// Version of its code that made the rows.
    version: i32,
    /// Why it stands still; null while it does not.
    error: Option<String>,
    /// The position after which it stands still.
    error_at: Option<i64>,
    /// Events that it could not use.
    skipped: i64,
}

impl From<Status> for Standing {
    fn from(status: Status) -> Self {
        Standing {
            name: status.name,
            checkpoint: status.checkpoint,
            head: status.head,
            lag_events: status.lag_events,
            lag_s: status.lag_s,
            state: status.state,
            version: status.version,
            error: status.error,
            error_at: status.error_at,
            skipped: status.skipped,
        }
    }
}

/// Projections with their checkpoints and lags
#[utoipa::path(get, path = "/v1/projections", tag = "Operate", operation_id = "projections", params(Clock),
    responses((status = 200, body = Items<Standing>)))]
async fn list(
    extract::State(state): extract::State<State>,
    Query(clock): Query<Clock>,
) -> Result<Json<Items<Standing>>, Problem> {
    let client = state.pool.get().await?;
    let statuses = projection::statuses(&**client, clock.at).await?;
    Ok(Json(Items { items: statuses.into_iter().map(Standing::from).collect(), next: None }))
}
