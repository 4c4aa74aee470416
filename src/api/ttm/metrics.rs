//! TTM's metrics: reading them, and posting one when a build has ended.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::base::BaseUri;
use super::call::{self, Call};
use super::metric::{self, Metric, MetricAnswer};
use super::parameters::{CacheBuster, only_instance_id};
use crate::api::State;
use crate::event;
use crate::http::{Body, FromParameters, Parameters, Problem, Query, Segments};

/// The address of a metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmReference)]
struct Reference {
    id: Uuid,
    uri: String,
}

/// Addresses of metrics.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmReferences)]
pub(super) struct References {
    metrics: Vec<Reference>,
}

/// A metric and its address.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmLocated)]
struct MetricWithUri {
    #[serde(flatten)]
    metric: Metric,
    uri: String,
}

/// A list of metrics.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmMetrics)]
pub(super) struct Metrics {
    metrics: Vec<MetricWithUri>,
}

/// The address of an instance's metric; an empty list if TTM does not know the instance
#[utoipa::path(get, path = "/ttm/api/v1.0/instances/{id}/metrics", tag = "TTM",
    operation_id = "ttm_instance_metrics",
    params(("id" = String, Path, description = "The instance's id")),
    responses((status = 200, body = References)))]
pub(super) async fn list_references(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<CacheBuster>,
    base: BaseUri,
) -> Result<Json<References>, Problem> {
    let id = only_instance_id(&segments)?;
    let client = state.pool.get().await?;
    let metric = metric::find_of_instance(&client, &id).await?;
    let reference = |metric: Metric| Reference { id: metric.id, uri: base.metric(metric.id) };
    Ok(Json(References { metrics: metric.into_iter().map(reference).collect() }))
}

/// An instance's metric
#[utoipa::path(get, path = "/ttm/api/v1.0/instances/{id}/getmetrics", tag = "TTM",
    operation_id = "ttm_instance_getmetrics",
    params(("id" = String, Path, description = "The instance's id")),
    responses((status = 200, body = MetricAnswer)))]
pub(super) async fn show_of_instance(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<CacheBuster>,
) -> Result<Json<MetricAnswer>, Problem> {
    let id = only_instance_id(&segments)?;
    let client = state.pool.get().await?;
    answer(metric::find_of_instance(&client, &id).await?)
}

/// The number of metrics to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsLimit {
    /// The number of the newest metrics to list. TTM's lists have no pages.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 10000, default = 1000)]
    limit: i64,
}

impl FromParameters for MetricsLimit {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(MetricsLimit { limit: parameters.integer("limit", 1..=10_000)?.unwrap_or(1000) })
    }
}

/// Metrics, the newest first
#[utoipa::path(get, path = "/ttm/api/v1.0/metrics", tag = "TTM", operation_id = "ttm_metrics",
    params(MetricsLimit), responses((status = 200, body = Metrics)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    Query((newest, CacheBuster)): Query<(MetricsLimit, CacheBuster)>,
    base: BaseUri,
) -> Result<Json<Metrics>, Problem> {
    let client = state.pool.get().await?;
    let metrics = metric::list(&client, newest.limit).await?;
    let metrics =
        metrics.into_iter().map(|metric| MetricWithUri { uri: base.metric(metric.id), metric });
    Ok(Json(Metrics { metrics: metrics.collect() }))
}

/// One metric by its id
#[utoipa::path(get, path = "/ttm/api/v1.0/metrics/{id}", tag = "TTM", operation_id = "ttm_metric",
    params(("id" = String, Path, description = "The metric's id")),
    responses((status = 200, body = MetricAnswer)))]
pub(super) async fn show(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<CacheBuster>,
) -> Result<Json<MetricAnswer>, Problem> {
    let Segments([id]) = segments;
    let id = Uuid::try_parse(&id).map_err(|_| not_found())?;
    let client = state.pool.get().await?;
    answer(metric::find(&client, id).await?)
}

