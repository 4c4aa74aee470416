//! `/v1/requests/{request_id}`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{CursorTime, Items, Paging, Problem, Query, Segments};
use crate::projection::timing::read::requests::{self, EffectRow};

/// An event that an API request caused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Effect {
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// The instance it happened to.
    instance_id: String,
    /// The kind of the event, e.g. `compute.instance.create.end`.
    kind: String,
    /// The service and host that reported it.
    source: String,
    /// The event's id.
    event_id: Uuid,
}

impl From<EffectRow> for Effect {
    fn from(row: EffectRow) -> Self {
        Effect {
            occurred_at: row.occurred_at,
            instance_id: row.instance_id,
            kind: row.kind,
            source: row.source,
            event_id: row.event_id,
        }
    }
}

/// Everything that one API request caused, in time order
#[utoipa::path(get, path = "/v1/requests/{request_id}", tag = "Timing", operation_id = "request",
    params(("request_id" = String, Path, description = "e.g. req-5b6c…"), Paging),
    responses((status = 200, body = Items<Effect>)))]
pub(super) async fn show(
    State(pool): State<Pool>,
    segments: Segments<1>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Effect>>, Problem> {
    let Segments([id]) = segments;
    let after: Option<(CursorTime, Uuid)> = paging.after()?;
    let after = after.map(|(CursorTime(at), id)| (at, id));
    let client = pool.get().await?;
    let rows = requests::list_effects(&**client, &id, after, paging.rows()).await?;
    if rows.is_empty() && after.is_none() {
        return Err(Problem::not_found("no event of this request is known"));
    }
    let items = rows.into_iter().map(Effect::from).collect();
    Ok(Json(
        paging.page(items, |effect: &Effect| (CursorTime(effect.occurred_at), effect.event_id)),
    ))
}
