//! The status of the projections.

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

/// A projection's position and state.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Projection)]
struct ProjectionStatus {
    /// Its name, which is also that of its tables' PostgreSQL schema.
    name: String,
    /// The last position that is applied.
    checkpoint: i64,
    /// The log's last position.
    head: i64,
    /// Events after the checkpoint.
    lag_events: i64,
    /// Age of the oldest append after the checkpoint; 0 if there is none.
    lag_s: f64,
    /// `running`; `stopped` while no process runs it; `failed` if an error stops it; `replaying` for rows that
    /// are computed anew, while the old ones go on answering.
    state: &'static str,
    /// Version of the code that computed the rows.
    version: i32,
    /// The error that stops it; null while none does.
    error: Option<String>,
    /// The position after which the error stops it.
    error_at: Option<i64>,
    /// Events that it could not use and skipped.
    skipped: i64,
}

impl From<Status> for ProjectionStatus {
    fn from(status: Status) -> Self {
        ProjectionStatus {
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
    responses((status = 200, body = Items<ProjectionStatus>)))]
async fn list(
    extract::State(state): extract::State<State>,
    Query(clock): Query<Clock>,
) -> Result<Json<Items<ProjectionStatus>>, Problem> {
    let client = state.pool.get().await?;
    let statuses = projection::statuses(&**client, clock.at).await?;
    Ok(Json(Items {
        items: statuses.into_iter().map(ProjectionStatus::from).collect(),
        next: None,
    }))
}