/// Answers with a metric, or that there is none.
fn answer(metric: Option<Metric>) -> Result<Json<MetricAnswer>, Problem> {
    metric.map(|metric| Json(MetricAnswer { metric })).ok_or_else(not_found)
}

/// TTM's problem for an unknown metric.
fn not_found() -> Problem {
    Problem::not_found("Not found")
}

/// The body of a `POST` when a build has ended.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the request's body")]
#[schema(as = TtmPostedMetric)]
pub(super) struct PostedMetric {
    /// The id that the path contains, if given.
    instance_id: Option<String>,
    /// The instance's name.
    instance_name: String,
    /// When the build started, in the formats of `end_time`. Answers show it as sent.
    start_time: Option<String>,
    /// When the build ended: ISO 8601, UTC unless a zone is given; `""` if it has not ended.
    end_time: String,
}

/// Report that an instance's build has ended; an unknown instance is known from then on
#[utoipa::path(post, path = "/ttm/api/v1.0/instances/{id}/metrics", tag = "TTM",
    operation_id = "ttm_post_metrics",
    params(("id" = String, Path, description = "The instance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    request_body = PostedMetric, responses((status = 201, body = MetricAnswer)))]
pub(super) async fn post(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<CacheBuster>,
    call: Call,
    Body(body): Body,
) -> Result<(StatusCode, Json<MetricAnswer>), Problem> {
    let instance_id = only_instance_id(&segments)?;
    let posted: Value = serde_json::from_slice(&body)
        .map_err(|error| Problem::malformed(format!("not JSON: {error}")))?;
    let instance_name = read_text(&posted, "instance_name")?;
    let end_time = read_time(&posted, "end_time")?;
    let start_time = match posted.get("start_time") {
        None | Some(Value::Null) => None,
        Some(_) => Some(read_time(&posted, "start_time")?),
    };
    if !is_about(&posted, &instance_id) {
        return Err(Problem::bad_request("instance_id", "the path names another instance"));
    }
    let mut data = json!({
        "instance_id": instance_id,
        "instance_name": instance_name,
        "end_time": end_time,
    });
    if let Some(start_time) = start_time {
        data["start_time"] = start_time.into();
    }
    let event = call.event("ttm.metrics", &data)?;
    let metric = call::append_and_read(&state, event, &instance_id, |metric, _| {
        metric.instance_name = instance_name.to_owned();
        metric.end_time = end_time.to_owned();
        if let Some(start_time) = start_time.filter(|time| !time.is_empty()) {
            metric.start_time = start_time.to_owned();
        }
    });
    Ok((StatusCode::CREATED, Json(MetricAnswer { metric: metric.await? })))
}

/// Returns whether a posted metric is about the instance: it may contain the id again, and no other one.
fn is_about(posted: &Value, instance_id: &str) -> bool {
    match posted.get("instance_id") {
        None | Some(Value::Null) => true,
        Some(Value::String(id)) => id.replace('"', "") == instance_id,
        Some(Value::Number(id)) => id.to_string() == instance_id,
        Some(_) => false,
    }
}

/// Reads a required member that is a time or `""`.
fn read_time<'a>(posted: &'a Value, field: &str) -> Result<&'a str, Problem> {
    let text = read_text(posted, field)?;
    if text.is_empty() || event::time::parse(text).is_some() {
        return Ok(text);
    }
    Err(Problem::bad_request(field, "an ISO 8601 time is expected, or \"\""))
}

/// Reads a required member that is a text.
fn read_text<'a>(posted: &'a Value, field: &str) -> Result<&'a str, Problem> {
    posted
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| text.len() <= event::TEXT_MAX && !text.contains('\0'))
        .ok_or_else(|| {
            let expected = format!("a text is expected, of at most {} bytes", event::TEXT_MAX);
            Problem::bad_request(field, expected)
        })
}
