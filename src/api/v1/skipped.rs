//! Events that read models go without.

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::State;
use crate::http::{Items, Paging, Problem, Query};
use crate::projection::{self, SetAsideEvent};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list))
}

/// An event that a read model goes without.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct SkippedEvent {
    /// The read model.
    projection: String,
    /// The event's position in the log, as in `/v1/events`.
    position: i64,
    /// Why the read model cannot use it: what the database said.
    reason: String,
    /// The time at which it was set aside.
    #[schema(value_type = String, format = DateTime)]
    skipped_at: Timestamp,
}

impl From<SetAsideEvent> for SkippedEvent {
    fn from(event: SetAsideEvent) -> Self {
        let SetAsideEvent { projection, position, reason, set_aside_at } = event;
        SkippedEvent { projection, position, reason, skipped_at: set_aside_at }
    }
}

/// Events that read models go without, because the database refuses a value of their rows
///
/// A replay of the read model tries each again.
#[utoipa::path(get, path = "/v1/skipped", tag = "Operate", operation_id = "skipped", params(Paging),
    responses((status = 200, body = Items<SkippedEvent>)))]
async fn list(
    extract::State(state): extract::State<State>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<SkippedEvent>>, Problem> {
    let after: Option<(i64, String)> = paging.after()?;
    let client = state.pool.get().await?;
    let events = projection::list_set_aside(&**client, after, paging.rows()).await?;
    let items = events.into_iter().map(SkippedEvent::from).collect();
    let key = |event: &SkippedEvent| (event.position, event.projection.clone());
    Ok(Json(paging.page(items, key)))
}
