//! `/v1/perf/{host}`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{Client, Row};
use utoipa::{IntoParams, ToSchema};

use crate::http::{FromParameters, Parameters, Problem, Query, Segments};
use crate::lifecycle;
use crate::projection::rollup::resolution::Resolution;
use crate::sketch::numbers::Sketch;

/// How many buckets an answer may have room for.
const BUCKETS_MAX: i64 = 10_000;

/// What the samples of a bucket come to. Numbers are exact but for the mean, which has 16 significant
/// digits at least, and the quantiles.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Bucket {
    /// It holds the samples from then on, as long as the resolution says.
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
    /// Within 1 %, as the two below.
    p50: f64,
    p95: f64,
    p99: f64,
    /// The value of the latest sample.
    #[schema(value_type = f64)]
    last: Box<RawValue>,
}

/// A time without samples, which begins and ends with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Gap {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Not included.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
}

/// One metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Series {
    metric: String,
    /// Those that hold something, in time order.
    buckets: Vec<Bucket>,
    gaps: Vec<Gap>,
}

/// One metric, where one is asked for, or all of the host's.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Content {
    One(Series),
    All { metrics: Vec<Series> },
}

/// What was measured of a host.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Perf {
    host: String,
    /// `1m`, `1h` or `1d`.
    resolution: &'static str,
    /// From when on, as it was taken: the beginning of a bucket.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Until when, likewise; not included.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    #[serde(flatten)]
    content: Content,
}

/// What is answered.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// One metric; all of the host's unless given.
    #[param(required = false)]
    metric: Option<String>,
    /// How long a bucket is.
    #[param(value_type = Option<String>, pattern = "^(1m|1h|1d)$", default = "1m")]
    resolution: Resolution,
    /// From then on, rounded down to a bucket; an hour, a day or 30 days before `to` unless given, by
    /// resolution.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Timestamp,
    /// Earlier than that, rounded up to a bucket; `at` unless given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Timestamp,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    #[expect(dead_code, reason = "it only decides the one above")]
    at: Timestamp,
}

const RESOLUTIONS: [(&str, Resolution, i64); 3] =
    [("1m", Resolution::Minute, 1), ("1h", Resolution::Hour, 24), ("1d", Resolution::Day, 30 * 24)];

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let find = |name: &str| RESOLUTIONS.into_iter().find(|(known, ..)| *known == name);
        let resolution = parameters.read("resolution", "1m, 1h or 1d is expected", find)?;
        let (_, resolution, hours) = resolution.unwrap_or(RESOLUTIONS[0]);
        let at = parameters.time("at")?.unwrap_or_else(lifecycle::now);
        let beyond =
            |name: &'static str| move |_| Problem::bad_request(name, "it lies beyond the calendar");
        let to = parameters.time("to")?;
        let end = if to.is_some() { "to" } else { "at" };
        let to = to.unwrap_or(at);
        let from = match parameters.time("from")? {
            Some(from) => from,
            None => to.checked_sub(SignedDuration::from_hours(hours)).map_err(beyond(end))?,
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
    fn room(&self) -> i64 {
        let length = self.to.as_microsecond() - self.from.as_microsecond();
        length / self.resolution.width()
    }

    /// A series of these buckets.
    fn series(&self, metric: String, buckets: Vec<Bucket>) -> Series {
        let starts = buckets.iter().map(|bucket| bucket.start);
        let gaps = gaps(starts, self.from, self.to, self.resolution);
        Series { metric, buckets, gaps }
    }
}

/// What was measured of a host, in buckets
#[utoipa::path(get, path = "/v1/perf/{host}", tag = "Hosts", operation_id = "perf",
    params(("host" = String, Path, description = "The host's name, in its case"), Filter),
    responses((status = 200, body = Perf)))]
