//! `/reports/…`

use axum::Json;
use axum::extract;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::format::{Format, ReportParameters};
use super::xml;
use crate::api::State;
use crate::api::v1::deployments::{
    self as v1, find_last_attempt, find_last_generation, load_facts_of_deployment,
    load_facts_of_instance, load_nova_of, show_deployment, show_instance, show_service,
    silence_limit,
};
use crate::http::{Problem, Query, Segments};
use crate::projection::deployment::{Deployments, find_cycles};

/// A deployment: its progress, its failures, and what everything is waiting for
#[utoipa::path(get, path = "/reports/deployment/{deployment_id}", tag = "Reports", operation_id = "report_deployment",
    params(("deployment_id" = String, Path, description = "Its id"), ReportParameters),
    responses((status = 200, content((String = "application/xml"), (v1::Deployment = "application/json")))))]
pub(super) async fn deployment(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    segments: Segments<1>,
    Query(parameters): Query<ReportParameters>,
) -> Result<Response, Problem> {
    let Segments([id]) = segments;
    let mut client = state.read_pool.get().await?;
    let facts = load_facts_of_deployment(&mut client, &id).await?;
    let deployments = Deployments::of(&facts);
    let (last, former) = find_last_generation(&deployments, &id)?;
    if let Some(at) = last.deleted_at {
        return Err(Problem::not_found(format!("this deployment was deleted at {at}")));
    }
    match parameters.format(&headers) {
        Format::Xml => Ok(xml::deployment(&last)),
        Format::Json => {
            let mut nova = load_nova_of(&client, &last.instances).await?;
            let limit = silence_limit(&state, parameters.at);
            let report = show_deployment(&deployments, limit, &last, &former, &mut nova);
            Ok(Json(report).into_response())
        }
    }
}

/// An instance of a deployment, with its services
#[utoipa::path(get, path = "/reports/instance/{instance_id}", tag = "Reports", operation_id = "report_instance",
    params(("instance_id" = String, Path, description = "Its id"), ReportParameters),
    responses((status = 200, content((String = "application/xml"), (v1::Instance = "application/json")))))]
pub(super) async fn instance(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    segments: Segments<1>,
    Query(parameters): Query<ReportParameters>,
) -> Result<Response, Problem> {
    let Segments([id]) = segments;
    let mut client = state.read_pool.get().await?;
    let facts = load_facts_of_instance(&mut client, &id).await?;
    let deployments = Deployments::of(&facts);
    let attempt = find_last_attempt(&deployments, &id)?;
    match parameters.format(&headers) {
        Format::Xml => Ok(xml::instance(&deployments, attempt)),
        Format::Json => {
            let mut nova = load_nova_of(&client, std::slice::from_ref(attempt)).await?;
            let limit = silence_limit(&state, parameters.at);
            let deployment = deployments.generations(&attempt.deployment_id).pop();
            let cycles = deployment
                .map_or_else(Vec::new, |found| find_cycles(&deployments, &found.instances));
            let report = show_instance(&deployments, limit, attempt, &cycles, &mut nova);
            Ok(Json(report).into_response())
        }
    }
}

/// A service of an instance
#[utoipa::path(get, path = "/reports/instance/{instance_id}/service/{name}", tag = "Reports", operation_id = "report_service",
    params(("instance_id" = String, Path, description = "The instance's id"),
        ("name" = String, Path, description = "The service's name"), ReportParameters),
    responses((status = 200, content((String = "application/xml"), (v1::Service = "application/json")))))]
pub(super) async fn service(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    segments: Segments<2>,
    Query(parameters): Query<ReportParameters>,
) -> Result<Response, Problem> {
    let Segments([id, name]) = segments;
    let mut client = state.read_pool.get().await?;
    let facts = load_facts_of_instance(&mut client, &id).await?;
    let deployments = Deployments::of(&facts);
    let attempt = find_last_attempt(&deployments, &id)?;
    let service = attempt
        .find_service(&name)
        .ok_or_else(|| Problem::not_found("the instance has no service of this name"))?;
    Ok(match parameters.format(&headers) {
        Format::Xml => xml::service(&deployments, attempt, service),
        Format::Json => {
            let limit = silence_limit(&state, parameters.at);
            Json(show_service(&deployments, limit, attempt, service)).into_response()
        }
    })
}
