//! `/v1/hosts`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query, seconds};
use crate::lifecycle;
use crate::projection::rollup::read::{HostRow, list_hosts, list_rejections};

/// How far a host's clock may be ahead. Clocks that are a few minutes ahead are common.
const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);

/// A host that sent samples.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Host {
    /// Its name, in the case in which it was sent.
    host: String,
    /// The metrics ever measured on it, by name.
    metrics: Vec<String>,
    /// The earliest time of a sample; null if no value of it counts.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_at: Option<Timestamp>,
    /// The latest time of a sample that is at most ten minutes after `at`; the time of its arrival, if the host's
    /// clock was ahead.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    /// The age of `last_at`; negative if the host's clock was ahead of ours and `at` is before the arrival.
    last_age_s: Option<f64>,
    /// The latest time of a sample if that is more than ten minutes after `at`: the host's clock is wrong, or `at`
    /// is long past.
    #[schema(value_type = Option<String>, format = DateTime)]
    future_at: Option<Timestamp>,
    /// Whether it has been silent for longer than `stale_after_s`.
    stale: bool,
    /// The values that do not count, by reason.
    rejected: Vec<RejectedValues>,
}

/// Values that do not count, for one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RejectedValues {
    /// Null if none was named.
    metric: Option<String>,
    /// The reason, one clause.
    reason: String,
    count: i64,
    /// The latest time of such a value.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    /// The event of the log that contains it.
    last_event_id: Uuid,
}

/// The rule by which hosts are stale.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// The seconds of silence after which a host is stale.
    #[param(value_type = Option<f64>, minimum = 0, default = 300)]
    stale_after_s: SignedDuration,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Timestamp,
}

/// The silence after which a host is stale, unless given.
const STALE_AFTER_DEFAULT: SignedDuration = SignedDuration::from_secs(300);

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter {
            stale_after_s: parameters.seconds("stale_after_s")?.unwrap_or(STALE_AFTER_DEFAULT),
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
        })
    }
}

impl Filter {
    /// The time after which samples are of the future.
    fn future(&self) -> Timestamp {
        self.at.checked_add(CLOCK_AHEAD_MAX).unwrap_or(Timestamp::MAX)
    }

    fn show(&self, row: HostRow, rejected: Vec<RejectedValues>) -> Host {
        let age = row.alive_at.map(|last| self.at.duration_since(last));
        Host {
            host: row.host,
            metrics: row.metrics,
            first_at: row.first_at,
            last_at: row.alive_at,
            last_age_s: age.map(|age| seconds(age.as_micros() as i64)),
            future_at: row.latest_at.filter(|latest| *latest > self.future()),
            stale: age.is_none_or(|age| age > self.stale_after_s),
            rejected,
        }
    }
}

/// Hosts that sent samples, by name
#[utoipa::path(get, path = "/v1/hosts", tag = "Hosts", operation_id = "hosts",
    params(Filter, Paging), responses((status = 200, body = Items<Host>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Host>>, Problem> {
    let after: Option<String> = paging.after()?;
    let client = pool.get().await?;
    let hosts = list_hosts(&**client, filter.future(), after.as_deref(), paging.rows()).await?;
    let names: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
    let mut rejected = HashMap::<String, Vec<RejectedValues>>::new();
    for row in list_rejections(&**client, &names).await? {
        rejected.entry(row.host).or_default().push(RejectedValues {
            metric: row.metric,
            reason: row.reason,
            count: row.count,
            last_at: row.last_at,
            last_event_id: row.last_id,
        });
    }
    let items = hosts
        .into_iter()
        .map(|host| {
            let rejected = rejected.remove(&host.host);
            filter.show(host, rejected.unwrap_or_default())
        })
        .collect();
    Ok(Json(paging.page(items, |host: &Host| host.host.clone())))
}
