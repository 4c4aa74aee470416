//! `time/now`: returns the time and, with an instance, reports that its build or bootstrap begins.

use axum::Json;
use axum::extract;
use axum::http::Method;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::call::{self, Call};
use super::format::iso;
use super::parameters::{CacheBuster, only_instance_id};
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Problem, Query, Segments};

/// The current time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmNow)]
pub(super) struct UtcNow {
    /// Naive, UTC.
    utcnow: String,
}

/// The time; nothing is recorded
#[utoipa::path(get, path = "/ttm/api/v1.0/time/now", tag = "TTM", operation_id = "ttm_now",
    params(Clock), responses((status = 200, body = UtcNow)))]
pub(super) async fn show(Query((clock, CacheBuster)): Query<(Clock, CacheBuster)>) -> Json<UtcNow> {
    Json(UtcNow { utcnow: iso(clock.at) })
}

/// Report that an instance's build (the first time) or bootstrap begins
#[utoipa::path(get, path = "/ttm/api/v1.0/instances/{id}/time/now", tag = "TTM",
    operation_id = "ttm_instance_now",
    params(("id" = String, Path, description = "The instance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    responses((status = 200, body = UtcNow)))]
pub(super) async fn report(
    extract::State(state): extract::State<State>,
    method: Method,
    segments: Segments<1>,
    _: Query<CacheBuster>,
    call: Call,
) -> Result<Json<UtcNow>, Problem> {
    let instance_id = only_instance_id(&segments)?;
    // HEAD asks for the header alone and reports nothing.
    if method != Method::HEAD {
        let event = call.event("ttm.time_now", &json!({ "instance_id": instance_id }))?;
        call::append(&state, event).await?;
    }
    Ok(Json(UtcNow { utcnow: iso(call.now) }))
}

/// Report that an instance's build (the first time) or bootstrap begins, by the README's path
#[utoipa::path(get, path = "/ttm/api/v1.0/{id}/time/now", tag = "TTM",
    operation_id = "ttm_instance_now_short",
    params(("id" = String, Path, description = "The instance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    responses((status = 200, body = UtcNow)))]
pub(super) async fn report_by_short_path(
    state: extract::State<State>,
    method: Method,
    segments: Segments<1>,
    query: Query<CacheBuster>,
    call: Call,
) -> Result<Json<UtcNow>, Problem> {
    report(state, method, segments, query, call).await
}
