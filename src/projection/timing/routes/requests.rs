//! `/v1/requests/{request_id}`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::time_of;
use crate::http::{Items, Paging, Problem, Query, Segments};

/// Something an API request caused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Effect {
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// The instance it happened to.
    instance_id: String,
    /// What happened.
    kind: String,
    /// Who reported it.
    source: String,
    /// The event's id.
    event_id: Uuid,
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
    let after: Option<(i64, Uuid)> = paging.after()?;
    let after_at = after.map(|(at, _)| time_of(at)).transpose()?;
    let after_id = after.map(|(_, id)| id);
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- timing::request
             SELECT e.occurred_at, r.instance_id, e.kind, e.source, e.event_id
             FROM timing.request r,
                  unnest(r.occurred_at, r.event_id, r.kind, r.source) AS e (occurred_at, event_id, kind, source)
             WHERE r.request_id = $1
               AND ($2::timestamptz IS NULL OR (e.occurred_at, e.event_id) > ($2, $3::uuid))
             ORDER BY e.occurred_at, e.event_id LIMIT $4",
            &[&id, &after_at, &after_id, &paging.rows()],
        )
        .await?;
    if rows.is_empty() && after.is_none() {
        return Err(Problem::not_found("nothing was heard of this request"));
    }
    let items = rows
        .iter()
        .map(|row| Effect {
            occurred_at: row.get("occurred_at"),
            instance_id: row.get("instance_id"),
            kind: row.get("kind"),
            source: row.get("source"),
            event_id: row.get("event_id"),
        })
        .collect();
    Ok(Json(
        paging
            .page(items, |effect: &Effect| (effect.occurred_at.as_microsecond(), effect.event_id)),
    ))
}
