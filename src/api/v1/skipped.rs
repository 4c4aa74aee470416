//! Events that read models go without, or use in part.

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

/// An event that a read model goes without, or uses in part.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct SkippedEvent {
    /// The read model.
    projection: String,
    /// The event's position in the log, as in `/v1/events`.
    position: i64,
    /// `unusable`: what it says, or a part of that, cannot be used; `refused`: the database or the code refuses it;
    /// `skipped`: an operator skipped it.
    kind: String,
    /// What is wrong with it, or what the database, the code or the operator said.
    reason: String,
    /// The operator who skipped it; null for the other kinds.
    skipped_by: Option<String>,
    /// When that was found.
    #[schema(value_type = String, format = DateTime)]
    skipped_at: Timestamp,
}

impl From<SetAsideEvent> for SkippedEvent {
    fn from(event: SetAsideEvent) -> Self {
        let SetAsideEvent { projection, position, kind, reason, skipped_by, set_aside_at } = event;
        SkippedEvent { projection, position, kind, reason, skipped_by, skipped_at: set_aside_at }
    }
}

/// Events that read models go without, or use in part, each with the reason
///
/// Samples that do not count are listed by `/v1/samples/rejected`, one by one. A replay of the read model tries each
/// event again.
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
