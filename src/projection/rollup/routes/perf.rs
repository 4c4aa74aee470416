//! `/v1/perf/{host}`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Client;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::{FromParameters, Parameters, Problem, Query, Segments};
use crate::lifecycle;
use crate::projection::rollup::read::{BucketRow, list_metrics, read_buckets};
use crate::projection::rollup::resolution::Resolution;
use crate::sketch::numbers::Sketch;

/// The maximum number of buckets that the requested time may contain, over all metrics.
const BUCKETS_MAX: i64 = 10_000;

/// The samples of a bucket, summed up. Numbers are exact, except the mean, which has at least 16 significant
/// digits, and the quantiles.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Bucket {
    /// The time of its beginning; the resolution is its length.
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    count: i64,
    #[schema(value_type = f64)]
    sum: Box<RawValue>,
    #[schema(value_type = f64)]
    min: Box<RawValue>,
    #[schema(value_type = f64)]
    max: Box<RawValue>,
    #[schema(value_type = f64)]
    mean: Box<RawValue>,
    /// Within 1 %, as the other quantiles.
    p50: f64,
    p95: f64,
    p99: f64,
    /// The value of the latest sample.
    #[schema(value_type = f64)]
    last: Box<RawValue>,
}

/// A time without samples, which begins and ends with buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Gap {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Not included.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
}

/// The buckets of one metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Series {
    metric: String,
    /// The buckets with samples, in time order.
    buckets: Vec<Bucket>,
    gaps: Vec<Gap>,
}

/// The requested metric, or all metrics of the host.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Content {
    One(Series),
    All { metrics: Vec<Series> },
}

/// The samples of a host, in buckets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Perf {
    host: String,
    /// `1m`, `1h` or `1d`.
    resolution: &'static str,
    /// The beginning, rounded down to a bucket.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// The end, rounded up to a bucket; not included.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    #[serde(flatten)]
    content: Content,
}

/// The metrics, resolution and time of the answer.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// One metric; all of the host's unless given.
    #[param(required = false)]
    metric: Option<String>,
    /// The length of a bucket; `1m` unless given.
    #[param(value_type = Option<Resolution>, inline)]
    resolution: Resolution,
    /// The beginning, rounded down to a bucket; unless given, an hour, a day or 30 days before `to`, by
    /// resolution.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Timestamp,
    /// The end, rounded up to a bucket; `at` unless given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Timestamp,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    #[expect(dead_code, reason = "it is only the default of the one above")]
    at: Timestamp,
}

impl PartialSchema for Resolution {
    fn schema() -> RefOr<Schema> {
        let words = Resolution::ALL.map(Resolution::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for Resolution {}

/// Returns the time that an answer covers, unless given.
fn default_length(resolution: Resolution) -> SignedDuration {
    SignedDuration::from_hours(match resolution {
        Resolution::Minute => 1,
        Resolution::Hour => 24,
        Resolution::Day => 30 * 24,
    })
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let words = Resolution::ALL.map(Resolution::as_str).join(", ");
        let parse = |word: &str| Resolution::ALL.into_iter().find(|known| known.as_str() == word);
        let resolution = parameters
            .read("resolution", &format!("one of {words} is expected"), parse)?
            .unwrap_or(Resolution::Minute);
        let at = parameters.time("at")?.unwrap_or_else(lifecycle::now);
        let beyond =
            |name: &'static str| move |_| Problem::bad_request(name, "it lies beyond the calendar");
        let to = parameters.time("to")?;
        let end = if to.is_some() { "to" } else { "at" };
        let to = to.unwrap_or(at);
        let from = match parameters.time("from")? {
            Some(from) => from,
            None => to.checked_sub(default_length(resolution)).map_err(beyond(end))?,
        };
        if from > to {
            return Err(Problem::bad_request("to", "it lies before from"));
        }
        let last = SignedDuration::from_micros(resolution.width() - 1);
        let to = resolution.start(to.checked_add(last).map_err(beyond("to"))?);
        let metric = parameters.text("metric")?;
        Ok(Filter { metric, resolution, from: resolution.start(from), to, at })
    }
}

impl Filter {
    /// Returns the number of buckets that the requested time contains, per metric.
    fn buckets_per_metric(&self) -> i64 {
        let length = self.to.as_microsecond() - self.from.as_microsecond();
        length / self.resolution.width()
    }

    /// Returns the series of a metric, with the gaps between its buckets.
    fn build_series(&self, metric: String, buckets: Vec<Bucket>) -> Series {
        let starts = buckets.iter().map(|bucket| bucket.start);
        let gaps = find_gaps(starts, self.from, self.to, self.resolution);
        Series { metric, buckets, gaps }
    }
}

/// The samples of a host, in buckets
#[utoipa::path(get, path = "/v1/perf/{host}", tag = "Hosts", operation_id = "perf",
    params(("host" = String, Path, description = "The host's name, in its case"), Filter),
    responses((status = 200, body = Perf)))]
