//! `/v1/timings`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};

use crate::http::{Cursor, FromParameters, Items, Paging, Parameters, Problem, Query};
use crate::projection::timing::hours::hour;
use crate::sketch;

/// What operations are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
enum GroupBy {
    Operation,
    Host,
    Flavor,
    Image,
    ProjectId,
}

impl GroupBy {
    const ALL: [(&str, GroupBy); 5] = [
        ("operation", GroupBy::Operation),
        ("host", GroupBy::Host),
        ("flavor", GroupBy::Flavor),
        ("image", GroupBy::Image),
        ("project_id", GroupBy::ProjectId),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, group_by)| group_by)
    }

    /// The dimension of the hourly sums; the sums as a whole have none.
    fn dimension(self) -> &'static str {
        match Self::ALL.into_iter().find(|(_, group_by)| *group_by == self) {
            Some((name, group_by)) if group_by != GroupBy::Operation => name,
            _ => "",
        }
    }
}

/// How long the operations of a group took. Durations are of those that completed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Timing {
    /// What they have in common; null where that is not known.
    group: Option<String>,
    /// All of them.
    count: i64,
    failed: i64,
    open: i64,
    min_s: Option<f64>,
    mean_s: Option<f64>,
    p50_s: Option<f64>,
    p90_s: Option<f64>,
    p95_s: Option<f64>,
    p99_s: Option<f64>,
    max_s: Option<f64>,
}

/// A page of groups, and the time they are of.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Timings {
    #[serde(flatten)]
    page: Items<Timing>,
    /// From when on, as it was taken: whole hours, but for `exact`.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until when, likewise; not included.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// Which operations count.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of one name, e.g. `create`.
    #[param(required = false)]
    operation: Option<String>,
    /// `operation` unless given.
    #[param(value_type = Option<GroupBy>, inline)]
    group_by: GroupBy,
    /// That started (ended, where the start is missing) then or later; rounded down to the hour.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// That started earlier; rounded up to the hour.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// From the operations themselves instead of hourly sketches, whose quantiles are within 1 %.
    #[param(value_type = Option<bool>, default = false)]
    exact: bool,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let names = GroupBy::ALL.map(|(name, _)| name).join(", ");
        let filter = Filter {
            operation: parameters.text("operation")?,
            group_by: parameters
                .read("group_by", &format!("one of {names} is expected"), GroupBy::parse)?
                .unwrap_or(GroupBy::Operation),
            from: parameters.time("from")?,
            to: parameters.time("to")?,
            exact: parameters.flag("exact")?,
        };
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            return Err(Problem::bad_request("to", "it lies before from"));
        }
        Ok(filter)
    }
}

