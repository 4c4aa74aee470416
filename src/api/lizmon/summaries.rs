//! `/api/perf/{host}` and `/api/perf/{host}/{label}`: the summaries of a host.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::Client;

use super::post::{is_epoch, not_allowed};
use super::summary::{HOUR, MINUTE, Summary, Window};
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Problem, Query, Segments};
use crate::projection::rollup::{BucketSums, list_metrics, read_sums};

/// Summaries by label.
type Summaries = BTreeMap<String, Summary>;

/// Means by the minute over the last hour, and by the hour over the last day
#[utoipa::path(get, path = "/api/perf/{host}", tag = "Lizmon", operation_id = "lizmon_summaries",
    params(("host" = String, Path, description = "The host's name, in its case"), Clock),
    responses((status = 200, body = Summaries, description = "By label, e.g. summary:by-minute:cpu")))]
pub(super) async fn all(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    Query(clock): Query<Clock>,
) -> Result<Json<Summaries>, Problem> {
    let Segments([host]) = segments;
    Ok(Json(summarize(&state.read_pool, &host, "", clock.at).await?))
}

/// The summaries whose labels contain the text, in any case
#[utoipa::path(get, path = "/api/perf/{host}/{*label}", tag = "Lizmon",
    operation_id = "lizmon_matching_summaries",
    params(("host" = String, Path, description = "The host's name, in its case"),
        ("label" = String, Path, description = "A part of a label, which may contain slashes"), Clock),
    responses((status = 200, body = Summaries, description = "By label, e.g. summary:by-minute:cpu")))]
pub(super) async fn matching(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    Query(clock): Query<Clock>,
) -> Result<Json<Summaries>, Problem> {
    let Segments([host, label]) = segments;
    // In Lizmon, this is the path to post to.
    if is_epoch(&label) {
        return Err(not_allowed("samples are posted to this path"));
    }
    Ok(Json(summarize(&state.read_pool, &host, &label, clock.at).await?))
}

/// Computes the summaries of a host whose labels contain the text, in any case.
async fn summarize(
    pool: &Pool,
    host: &str,
    label: &str,
    at: Timestamp,
) -> Result<Summaries, Problem> {
    let label = label.to_lowercase();
    let client = pool.get().await?;
    let metrics = list_metrics(&**client, host).await?.unwrap_or_default();
    let mut summaries = Summaries::new();
    for window in [MINUTE, HOUR] {
        let name = |metric: &str| format!("summary:{}:{metric}", window.word);
        let is_wanted = |metric: &&String| name(metric).to_lowercase().contains(&label);
        let wanted: Vec<&String> = metrics.iter().filter(is_wanted).collect();
        for (metric, sums) in read_window(&client, (host, &wanted), window, at).await? {
            if let Some(summary) = window.summarize(at.as_second(), &sums) {
                summaries.insert(name(&metric), summary);
            }
        }
    }
    Ok(summaries)
}

/// Reads the buckets of each metric in a window, by their starts in seconds.
async fn read_window(
    client: &Client,
    host_and_metrics: (&str, &[&String]),
    window: Window,
    at: Timestamp,
) -> Result<BTreeMap<String, BTreeMap<i64, BucketSums>>, Problem> {
    let (first, end) = window.range(at.as_second());
    let time = |seconds| {
        Timestamp::from_second(seconds)
            .map_err(|_| Problem::bad_request("at", "it lies beyond the calendar"))
    };
    let range = (time(first)?, time(end)?);
    let mut by_metric = BTreeMap::<String, BTreeMap<i64, BucketSums>>::new();
    for (metric, start, sums) in
        read_sums(client, host_and_metrics, window.resolution, range).await?
    {
        by_metric.entry(metric).or_default().insert(start.as_second(), sums);
    }
    Ok(by_metric)
}