pub(super) async fn show(
    State(pool): State<Pool>,
    segments: Segments<1>,
    Query(filter): Query<Filter>,
) -> Result<Json<Perf>, Problem> {
    let Segments([host]) = segments;
    let client = pool.get().await?;
    let metrics = match &filter.metric {
        Some(metric) => {
            known_metrics(&client, &host).await?;
            vec![metric.clone()]
        }
        None => known_metrics(&client, &host).await?,
    };
    if filter.buckets_per_metric().saturating_mul(metrics.len() as i64) > BUCKETS_MAX {
        let detail = format!(
            "{} buckets of {} metrics are more than {BUCKETS_MAX}: request a shorter time, one metric \
             or a longer resolution",
            filter.buckets_per_metric(),
            metrics.len()
        );
        return Err(Problem::bad_request("from", detail));
    }
    let time = (filter.from, filter.to);
    let rows = read_buckets(&**client, (&host, &metrics), filter.resolution, time).await?;
    let mut series: Vec<(String, Vec<Bucket>)> =
        metrics.into_iter().map(|metric| (metric, Vec::new())).collect();
    for row in &rows {
        if let Ok(index) = series.binary_search_by(|(known, _)| known.as_str().cmp(row.metric())) {
            series[index].1.push(show_bucket(row)?);
        }
    }
    let mut series: Vec<Series> =
        series.into_iter().map(|(metric, buckets)| filter.build_series(metric, buckets)).collect();
    let content = match (&filter.metric, series.pop()) {
        (Some(_), Some(one)) => Content::One(one),
        (_, last) => {
            series.extend(last);
            Content::All { metrics: series }
        }
    };
    Ok(Json(Perf {
        host,
        resolution: filter.resolution.as_str(),
        from: filter.from,
        to: filter.to,
        content,
    }))
}

/// Reads the metrics of a host, in order.
///
/// # Errors
///
/// 404 if the host never sent a value.
async fn known_metrics(client: &Client, host: &str) -> Result<Vec<String>, Problem> {
    let metrics = list_metrics(client, host).await?;
    metrics.ok_or_else(|| Problem::not_found("no host of this name has sent a value"))
}

fn show_bucket(row: &BucketRow) -> Result<Bucket, Problem> {
    let sketch = Sketch::from_bytes(row.sketch()).map_err(|error| unreadable(&error, "sketch"))?;
    let (min, max) = (nearest_f64(row.min()), nearest_f64(row.max()));
    // The middle of a bin may lie beyond the values that fell into it.
    let quantile = |q| sketch.quantile(q).unwrap_or(min).clamp(min, max);
    Ok(Bucket {
        start: row.start(),
        count: row.count(),
        sum: exact(row.sum(), "sum")?,
        min: exact(row.min(), "min")?,
        max: exact(row.max(), "max")?,
        mean: exact(row.mean(), "mean")?,
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        last: exact(row.last(), "last")?,
    })
}

/// Returns a number as JSON, digit for digit.
fn exact(number: &str, column: &str) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(number.to_owned()).map_err(|error| unreadable(&error, column))
}

fn unreadable(error: &dyn std::fmt::Display, column: &str) -> Problem {
    tracing::error!(error = %error, column, "a row of rollup cannot be read");
    Problem::internal()
}

/// Returns the float that is nearest to a plain decimal.
fn nearest_f64(number: &str) -> f64 {
    number.parse().unwrap_or_default()
}

/// Returns the times within [from, to) that no bucket covers; `starts` are the starts of the buckets, in
/// order.
fn find_gaps(
    starts: impl Iterator<Item = Timestamp>,
    from: Timestamp,
    to: Timestamp,
    resolution: Resolution,
) -> Vec<Gap> {
    let width = SignedDuration::from_micros(resolution.width());
    let mut gaps = Vec::new();
    let mut covered = from;
    for start in starts {
        if start > covered {
            gaps.push(Gap { from: covered, to: start });
        }
        covered = start + width;
    }
    if covered < to {
        gaps.push(Gap { from: covered, to });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Result<Filter, Problem> {
        Filter::from_parameters(&mut Parameters::parse(query).unwrap())
    }

    #[test]
    fn times_are_rounded_outwards_and_have_their_defaults() {
        for (query, from, to) in [
            ("", "2026-11-20T02:05:00Z", "2026-11-20T03:06:00Z"),
            ("resolution=1h", "2026-11-19T03:00:00Z", "2026-11-20T04:00:00Z"),
            ("resolution=1d", "2026-10-21T00:00:00Z", "2026-11-21T00:00:00Z"),
            ("to=2026-11-20T02:06:00Z", "2026-11-20T01:06:00Z", "2026-11-20T02:06:00Z"),
            (
                "to=2025-11-20T02:06:00Z&resolution=1h",
                "2025-11-19T02:00:00Z",
                "2025-11-20T03:00:00Z",
            ),
            ("from=2026-11-20T02:06:00Z", "2026-11-20T02:06:00Z", "2026-11-20T03:06:00Z"),
        ] {
            let filter = parsed(&format!("at=2026-11-20T03:05:54Z&{query}")).unwrap();
            assert_eq!((filter.from.to_string(), filter.to.to_string()), (from.into(), to.into()));
        }
        let wrong = |query: &str| parsed(query).unwrap_err().parameter.unwrap();
        assert_eq!(wrong("from=2026-11-20T03:00:00Z&to=2026-11-20T02:00:00Z"), "to");
        assert_eq!(wrong("to=9999-12-30T22:00:00Z&at=2026-11-20T03:05:54Z&resolution=1d"), "to");
        assert_eq!(wrong("resolution=5m"), "resolution");
    }

    #[test]
    fn gaps_are_the_times_that_no_bucket_covers() {
        let time = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let gaps = |starts: &[i64]| -> Vec<(i64, i64)> {
            let starts = starts.iter().map(|start| time(*start));
            let minute = |time: Timestamp| time.as_second() / 60;
            find_gaps(starts, time(10), time(20), Resolution::Minute)
                .iter()
                .map(|gap| (minute(gap.from), minute(gap.to)))
                .collect()
        };
        assert_eq!(gaps(&[]), [(10, 20)]);
        assert_eq!(gaps(&[10, 11, 14, 19]), [(12, 14), (15, 19)]);
        assert_eq!(gaps(&[12]), [(10, 12), (13, 20)]);
        assert_eq!(gaps(&(10..20).collect::<Vec<_>>()), []);
    }
}