/// How long operations took, by group
#[utoipa::path(get, path = "/v1/timings", tag = "Timing", operation_id = "timings",
    params(Filter, Paging), responses((status = 200, body = Timings)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((mut filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Timings>, Problem> {
    if !filter.exact {
        filter.from = filter.from.map(hour);
        filter.to = filter.to.map(hour_up).transpose()?;
    }
    let after: Option<String> = paging.after()?;
    let client = pool.get().await?;
    let (sql, read): (_, fn(&Row) -> Timing) = match filter.exact {
        true => (EXACT, exact),
        false => (HOURLY, hourly),
    };
    let dimension = filter.group_by.dimension();
    let rows = client
        .query(
            sql,
            &[&dimension, &filter.operation, &filter.from, &filter.to, &after, &paging.rows()],
        )
        .await?;
    let is_more = rows.len() as i64 > paging.limit;
    let rows = &rows[..rows.len().min(paging.limit as usize)];
    let last = rows.last().filter(|_| is_more);
    let next = last.map(|last| Cursor::new(&last.get::<_, &str>("grp")).to_string());
    let page = Items { items: rows.iter().map(read).collect(), next };
    Ok(Json(Timings { page, from: filter.from, to: filter.to }))
}

const HOURLY: &str = "-- timing::timings
    WITH hours AS (
        SELECT CASE WHEN dimension = '' THEN operation ELSE value END COLLATE \"C\" AS grp, *
        FROM timing.operation_hour
        WHERE dimension = $1 AND ($2::text IS NULL OR operation = $2)
          AND ($3::timestamptz IS NULL OR hour >= $3) AND ($4::timestamptz IS NULL OR hour < $4)
    ), groups AS (
        SELECT grp, sum(count)::bigint AS count, sum(failed)::bigint AS failed,
               sum(open)::bigint AS open, sum(sum_us)::float8 AS sum_us
        FROM hours WHERE $5::text IS NULL OR grp > $5
        GROUP BY grp ORDER BY grp LIMIT $6
    ), bins AS (
        SELECT grp, bin, sum(n)::bigint AS n
        FROM hours, unnest(bins, bin_counts) AS b (bin, n)
        WHERE grp IN (SELECT grp FROM groups) GROUP BY grp, bin
    )
    SELECT g.*, coalesce(b.bins, '{}') AS bins, coalesce(b.counts, '{}') AS bin_counts
    FROM groups g LEFT JOIN (
        SELECT grp, array_agg(bin ORDER BY bin) AS bins, array_agg(n ORDER BY bin) AS counts
        FROM bins GROUP BY grp
    ) b USING (grp) ORDER BY g.grp";

const EXACT: &str = "-- timing::timings exact
    WITH operations AS (
        SELECT coalesce(CASE $1 WHEN '' THEN operation WHEN 'host' THEN host
                                WHEN 'flavor' THEN flavor WHEN 'image' THEN image
                                WHEN 'project_id' THEN project_id END, '') COLLATE \"C\" AS grp,
               status, duration_us
        FROM timing.operation
        WHERE ($2::text IS NULL OR operation = $2)
          AND ($3::timestamptz IS NULL OR at >= $3)
          AND ($4::timestamptz IS NULL OR at < $4)
    ), timed AS (
        SELECT grp, status, CASE WHEN status = 'complete' THEN duration_us END AS us FROM operations
        WHERE $5::text IS NULL OR grp > $5
    )
    SELECT grp, count(*) AS count, count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'open') AS open,
           min(us)::float8 AS min, avg(us)::float8 AS mean, max(us)::float8 AS max,
           percentile_cont('{0.5, 0.9, 0.95, 0.99}'::float8[]) WITHIN GROUP (ORDER BY us) AS quantiles
    FROM timed GROUP BY grp ORDER BY grp LIMIT $6";

fn hourly(row: &Row) -> Timing {
    let (bins, counts): (Vec<i32>, Vec<i64>) = (row.get("bins"), row.get("bin_counts"));
    let quantile = |q| sketch::quantile(&bins, &counts, q).map(|micros| micros / 1e6);
    let completed: i64 = counts.iter().sum();
    let sum: f64 = row.get("sum_us");
    let mean_s = (completed > 0).then(|| sum / completed as f64 / 1e6);
    // The mean is exact, the ends are middles of bins: they are not let pass it.
    let bounded = |end: Option<f64>, pick: fn(f64, f64) -> f64| Some(pick(end?, mean_s?));
    Timing {
        group: group(row),
        count: row.get("count"),
        failed: row.get("failed"),
        open: row.get("open"),
        min_s: bounded(quantile(0.0), f64::min),
        mean_s,
        p50_s: quantile(0.5),
        p90_s: quantile(0.9),
        p95_s: quantile(0.95),
        p99_s: quantile(0.99),
        max_s: bounded(quantile(1.0), f64::max),
    }
}

fn exact(row: &Row) -> Timing {
    let column = |name| row.get::<_, Option<f64>>(name).map(|micros| micros / 1e6);
    let quantiles: Option<Vec<Option<f64>>> = row.get("quantiles");
    let quantiles = quantiles.unwrap_or_default();
    let quantile = |index: usize| quantiles.get(index).copied().flatten().map(|us| us / 1e6);
    Timing {
        group: group(row),
        count: row.get("count"),
        failed: row.get("failed"),
        open: row.get("open"),
        min_s: column("min"),
        mean_s: column("mean"),
        p50_s: quantile(0),
        p90_s: quantile(1),
        p95_s: quantile(2),
        p99_s: quantile(3),
        max_s: column("max"),
    }
}

fn group(row: &Row) -> Option<String> {
    Some(row.get("grp")).filter(|group: &String| !group.is_empty())
}

/// The hour that begins at the time or next after it.
fn hour_up(time: Timestamp) -> Result<Timestamp, Problem> {
    if hour(time) == time {
        return Ok(time);
    }
    let next = hour(time).checked_add(1.hour());
    next.map_err(|_| Problem::bad_request("to", "it lies beyond the calendar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_rounded_outwards() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let (begin, end) = (time("2026-11-20T03:00:00Z"), time("2026-11-20T04:00:00Z"));
        assert_eq!(hour(time("2026-11-20T03:59:59.999999Z")), begin);
        assert_eq!(hour_up(time("2026-11-20T03:00:00.000001Z")).unwrap(), end);
        assert_eq!((hour(begin), hour_up(begin).unwrap()), (begin, begin));
        assert!(hour_up(Timestamp::MAX).is_err());
    }
}
