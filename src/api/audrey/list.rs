//! `/v1/deployments`

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};

use super::show::asked;
use crate::api::State;
use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query, time_of};
use crate::lifecycle;
use crate::projection::deployment::{State as Stage, Status, state_sql};

/// A deployment, as a whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Deployment)]
pub(super) struct Summary {
    deployment_id: String,
    name: Option<String>,
    /// Whose it is, where Heat told.
    project_id: Option<String>,
    /// Counts from 1; the ones before it were deleted.
    generation: i32,
    /// The worst of its services: `error`, `incomplete` or `success`; null where it has none.
    status: Option<String>,
    /// `declared`, `registered`, `contacted`, `configuring`, `complete`, `failed`, `abandoned` or
    /// `deleted`.
    state: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    declared_at: Option<Timestamp>,
    /// When its last instance was registered; else when it was declared, or first heard of.
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Timestamp>,
    /// The first thing heard of it.
    #[schema(value_type = String, format = DateTime)]
    first_at: Timestamp,
    /// The last thing heard of it and its instances.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
    /// How many instances are registered with it.
    instances: i32,
    /// How many were declared and are not.
    missing: i32,
    /// How many services its instances have.
    services: i32,
}

impl From<&Row> for Summary {
    fn from(row: &Row) -> Self {
        Summary {
            deployment_id: row.get("deployment_id"),
            name: row.get("name"),
            project_id: row.get("project_id"),
            generation: row.get("generation"),
            status: row.get("status"),
            state: row.get("state_now"),
            declared_at: row.get("declared_at"),
            registered_at: row.get("registered_at"),
            completed_at: row.get("completed_at"),
            deleted_at: row.get("deleted_at"),
            first_at: row.get("first_at"),
            last_at: row.get("last_at"),
            instances: row.get("instances"),
            missing: row.get("missing"),
            services: row.get("services"),
        }
    }
}

/// Which deployments are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of one status (`error`, `incomplete`, `success`) or state (`declared`, `registered`,
    /// `contacted`, `configuring`, `complete`, `failed`, `abandoned`, `deleted`).
    #[param(value_type = Option<String>)]
    status: Option<Wanted>,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Timestamp,
}

/// A word of either kind; no word is of both.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Status(&'static str),
    State(&'static str),
}

impl Wanted {
    fn parse(text: &str) -> Option<Wanted> {
        let mut statuses =
            [Status::Error, Status::Incomplete, Status::Success].into_iter().map(Status::as_str);
        let mut states = Stage::ALL.into_iter().map(Stage::as_str);
        let status = statuses.find(|word| *word == text).map(Wanted::Status);
        status.or_else(|| states.find(|word| *word == text).map(Wanted::State))
    }
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let expected = "error, incomplete or success is expected, or declared, registered, \
            contacted, configuring, complete, failed, abandoned or deleted";
        Ok(Filter {
            status: parameters.read("status", expected, Wanted::parse)?,
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
        })
    }
}

/// Deployments, those first heard of last first
#[utoipa::path(get, path = "/v1/deployments", tag = "Reports", operation_id = "deployments",
    params(Filter, Paging), responses((status = 200, body = Items<Summary>)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Summary>>, Problem> {
    let after: Option<(i64, String)> = paging.after()?;
    let after_at = after.as_ref().map(|(at, _)| time_of(*at)).transpose()?;
    let after_id = after.map(|(_, id)| id);
    // Before the calendar's beginning nothing was heard.
    let silent_since = asked(&state, filter.at).silent_since().max(Timestamp::UNIX_EPOCH);
    let (status, stage) = match filter.status {
        None => (None, None),
        Some(Wanted::Status(word)) => (Some(word), None),
        Some(Wanted::State(word)) => (None, Some(word)),
    };
    let state_now = state_sql("$1");
    let rows = state
        .pool
        .get()
        .await?
        .query(
            &format!(
                "-- deployment::list
                 SELECT *, {state_now} AS state_now FROM deployment.deployment
                 WHERE ($2::text IS NULL OR status = $2)
                   AND ($3::text IS NULL OR {state_now} = $3)
                   AND ($4::timestamptz IS NULL OR (first_at, deployment_id) < ($4, $5::text))
                 ORDER BY first_at DESC, deployment_id DESC LIMIT $6"
            ),
            &[&silent_since, &status, &stage, &after_at, &after_id, &paging.rows()],
        )
        .await?;
    let items = rows.iter().map(Summary::from).collect();
    Ok(Json(paging.page(items, |deployment: &Summary| {
        (deployment.first_at.as_microsecond(), deployment.deployment_id.clone())
    })))
}
