//! `POST /collect_usage` and `/last_collected`: usage is collected all the time; these say how far.

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
use crate::projection::metering::{PROJECTION, Session};
use crate::projection::{self, Status};

/// How long a request waits for the projection.
const PATIENCE: Duration = Duration::from_secs(15);

/// How far usage is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Collected {
    /// Every tenant there are samples of.
    tenants: Vec<Tenant>,
    /// Distil's; what is not projected is 503 here.
    errors: u64,
    /// Everything up to this position of the log is in it.
    position: i64,
}

/// A tenant's usage is known from `start` to `end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Tenant {
    id: String,
    /// Always.
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

/// Make sure that all samples that came so far are in usage, and say how far each tenant has got
///
/// Nothing has to be collected: usage is computed as samples arrive. 503 when not everything that is
/// in the log now is projected within a while.
#[utoipa::path(post, path = "/collect_usage", tag = "Usage", operation_id = "collect_usage",
    responses((status = 200, body = Collected)))]
pub(super) async fn collect_usage(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
) -> Result<Json<Collected>, Problem> {
    let mut session = Session::open(&state.database, PATIENCE).await?;
    session.catch_up(&state.file, PATIENCE).await?;
    let snapshot = session.snapshot(&state.file).await?;
    let rows = snapshot
        .tx
        .query(
            "-- usage::collected
             SELECT project_id, min(first_at), max(last_at) FROM metering.resource
             WHERE project_id IS NOT NULL GROUP BY project_id ORDER BY project_id",
            &[],
        )
        .await?;
    let tenants = rows.iter().map(|row| {
        let (first_at, last_at): (Timestamp, Timestamp) = (row.get(1), row.get(2));
        Tenant {
            id: row.get(0),
            updated: true,
            start: distil_time(first_at, 'T'),
            end: distil_time(last_at, 'T'),
            first_at,
            last_at,
        }
    });
    Ok(Json(Collected { tenants: tenants.collect(), errors: 0, position: snapshot.position }))
}

/// Until when everything that came is in usage.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LastCollected {
    /// UTC, to the second; null where nobody has projected samples yet.
    last_collected: Option<String>,
    /// The same, to the µs.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// The log's position up to which it is.
    position: i64,
    /// The log's last position.
    head: i64,
}

/// Until when everything that came is in usage: now, or when the first came that is not
#[utoipa::path(get, path = "/last_collected", tag = "Usage", operation_id = "last_collected", params(Clock),
    responses((status = 200, body = LastCollected)))]
pub(super) async fn last_collected(
    extract::State(state): extract::State<State>,
    Query(clock): Query<Clock>,
) -> Result<Json<LastCollected>, Problem> {
    let client = state.pool.get().await?;
    let statuses = projection::statuses(&**client, clock.at).await?;
    let is_ours = |status: &Status| status.is_live && status.name == PROJECTION.name;
    let Some(status) = statuses.into_iter().find(is_ours) else {
        let (head, _) = log::read_head(&client).await?;
        return Ok(Json(LastCollected { last_collected: None, at: None, position: 0, head }));
    };
    let lag = SignedDuration::try_from_secs_f64(status.lag_s).unwrap_or_default();
    let at = clock.at.checked_sub(lag).unwrap_or(clock.at);
    Ok(Json(LastCollected {
        last_collected: Some(distil_time(at, ' ')),
        at: Some(at),
        position: status.checkpoint,
        head: status.head,
    }))
}
