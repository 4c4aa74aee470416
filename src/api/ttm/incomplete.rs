//! `incompletebuilds`: what has begun and not ended.

use axum::Json;
use axum::extract;
use serde::Serialize;
use utoipa::ToSchema;

use super::metric::{IS_KNOWN, LIST_MAX};
use super::{Unheeded, iso};
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Problem, Query};

/// An instance whose build has not ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmIncomplete)]
struct Incomplete {
    instance_id: String,
    instance_start_time: String,
}

/// Builds that have not ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(non_snake_case, reason = "the names are TTM's")]
#[schema(as = TtmIncompleteBuilds)]
pub(super) struct IncompleteBuilds {
    instances: Vec<Incomplete>,
    /// Instances that TTM knows.
    Total_Instances: i64,
    /// Those whose build has not ended.
    VMinPostBuildState: i64,
    CurrentTime: String,
}

/// Builds that were reported to begin and not to end, the newest first
#[utoipa::path(get, path = "/ttm/api/v1.0/incompletebuilds", tag = "TTM",
    operation_id = "ttm_incompletebuilds", params(Clock),
    responses((status = 200, body = IncompleteBuilds)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    Query((clock, Unheeded)): Query<(Clock, Unheeded)>,
) -> Result<Json<IncompleteBuilds>, Problem> {
    let client = state.pool.get().await?;
    let rows = client
        .query(
            &format!(
                "-- ttm::incompletebuilds
                 SELECT * FROM (
                     SELECT instance_id, reported_at, least(ttm_first_at, announced_at) AS started_at,
                            coalesce(ttm_end_time, '') = '' AND ended_at IS NULL AS is_open,
                            count(*) OVER () AS total
                     FROM timing.instance WHERE {IS_KNOWN}
                 ) AS known WHERE started_at IS NOT NULL AND is_open
                 ORDER BY reported_at DESC, instance_id DESC LIMIT {LIST_MAX}"
            ),
            &[],
        )
        .await?;
    let total = match rows.first() {
        Some(row) => row.get("total"),
        None => count(&client).await?,
    };
    let instances = rows.iter().map(|row| Incomplete {
        instance_id: row.get("instance_id"),
        instance_start_time: iso(row.get("started_at")),
    });
    Ok(Json(IncompleteBuilds {
        instances: instances.collect(),
        Total_Instances: total,
        VMinPostBuildState: rows.len() as i64,
        CurrentTime: iso(clock.at),
    }))
}

async fn count(client: &tokio_postgres::Client) -> Result<i64, tokio_postgres::Error> {
    let sql = format!("-- ttm::count\nSELECT count(*) FROM timing.instance WHERE {IS_KNOWN}");
    Ok(client.query_one(&sql, &[]).await?.get(0))
}
