//! `/v1/instances`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::{CursorTime, FromParameters, Items, Paging, Parameters, Problem, Query, seconds};
use crate::projection::timing::read::instances::{self, BuildRow, InstanceQuery, InstanceRow};

/// The build of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Build {
    /// `building`, `bootstrapping`, `complete` or `failed`; null if no event is about a build.
    status: Option<String>,
    /// The first start.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When the bootstrap began, if there is one.
    #[schema(value_type = Option<String>, format = DateTime)]
    bootstrap_started_at: Option<Timestamp>,
    /// The last end; null for a complete build if its end was lost and the time of the launch is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Whether the message of the end was lost, and a later one shows that the instance was launched.
    end_inferred: bool,
    /// The user's wait: from the first start to the last end, failed attempts included.
    duration_s: Option<f64>,
    /// The duration of the successful attempt alone, else of the last one.
    spawn_s: Option<f64>,
    /// The number of attempts.
    attempts: i32,
    /// Why it failed.
    error: Option<String>,
}

/// An instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Instance {
    /// Its id.
    instance_id: String,
    name: Option<String>,
    project_id: Option<String>,
    host: Option<String>,
    flavor: Option<String>,
    image: Option<String>,
    /// Nova's state of it.
    state: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Timestamp>,
    /// The time of the first event about it.
    #[schema(value_type = String, format = DateTime)]
    first_at: Timestamp,
    /// The time of the last event about it.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
    build: Build,
    /// Clocks disagree: a duration that would be negative is shown as 0.
    skewed: bool,
}

impl From<BuildRow> for Build {
    fn from(row: BuildRow) -> Self {
        Build {
            status: row.status,
            started_at: row.started_at,
            bootstrap_started_at: row.bootstrap_started_at,
            ended_at: row.ended_at,
            end_inferred: row.end_inferred,
            duration_s: row.duration_us.map(seconds),
            spawn_s: row.spawn_us.map(seconds),
            attempts: row.attempts,
            error: row.error,
        }
    }
}

impl From<InstanceRow> for Instance {
    fn from(row: InstanceRow) -> Self {
        Instance {
            instance_id: row.instance_id,
            name: row.name,
            project_id: row.project_id,
            host: row.host,
            flavor: row.flavor,
            image: row.image,
            state: row.state,
            deleted_at: row.deleted_at,
            first_at: row.first_at,
            last_at: row.last_at,
            build: row.build.into(),
            skewed: row.skewed,
        }
    }
}

/// The instances to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of one tenant.
    #[param(required = false)]
    project_id: Option<String>,
    /// On one host.
    #[param(required = false)]
    host: Option<String>,
    /// In one of Nova's states, e.g. `active`.
    #[param(required = false)]
    state: Option<String>,
    /// Whose build began (or else whose first event was) at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    started_after: Option<Timestamp>,
    /// Whose build began (or else whose first event was) earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    started_before: Option<Timestamp>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter {
            project_id: parameters.text("project_id")?,
            host: parameters.text("host")?,
            state: parameters.text("state")?,
            started_after: parameters.time("started_after")?,
            started_before: parameters.time("started_before")?,
        })
    }
}

/// Instances, the newest first by the start of their build (or else by their first event)
#[utoipa::path(get, path = "/v1/instances", tag = "Timing", operation_id = "instances",
    params(Filter, Paging), responses((status = 200, body = Items<Instance>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Instance>>, Problem> {
    let after: Option<(CursorTime, String)> = paging.after()?;
    let query = InstanceQuery {
        project_id: filter.project_id,
        host: filter.host,
        state: filter.state,
        started_after: filter.started_after,
        started_before: filter.started_before,
        after: after.map(|(CursorTime(at), id)| (at, id)),
        limit: paging.rows(),
    };
    let client = pool.get().await?;
    let rows = instances::list(&**client, query).await?;
    let items = rows.into_iter().map(Instance::from).collect();
    Ok(Json(paging.page(items, |instance: &Instance| {
        let started = instance.build.started_at.unwrap_or(instance.first_at);
        (CursorTime(started), instance.instance_id.clone())
    })))
}
