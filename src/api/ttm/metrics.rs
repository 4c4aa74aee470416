//! TTM's metrics: read, and posted when a build has ended.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::base::Base;
use super::call::{self, Call};
use super::metric::{self, Metric};
use super::{Unheeded, only_instance};
use crate::api::State;
use crate::event;
use crate::http::{Body, FromParameters, Parameters, Problem, Query, Segments};

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
    let metric = metric::of(&client, &id).await?;
    let reference = |metric: Metric| Reference { id: metric.id, uri: base.metric(metric.id) };
    Ok(Json(References { metrics: metric.into_iter().map(reference).collect() }))
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
    one(metric::of(&client, &id).await?)
}

/// How many metrics are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Cap {
    /// The newest so many. TTM's lists have no pages.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 10000, default = 1000)]
    limit: i64,
}

impl FromParameters for Cap {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Cap { limit: parameters.integer("limit", 1..=10_000)?.unwrap_or(1000) })
    }
}

/// Metrics, the newest first
#[utoipa::path(get, path = "/ttm/api/v1.0/metrics", tag = "TTM", operation_id = "ttm_metrics",
    params(Cap), responses((status = 200, body = Metrics)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    Query((cap, Unheeded)): Query<(Cap, Unheeded)>,
    base: Base,
) -> Result<Json<Metrics>, Problem> {
    let client = state.pool.get().await?;
    let metrics = metric::list(&client, cap.limit).await?;
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
    one(metric::by_id(&client, id).await?)
}

/// The metric of an instance, if TTM knows it.
fn one(metric: Option<Metric>) -> Result<Json<One>, Problem> {
    metric.map(|metric| Json(One { metric })).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("Not found")
}

/// What is posted when a build has ended.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is sent")]
#[schema(as = TtmPostedMetric)]
pub(super) struct PostedMetric {
    /// The id that the path names, where it is given.
    instance_id: Option<String>,
    /// Its name.
    instance_name: String,
    /// When it started, by the caller: as `end_time`. Shown as it was sent.
    start_time: Option<String>,
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
    let end_time = time(&posted, "end_time")?;
    let start_time = match posted.get("start_time") {
        None | Some(Value::Null) => None,
        Some(_) => Some(time(&posted, "start_time")?),
    };
    if !is_of(&posted, &instance_id) {
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
    let metric = call::append_and_see(&state, event, &instance_id, |metric, _| {
        metric.instance_name = instance_name.to_owned();
        metric.end_time = end_time.to_owned();
        if let Some(start_time) = start_time.filter(|time| !time.is_empty()) {
            metric.start_time = start_time.to_owned();
        }
    });
    Ok((StatusCode::CREATED, Json(One { metric: metric.await? })))
}

/// Whether what is posted is about the instance: it may name it again, and no other.
fn is_of(posted: &Value, instance_id: &str) -> bool {
    match posted.get("instance_id") {
        None | Some(Value::Null) => true,
        Some(Value::String(id)) => id.replace('"', "") == instance_id,
        Some(Value::Number(id)) => id.to_string() == instance_id,
        Some(_) => false,
    }
}

/// A time, or `""`, that has to be there.
fn time<'a>(posted: &'a Value, field: &str) -> Result<&'a str, Problem> {
    let text = text(posted, field)?;
    if text.is_empty() || event::time::parse(text).is_some() {
        return Ok(text);
    }
    Err(Problem::bad_request(field, "an ISO 8601 time is expected, or \"\""))
}

/// A text that has to be there.
fn text<'a>(posted: &'a Value, field: &str) -> Result<&'a str, Problem> {
    posted
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| text.len() <= event::TEXT_MAX && !text.contains('\0'))
        .ok_or_else(|| {
            let expected = format!("a text is expected, of at most {} bytes", event::TEXT_MAX);
            Problem::bad_request(field, expected)
        })
}
