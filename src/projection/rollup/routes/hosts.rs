//! `/v1/hosts`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query, seconds};
use crate::lifecycle;

/// A host that has told of itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Host {
    /// Its name, in the case it was sent in.
    host: String,
    /// What was ever measured of it, by name.
    metrics: Vec<String>,
    /// The earliest time of a sample; null where no value of it counts.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_at: Option<Timestamp>,
    /// The latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    /// How long ago that was; negative where the host's clock is ahead.
    last_age_s: Option<f64>,
    /// Whether it has said nothing for longer than `stale_after_s`.
    stale: bool,
    /// Values that do not count, by the reason why.
    rejected: Vec<Rejected>,
}

/// Values that do not count for one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RejectedValues)]
struct Rejected {
    /// Null where none was named.
    metric: Option<String>,
    /// Why, one clause.
    reason: String,
    count: i64,
    /// The latest time of one of them.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    /// The event of the log that told it.
    last_event_id: Uuid,
}

/// How hosts are judged.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// After how many seconds of silence a host is stale.
    #[param(value_type = Option<f64>, minimum = 0, default = 300)]
    stale_after_s: SignedDuration,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Timestamp,
}

/// What is stale unless something else is said: five minutes.
const STALE_AFTER: SignedDuration = SignedDuration::from_secs(300);

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter {
            stale_after_s: parameters.seconds("stale_after_s")?.unwrap_or(STALE_AFTER),
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
        })
    }
}

impl Filter {
    fn host(&self, row: &Row, rejected: Vec<Rejected>) -> Host {
        let last_at: Option<Timestamp> = row.get("last_at");
        let age = last_at.map(|last| self.at.duration_since(last));
        Host {
            host: row.get("host"),
            metrics: row.get("metrics"),
            first_at: row.get("first_at"),
            last_at,
            last_age_s: age.map(|age| seconds(age.as_micros() as i64)),
            stale: age.is_none_or(|age| age > self.stale_after_s),
            rejected,
        }
    }
}

/// Hosts that have told of themselves, by name
#[utoipa::path(get, path = "/v1/hosts", tag = "Hosts", operation_id = "hosts",
    params(Filter, Paging), responses((status = 200, body = Items<Host>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Host>>, Problem> {
    let after: Option<String> = paging.after()?;
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- rollup::hosts
             WITH page AS (
                 SELECT host FROM (SELECT host FROM rollup.series UNION
                                   SELECT host FROM rollup.rejected) AS h
                 WHERE $1::text IS NULL OR host > $1 ORDER BY host LIMIT $2
             )
             SELECT p.host, s.* FROM page AS p, LATERAL (
                 SELECT coalesce(array_agg(metric ORDER BY metric), '{}') AS metrics,
                        min(first_at) AS first_at, max(last_at) AS last_at
                 FROM rollup.series WHERE host = p.host
             ) AS s ORDER BY p.host",
            &[&after, &paging.rows()],
        )
        .await?;
    let hosts: Vec<&str> = rows.iter().map(|row| row.get("host")).collect();
    let refused = client
        .query(
            "-- rollup::rejected_of
             SELECT host, metric, reason, sum(count)::bigint AS count,
                    (array_agg(last_at ORDER BY last_at DESC NULLS LAST, last_id DESC))[1] AS last_at,
                    (array_agg(last_id ORDER BY last_at DESC NULLS LAST, last_id DESC))[1] AS last_id
             FROM rollup.rejected WHERE host = ANY($1)
             GROUP BY host, metric, reason ORDER BY host, metric NULLS FIRST, reason",
            &[&hosts],
        )
        .await?;
    let mut rejected = HashMap::<&str, Vec<Rejected>>::new();
    for row in &refused {
        rejected.entry(row.get("host")).or_default().push(Rejected {
            metric: row.get("metric"),
            reason: row.get("reason"),
            count: row.get("count"),
            last_at: row.get("last_at"),
            last_event_id: row.get("last_id"),
        });
    }
    let host = |row: &Row| {
        let rejected = rejected.remove(row.get::<_, &str>("host"));
        filter.host(row, rejected.unwrap_or_default())
    };
    let items = rows.iter().map(host).collect();
    Ok(Json(paging.page(items, |host: &Host| host.host.clone())))
}
