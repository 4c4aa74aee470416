//! `POST /collect_usage` and `/last_collected`. Usage is collected all the time; these report how far.

use std::time::Duration;

use axum::Json;
use axum::extract;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::time::distil_time;
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{NoParameters, Problem, Query};
use crate::log;
use crate::projection::metering::{PROJECTION, Reader, read};
use crate::projection::{self, Status};

/// How long a request waits for the projection, and how long a statement may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The time up to which usage is complete, by tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct UsageCollection {
    /// All tenants with samples.
    tenants: Vec<Tenant>,
    /// Always 0, a field of Distil: where it would count errors, the answer here is 503.
    errors: u64,
    /// Usage includes all samples up to this position of the log.
    position: i64,
}

/// A tenant, whose usage is known from `start` to `end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Tenant {
    /// The tenant's id.
    id: String,
    /// Always true.
    updated: bool,
    /// The time of the first sample, UTC.
    start: String,
    /// The time of the last one, UTC.
    end: String,
    /// As `start`, to the µs.
    #[schema(value_type = String, format = DateTime)]
    first_at: Timestamp,
    /// As `end`, to the µs.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

/// Wait until usage includes all samples received so far, and report how far each tenant's usage is known
///
/// Nothing has to be collected: usage is computed as samples arrive. 503 if the samples that are in the
/// log now are not all projected within 15 seconds.
#[utoipa::path(post, path = "/collect_usage", tag = "Usage", operation_id = "collect_usage",
    responses((status = 200, body = UsageCollection)))]
pub(super) async fn collect_usage(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
) -> Result<Json<UsageCollection>, Problem> {
    let mut reader = Reader::open(&state.database, TIMEOUT).await?;
    reader.wait_until_applied(&state.file, TIMEOUT).await?;
    let snapshot = reader.snapshot(&state.file).await?;
    let tenants = read::tenants(&snapshot.tx, None, None).await?;
    let tenant = |tenant: read::Tenant| Tenant {
        id: tenant.tenant_id,
        updated: true,
        start: distil_time(tenant.first_at, 'T'),
        end: distil_time(tenant.last_at, 'T'),
        first_at: tenant.first_at,
        last_at: tenant.last_at,
    };
    let tenants = tenants.into_iter().map(tenant).collect();
    Ok(Json(UsageCollection { tenants, errors: 0, position: snapshot.live.position }))
}

/// The time up to which usage includes all samples received.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LastCollection {
    /// UTC, to the second; null if samples have never been projected.
    last_collected: Option<String>,
    /// The same, to the µs.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Usage includes all samples up to this position of the log.
    position: i64,
    /// The log's last position.
    head: i64,
}

/// The time up to which usage includes all samples received: now, or when the first arrived that is not
/// included
#[utoipa::path(get, path = "/last_collected", tag = "Usage", operation_id = "last_collected", params(Clock),
    responses((status = 200, body = LastCollection)))]
pub(super) async fn last_collected(
    extract::State(state): extract::State<State>,
    Query(clock): Query<Clock>,
) -> Result<Json<LastCollection>, Problem> {
    let client = state.pool.get().await?;
    let statuses = projection::statuses(&**client, clock.at).await?;
    let is_metering = |status: &Status| status.is_live && status.name == PROJECTION.name;
    let Some(status) = statuses.into_iter().find(is_metering) else {
        let (head, _) = log::read_head(&client).await?;
        return Ok(Json(LastCollection { last_collected: None, at: None, position: 0, head }));
    };
    let lag = SignedDuration::try_from_secs_f64(status.lag_s).unwrap_or_default();
    let at = clock.at.checked_sub(lag).unwrap_or(clock.at);
    Ok(Json(LastCollection {
        last_collected: Some(distil_time(at, ' ')),
        at: Some(at),
        position: status.checkpoint,
        head: status.head,
    }))
}
