//! `/reports/…` and `/v1/deployments/{deployment_id}`

use axum::Json;
use axum::extract;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use deadpool_postgres::{Object, Transaction};

use super::format::{Asking, Format};
use super::shape::{self, ByInstance};
use super::{view, xml};
use crate::api::State;
use crate::api::clock::Clock;
use crate::http::{Problem, Query, Segments};
use crate::projection::deployment::{self as model, Asked, Attempt, Deployment, Fact, World};
use crate::projection::timing::routes::load_nova;

/// A deployment: what is done, what failed, and what everything is waiting for
#[utoipa::path(get, path = "/reports/deployment/{deployment_id}", tag = "Reports", operation_id = "report_deployment",
    params(("deployment_id" = String, Path, description = "Its id"), Asking),
    responses((status = 200, content((String = "application/xml"), (view::Deployment = "application/json")))))]
pub(super) async fn deployment(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    segments: Segments<1>,
    Query(asking): Query<Asking>,
) -> Result<Response, Problem> {
    let Segments([id]) = segments;
    let mut client = state.pool.get().await?;
    let facts = model::of_deployment(&*snapshot(&mut client).await?, &id).await?;
    let world = World::of(&facts);
    let (current, former) = last(&world, &id)?;
    if let Some(at) = current.deleted_at {
        return Err(Problem::not_found(format!("this deployment was deleted at {at}")));
    }
    match format(&asking, &headers) {
        Format::Xml => Ok(xml::deployment(&current)),
        Format::Json => {
            let mut nova = of_nova(&client, &current.instances).await?;
            let asked = asked(&state, asking.at);
            let shown = shape::deployment(&world, asked, &current, &former, &mut nova);
            Ok(Json(shown).into_response())
        }
    }
}

/// An instance of a deployment, with its services
#[utoipa::path(get, path = "/reports/instance/{instance_id}", tag = "Reports", operation_id = "report_instance",
    params(("instance_id" = String, Path, description = "Its id"), Asking),
    responses((status = 200, content((String = "application/xml"), (view::Instance = "application/json")))))]
pub(super) async fn instance(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    segments: Segments<1>,
    Query(asking): Query<Asking>,
) -> Result<Response, Problem> {
    let Segments([id]) = segments;
    let mut client = state.pool.get().await?;
    let facts = of_instance(&mut client, &id).await?;
    let world = World::of(&facts);
    let attempt = registered(&world, &id)?;
    match format(&asking, &headers) {
        Format::Xml => Ok(xml::instance(&world, attempt)),
        Format::Json => {
            let mut nova = of_nova(&client, std::slice::from_ref(attempt)).await?;
            let asked = asked(&state, asking.at);
            let deployment = world.deployments(&attempt.deployment_id).pop();
            let cycles =
                deployment.map_or_else(Vec::new, |found| model::cycles(&world, &found.instances));
            let shown = shape::instance(&world, asked, attempt, &cycles, &mut nova);
            Ok(Json(shown).into_response())
        }
    }
}

/// A service of an instance
#[utoipa::path(get, path = "/reports/instance/{instance_id}/service/{name}", tag = "Reports", operation_id = "report_service",
    params(("instance_id" = String, Path, description = "The instance's id"),
        ("name" = String, Path, description = "The service's name"), Asking),
    responses((status = 200, content((String = "application/xml"), (view::Service = "application/json")))))]
pub(super) async fn service(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    segments: Segments<2>,
    Query(asking): Query<Asking>,
) -> Result<Response, Problem> {
    let Segments([id, name]) = segments;
    let mut client = state.pool.get().await?;
    let facts = of_instance(&mut client, &id).await?;
    let world = World::of(&facts);
    let attempt = registered(&world, &id)?;
    let service = attempt.services.iter().find(|service| service.name == name);
    let service =
        service.ok_or_else(|| Problem::not_found("the instance has no service of this name"))?;
    Ok(match format(&asking, &headers) {
        Format::Xml => xml::service(&world, attempt, service),
        Format::Json => {
            let asked = asked(&state, asking.at);
            Json(shape::service(&world, asked, attempt, service)).into_response()
        }
    })
}

/// One deployment with all that is in it, also when it was deleted
#[utoipa::path(get, path = "/v1/deployments/{deployment_id}", tag = "Reports", operation_id = "deployment",
    params(("deployment_id" = String, Path, description = "Its id"), Clock),
    responses((status = 200, body = view::Deployment)))]
pub(super) async fn tree(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    Query(clock): Query<Clock>,
) -> Result<Json<view::Deployment>, Problem> {
    let Segments([id]) = segments;
    let mut client = state.pool.get().await?;
    let facts = model::of_deployment(&*snapshot(&mut client).await?, &id).await?;
    let world = World::of(&facts);
    let (current, former) = last(&world, &id)?;
    let mut nova = of_nova(&client, &current.instances).await?;
    let asked = asked(&state, clock.at);
    Ok(Json(shape::deployment(&world, asked, &current, &former, &mut nova)))
}

/// How long a silence may last, and until when.
pub(super) fn asked(state: &State, at: jiff::Timestamp) -> Asked {
    Asked { at, abandoned_after: state.file.reports.abandoned_after }
}

fn format(asking: &Asking, headers: &HeaderMap) -> Format {
    asking.format.unwrap_or_else(|| Format::accepted(headers))
}

/// One moment of the rows: a report takes several questions.
async fn snapshot(client: &mut Object) -> Result<Transaction<'_>, tokio_postgres::Error> {
    let read = client.build_transaction().read_only(true);
    read.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead).start().await
}

async fn of_instance(client: &mut Object, id: &str) -> Result<Vec<Fact>, Problem> {
    let facts = model::of_instance(&*snapshot(client).await?, id).await?;
    let (_, facts) = facts.ok_or_else(unknown_instance)?;
    Ok(facts)
}

/// What Nova and recipes tell of the instances.
async fn of_nova(client: &Object, attempts: &[Attempt]) -> Result<ByInstance, Problem> {
    let ids: Vec<&str> = attempts.iter().map(|attempt| attempt.instance_id.as_str()).collect();
    Ok(load_nova(&***client, &ids).await?)
}

/// The deployment of that id, and those before it.
fn last(world: &World<'_>, id: &str) -> Result<(Deployment, Vec<Deployment>), Problem> {
    let mut all = world.deployments(id);
    let current = all.pop();
    let current =
        current.ok_or_else(|| Problem::not_found("nothing was heard of this deployment"))?;
    Ok((current, all))
}

/// The instance of that id, as it was last registered.
fn registered<'a>(world: &'a World<'_>, id: &str) -> Result<&'a Attempt, Problem> {
    let attempt = world.story(id).last().ok_or_else(unknown_instance)?;
    if world.is_deleted(attempt) {
        return Err(Problem::not_found("this instance's deployment was deleted"));
    }
    Ok(attempt)
}

fn unknown_instance() -> Problem {
    Problem::not_found("this instance is not registered with any deployment")
}
