//! TTM's metrics: read, and posted when a build has ended.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::base::Base;
use super::call::{self, Call};
use super::metric::{self, Metric};
use super::{Unheeded, only_instance};
use crate::api::State;
use crate::event;
use crate::http::{Body, Problem, Query, Segments};

/// One metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmMetricAnswer)]
pub(super) struct One {
    pub metric: Metric,
}

/// Where a metric is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmReference)]
struct Reference {
    id: Uuid,
    uri: String,
}

/// Where metrics are.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmReferences)]
pub(super) struct References {
    metrics: Vec<Reference>,
}

/// A metric and where it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmLocated)]
struct Located {
    #[serde(flatten)]
    metric: Metric,
    uri: String,
}

/// Metrics.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmMetrics)]
pub(super) struct Metrics {
    metrics: Vec<Located>,
}

/// Where an instance's metric is; an empty list when TTM does not know the instance
#[utoipa::path(get, path = "/ttm/api/v1.0/instances/{id}/metrics", tag = "TTM",
    operation_id = "ttm_instance_metrics",
    params(("id" = String, Path, description = "The instance's id")),
    responses((status = 200, body = References)))]
pub(super) async fn of_instance(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<Unheeded>,
    base: Base,
) -> Result<Json<References>, Problem> {
    let id = only_instance(&segments)?;
    let client = state.pool.get().await?;
    let metrics = metric::read(&client, Some(&id)).await?;
    let reference = |metric: &Metric| Reference { id: metric.id, uri: base.metric(metric.id) };
    Ok(Json(References { metrics: metrics.iter().map(reference).collect() }))
}

/// An instance's metric
#[utoipa::path(get, path = "/ttm/api/v1.0/instances/{id}/getmetrics", tag = "TTM",
    operation_id = "ttm_instance_getmetrics",
    params(("id" = String, Path, description = "The instance's id")),
    responses((status = 200, body = One)))]
pub(super) async fn get_metrics(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<Unheeded>,
) -> Result<Json<One>, Problem> {
    let id = only_instance(&segments)?;
    let client = state.pool.get().await?;
    one(metric::read(&client, Some(&id)).await?)
}

/// All metrics, the newest first
#[utoipa::path(get, path = "/ttm/api/v1.0/metrics", tag = "TTM", operation_id = "ttm_metrics",
    responses((status = 200, body = Metrics)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    _: Query<Unheeded>,
    base: Base,
) -> Result<Json<Metrics>, Problem> {
    let client = state.pool.get().await?;
    let metrics = metric::read(&client, None).await?;
    let located = metrics.into_iter().map(|metric| Located { uri: base.metric(metric.id), metric });
    Ok(Json(Metrics { metrics: located.collect() }))
}

/// One metric by its id
#[utoipa::path(get, path = "/ttm/api/v1.0/metrics/{id}", tag = "TTM", operation_id = "ttm_metric",
    params(("id" = String, Path, description = "The metric's id")),
    responses((status = 200, body = One)))]
pub(super) async fn show(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<Unheeded>,
) -> Result<Json<One>, Problem> {
    let Segments([id]) = segments;
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let client = state.pool.get().await?;
    let instance_id = metric::instance_of(&client, id).await?.ok_or_else(unknown)?;
    one(metric::read(&client, Some(&instance_id)).await?)
}

/// The metric of an instance, if TTM knows it.
pub(super) fn one(mut metrics: Vec<Metric>) -> Result<Json<One>, Problem> {
    metrics.pop().map(|metric| Json(One { metric })).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("Not found")
}

/// What is posted when a build has ended.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is sent")]
#[schema(as = TtmPostedMetric)]
pub(super) struct PostedMetric {
    /// Its name.
    instance_name: String,
    /// When it ended: ISO 8601, UTC where no zone is given; `""` while it has not.
    end_time: String,
}

/// Report that an instance's build has ended; an unknown instance is known from then on
#[utoipa::path(post, path = "/ttm/api/v1.0/instances/{id}/metrics", tag = "TTM",
    operation_id = "ttm_post_metrics",
    params(("id" = String, Path, description = "The instance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    request_body = PostedMetric, responses((status = 201, body = One)))]
pub(super) async fn post(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<Unheeded>,
    call: Call,
    Body(body): Body,
) -> Result<(StatusCode, Json<One>), Problem> {
    let instance_id = only_instance(&segments)?;
    let posted: Value = serde_json::from_slice(&body)
        .map_err(|error| Problem::malformed(format!("not JSON: {error}")))?;
    let instance_name = text(&posted, "instance_name")?;
    let end_time = text(&posted, "end_time")?;
    if !end_time.is_empty() && event::time::parse(end_time).is_none() {
        return Err(Problem::bad_request("end_time", "an ISO 8601 time is expected, or \"\""));
    }
    let data = json!({
        "instance_id": instance_id,
        "instance_name": instance_name,
        "end_time": end_time,
    });
    let event = call.event("ttm.metrics", &data)?;
    call::append_and_see(&state, event).await?;
    let client = state.pool.get().await?;
    let metrics = metric::read(&client, Some(&instance_id)).await?;
    Ok((StatusCode::CREATED, seen(metrics)?))
}

/// The answer to a call that was recorded. The read model may still be behind.
pub(super) fn seen(metrics: Vec<Metric>) -> Result<Json<One>, Problem> {
    one(metrics).map_err(|_| {
        Problem::unavailable("the call is recorded, but the read model has not seen it yet")
    })
}

/// A text that has to be there.
fn text<'a>(posted: &'a Value, field: &str) -> Result<&'a str, Problem> {
    posted
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| text.len() <= 1024 && !text.contains('\0'))
        .ok_or_else(|| Problem::bad_request(field, format!("{field} is expected, a text")))
}
