//! Lizmon's own routes, in its shapes: its agents post to them, and its users read summaries.
//!
//! Its label filter heeds no case, as its README says and its code does not; and what it would serve
//! for ever when no sample is left, an old summary, is not served.

mod post;
mod rows;
mod summary;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::summary::Summary;
use super::State;
use super::clock::Clock;
use crate::http::{Problem, Query, Segments};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(matching, post::post))
}

/// Summaries by their labels.
type Summaries = BTreeMap<String, Summary>;

/// Means by the minute over the last hour, and by the hour over the last day
#[utoipa::path(get, path = "/api/perf/{host}", tag = "Lizmon", operation_id = "lizmon_summaries",
    params(("host" = String, Path, description = "The host's name, in its case"), Clock),
    responses((status = 200, body = Summaries, description = "By label, e.g. summary:by-minute:cpu")))]
async fn all(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    Query(clock): Query<Clock>,
) -> Result<Json<Summaries>, Problem> {
    let Segments([host]) = segments;
    Ok(Json(rows::summaries(&state.pool, &host, "", clock.at).await?))
}

/// As without a label, of those labels that contain the text in any case
#[utoipa::path(get, path = "/api/perf/{host}/{*label}", tag = "Lizmon",
    operation_id = "lizmon_matching_summaries",
    params(("host" = String, Path, description = "The host's name, in its case"),
        ("label" = String, Path, description = "A part of a label, which may contain slashes"), Clock),
    responses((status = 200, body = Summaries, description = "By label, e.g. summary:by-minute:cpu")))]
async fn matching(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    Query(clock): Query<Clock>,
) -> Result<Json<Summaries>, Problem> {
    let Segments([host, label]) = segments;
    // To Lizmon this is the path to post to.
    if post::is_epoch(&label) {
        return Err(not_allowed("samples are posted to this path"));
    }
    Ok(Json(rows::summaries(&state.pool, &host, &label, clock.at).await?))
}

fn not_allowed(detail: &str) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
