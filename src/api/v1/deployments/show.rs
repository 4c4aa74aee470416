//! `/v1/deployments/{deployment_id}`

use axum::Json;
use axum::extract;

use super::{load, shape, view};
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Problem, Query, Segments};
use crate::projection::deployment::Deployments;

/// A deployment with all its instances, even if it was deleted
#[utoipa::path(get, path = "/v1/deployments/{deployment_id}", tag = "Reports", operation_id = "deployment",
    params(("deployment_id" = String, Path, description = "Its id"), Clock),
    responses((status = 200, body = view::Deployment)))]
pub(super) async fn show(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    Query(clock): Query<Clock>,
) -> Result<Json<view::Deployment>, Problem> {
    let Segments([id]) = segments;
    let mut client = state.read_pool.get().await?;
    let facts = load::load_facts_of_deployment(&mut client, &id).await?;
    let deployments = Deployments::of(&facts);
    let (last, former) = load::find_last_generation(&deployments, &id)?;
    let mut nova = load::load_nova_of(&client, &last.instances).await?;
    let limit = load::silence_limit(&state, clock.at);
    Ok(Json(shape::show_deployment(&deployments, limit, &last, &former, &mut nova)))
}
