//! `incompletebuilds`: builds that have begun and not ended.

use axum::Json;
use axum::extract;
use serde::Serialize;
use utoipa::ToSchema;

use super::format::iso;
use super::parameters::CacheBuster;
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Problem, Query};
use crate::projection::timing::read::ttm;

/// An instance whose build has not ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmIncomplete)]
struct IncompleteBuild {
    instance_id: String,
    instance_start_time: String,
}

/// Builds that have not ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(non_snake_case, reason = "the names are TTM's")]
#[schema(as = TtmIncompleteBuilds)]
pub(super) struct IncompleteBuilds {
    instances: Vec<IncompleteBuild>,
    /// The number of instances that TTM knows.
    Total_Instances: i64,
    /// The number of instances whose build has not ended.
    VMinPostBuildState: i64,
    CurrentTime: String,
}

/// Builds that were reported to begin and not to end, the newest first
#[utoipa::path(get, path = "/ttm/api/v1.0/incompletebuilds", tag = "TTM",
    operation_id = "ttm_incompletebuilds", params(Clock),
    responses((status = 200, body = IncompleteBuilds)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    Query((clock, CacheBuster)): Query<(Clock, CacheBuster)>,
) -> Result<Json<IncompleteBuilds>, Problem> {
    let client = state.pool.get().await?;
    let open = ttm::list_open_builds(&**client).await?;
    let count = open.builds.len() as i64;
    let instances = open.builds.into_iter().map(|build| IncompleteBuild {
        instance_id: build.instance_id,
        instance_start_time: iso(build.started_at),
    });
    Ok(Json(IncompleteBuilds {
        instances: instances.collect(),
        Total_Instances: open.known_instances,
        VMinPostBuildState: count,
        CurrentTime: iso(clock.at),
    }))
}