pub(super) async fn of_host(
    State(pool): State<Pool>,
    segments: Segments<1>,
    Query(filter): Query<Filter>,
) -> Result<Json<Perf>, Problem> {
    let Segments([host]) = segments;
    let client = pool.get().await?;
    let metrics = match &filter.metric {
        Some(metric) => {
            known(&client, &host).await?;
            vec![metric.clone()]
        }
        None => known(&client, &host).await?,
    };
    if filter.room().saturating_mul(metrics.len() as i64) > BUCKETS_MAX {
        let detail = format!(
            "{} buckets of {} metrics are more than {BUCKETS_MAX}: ask for a shorter time, one metric \
             or a longer resolution",
            filter.room(),
            metrics.len()
        );
        return Err(Problem::bad_request("from", detail));
    }
    let rows = client
        .query(
            &format!(
                "-- rollup::perf
                 SELECT metric, start, count, sum::text, min::text, max::text, last::text, sketch,
                        trim_scale(sum / count)::text AS mean
                 FROM rollup.{} WHERE host = $1 AND metric = ANY($2) AND start >= $3 AND start < $4
                 ORDER BY metric, start",
                filter.resolution.table()
            ),
            &[&host, &metrics, &filter.from, &filter.to],
        )
        .await?;
    let mut series: Vec<(String, Vec<Bucket>)> =
        metrics.into_iter().map(|metric| (metric, Vec::new())).collect();
    for row in &rows {
        let metric = row.get::<_, &str>("metric");
        if let Ok(index) = series.binary_search_by(|(known, _)| known.as_str().cmp(metric)) {
            series[index].1.push(bucket(row)?);
        }
    }
    let mut series: Vec<Series> =
        series.into_iter().map(|(metric, buckets)| filter.series(metric, buckets)).collect();
    let content = match (&filter.metric, series.pop()) {
        (Some(_), Some(one)) => Content::One(one),
        (_, last) => {
            series.extend(last);
            Content::All { metrics: series }
        }
    };
    let resolution = RESOLUTIONS.iter().find(|(_, known, _)| *known == filter.resolution);
    Ok(Json(Perf {
        host,
        resolution: resolution.map_or("", |(name, ..)| name),
        from: filter.from,
        to: filter.to,
        content,
    }))
}

/// The metrics of a host, in order.
///
/// # Errors
///
/// 404 when nobody has told of it.
async fn known(client: &Client, host: &str) -> Result<Vec<String>, Problem> {
    let row = client
        .query_one(
            "-- rollup::known
             SELECT array_agg(metric ORDER BY metric),
                    EXISTS (SELECT FROM rollup.rejected WHERE host = $1)
             FROM rollup.series WHERE host = $1",
            &[&host],
        )
        .await?;
    match (row.get(0), row.get(1)) {
        (Some(metrics), _) => Ok(metrics),
        (None, true) => Ok(Vec::new()),
        (None, false) => Err(Problem::not_found("nobody has told of such a host")),
    }
}

fn bucket(row: &Row) -> Result<Bucket, Problem> {
    let sketch = Sketch::from_bytes(row.get("sketch")).map_err(|error| {
        tracing::error!(error = %error, "a row of rollup cannot be read");
        Problem::internal()
    })?;
    let (min, max) = (float(row, "min"), float(row, "max"));
    // A bin's middle may lie beyond the values that are in it.
    let quantile = |q| sketch.quantile(q).unwrap_or(min).clamp(min, max);
    Ok(Bucket {
        start: row.get("start"),
        count: row.get("count"),
        sum: exact(row, "sum")?,
        min: exact(row, "min")?,
        max: exact(row, "max")?,
        mean: exact(row, "mean")?,
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        last: exact(row, "last")?,
    })
}

/// A number, digit for digit.
fn exact(row: &Row, column: &str) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(row.get(column)).map_err(|error| {
        tracing::error!(error = %error, column, "a row of rollup cannot be read");
        Problem::internal()
    })
}

/// The nearest float of a number, which the database spells as Rust does.
fn float(row: &Row, column: &str) -> f64 {
    row.get::<_, &str>(column).parse().unwrap_or_default()
}

/// The times within [from, to) that no bucket covers.
fn gaps(
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
    fn gaps_are_what_no_bucket_covers() {
        let time = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let gaps = |starts: &[i64]| -> Vec<(i64, i64)> {
            let starts = starts.iter().map(|start| time(*start));
            let minute = |time: Timestamp| time.as_second() / 60;
            gaps(starts, time(10), time(20), Resolution::Minute)
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
