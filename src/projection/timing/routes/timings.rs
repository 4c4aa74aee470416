//! `/v1/timings`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query};
use crate::projection::timing::hours::floor_to_hour;
use crate::projection::timing::read::timings::{self, ExactRow, HourlyRow, TimingQuery};
use crate::sketch;

/// The attribute that operations are grouped by.
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

    /// The dimension of the hourly sums; it is empty for the sums over all dimensions.
    fn dimension(self) -> &'static str {
        match Self::ALL.into_iter().find(|(_, group_by)| *group_by == self) {
            Some((name, group_by)) if group_by != GroupBy::Operation => name,
            _ => "",
        }
    }
}

/// Durations of a group's operations. Only complete operations have one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Timing {
    /// The value they have in common; null if it is unknown.
    group: Option<String>,
    /// The number of all of them.
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

/// A page of groups, and the period they cover.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Timings {
    #[serde(flatten)]
    page: Items<Timing>,
    /// Beginning of the period: a whole hour, except with `exact`.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// End of the period, likewise; not included.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// The operations that count.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Operations of one name, e.g. `create`.
    #[param(required = false)]
    operation: Option<String>,
    /// `operation` unless given.
    #[param(value_type = Option<GroupBy>, inline)]
    group_by: GroupBy,
    /// Operations that started (ended, if the start is missing) then or later; rounded down to the hour.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Operations that started earlier; rounded up to the hour.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Compute from the operations themselves instead of hourly sketches, whose quantiles are within 1 %.
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
            return Err(Problem::bad_request("to", "it is earlier than `from`"));
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
        filter.from = filter.from.map(floor_to_hour);
        filter.to = filter.to.map(ceil_to_hour).transpose()?;
    }
    let after: Option<String> = paging.after()?;
    let query = TimingQuery {
        dimension: filter.group_by.dimension(),
        operation: filter.operation.as_deref(),
        from: filter.from,
        to: filter.to,
        after: after.as_deref(),
        limit: paging.rows(),
    };
    let client = pool.get().await?;
    let items: Vec<Timing> = if filter.exact {
        let rows = timings::sum_operations(&**client, &query).await?;
        rows.into_iter().map(Timing::from).collect()
    } else {
        let rows = timings::sum_hours(&**client, &query).await?;
        rows.into_iter().map(Timing::from).collect()
    };
    let page = paging.page(items, |timing| timing.group.clone().unwrap_or_default());
    Ok(Json(Timings { page, from: filter.from, to: filter.to }))
}

impl From<HourlyRow> for Timing {
    fn from(row: HourlyRow) -> Self {
        let quantile =
            |q| sketch::quantile(&row.bins, &row.bin_counts, q).map(|micros| micros / 1e6);
        let completed: i64 = row.bin_counts.iter().sum();
        let mean_s = (completed > 0).then(|| row.sum_us / completed as f64 / 1e6);
        // The mean is exact and the ends are middles of bins, so the ends are limited by the mean.
        let bounded = |end: Option<f64>, pick: fn(f64, f64) -> f64| Some(pick(end?, mean_s?));
        Timing {
            count: row.count,
            failed: row.failed,
            open: row.open,
            min_s: bounded(quantile(0.0), f64::min),
            mean_s,
            p50_s: quantile(0.5),
            p90_s: quantile(0.9),
            p95_s: quantile(0.95),
            p99_s: quantile(0.99),
            max_s: bounded(quantile(1.0), f64::max),
            group: known_group(row.group),
        }
    }
}

impl From<ExactRow> for Timing {
    fn from(row: ExactRow) -> Self {
        let seconds = |micros: Option<f64>| micros.map(|micros| micros / 1e6);
        let quantiles = row.quantiles_us.unwrap_or_default();
        let quantile = |index: usize| seconds(quantiles.get(index).copied().flatten());
        Timing {
            group: known_group(row.group),
            count: row.count,
            failed: row.failed,
            open: row.open,
            min_s: seconds(row.min_us),
            mean_s: seconds(row.mean_us),
            p50_s: quantile(0),
            p90_s: quantile(1),
            p95_s: quantile(2),
            p99_s: quantile(3),
            max_s: seconds(row.max_us),
        }
    }
}

/// Returns the group, or `None` for the group of unknown values.
fn known_group(group: String) -> Option<String> {
    Some(group).filter(|group| !group.is_empty())
}

/// Rounds a time up to the beginning of a UTC hour.
fn ceil_to_hour(time: Timestamp) -> Result<Timestamp, Problem> {
    if floor_to_hour(time) == time {
        return Ok(time);
    }
    let next = floor_to_hour(time).checked_add(1.hour());
    next.map_err(|_| Problem::bad_request("to", "it is beyond the calendar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_rounded_outwards() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let (begin, end) = (time("2026-11-20T03:00:00Z"), time("2026-11-20T04:00:00Z"));
        assert_eq!(floor_to_hour(time("2026-11-20T03:59:59.999999Z")), begin);
        assert_eq!(ceil_to_hour(time("2026-11-20T03:00:00.000001Z")).unwrap(), end);
        assert_eq!((floor_to_hour(begin), ceil_to_hour(begin).unwrap()), (begin, begin));
        assert!(ceil_to_hour(Timestamp::MAX).is_err());
    }
}
