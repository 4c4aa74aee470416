//! `/v1/instances`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};

use super::{optional_seconds, time_of};
use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query};

/// How an instance came to be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Build {
    /// `building`, `bootstrapping`, `complete` or `failed`; null where nothing is known of it.
    status: Option<String>,
    /// The first start.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When the bootstrap began, where there is one.
    #[schema(value_type = Option<String>, format = DateTime)]
    bootstrap_started_at: Option<Timestamp>,
    /// The last end.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// The user's wait: from the first start to the last end, failed attempts included.
    duration_s: Option<f64>,
    /// The attempt that succeeded alone, else the last one.
    spawn_s: Option<f64>,
    /// How often it was tried.
    attempts: i32,
    /// Why it failed.
    error: Option<String>,
}

/// An instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Instance {
    /// Its id.
    pub instance_id: String,
    name: Option<String>,
    project_id: Option<String>,
    host: Option<String>,
    flavor: Option<String>,
    image: Option<String>,
    /// Nova's state of it.
    state: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Timestamp>,
    /// The first thing heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The last thing heard of it.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
    build: Build,
    /// Clocks disagreed: a duration that came out negative is shown as 0.
    skewed: bool,
}

impl From<&Row> for Build {
    fn from(row: &Row) -> Self {
        Build {
            status: row.get("build_status"),
            started_at: row.get("build_started_at"),
            bootstrap_started_at: row.get("bootstrap_started_at"),
            ended_at: row.get("build_ended_at"),
            duration_s: optional_seconds(row.get("build_duration_us")),
            spawn_s: optional_seconds(row.get("spawn_us")),
            attempts: row.get("attempts"),
            error: row.get("build_error"),
        }
    }
}

/// The columns of [`Instance`].
pub(super) const COLUMNS: &str = "instance_id, name, project_id, host, flavor, image, state, \
    deleted_at, first_at, last_at, build_status, build_started_at, bootstrap_started_at, \
    build_ended_at, build_duration_us, spawn_us, attempts, build_error, skewed";

impl From<&Row> for Instance {
    fn from(row: &Row) -> Self {
        Instance {
            instance_id: row.get("instance_id"),
            name: row.get("name"),
            project_id: row.get("project_id"),
            host: row.get("host"),
            flavor: row.get("flavor"),
            image: row.get("image"),
            state: row.get("state"),
            deleted_at: row.get("deleted_at"),
            first_at: row.get("first_at"),
            last_at: row.get("last_at"),
            build: row.into(),
            skewed: row.get("skewed"),
        }
    }
}

/// Which instances are listed.
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
    /// Whose build (or else the first thing heard) was then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    started_after: Option<Timestamp>,
    /// Whose build (or else the first thing heard) was earlier.
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

/// Instances, those whose build (or else the first thing heard) is the newest first
#[utoipa::path(get, path = "/v1/instances", tag = "Timing", operation_id = "instances",
    params(Filter, Paging), responses((status = 200, body = Items<Instance>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Instance>>, Problem> {
    let after: Option<(i64, String)> = paging.after()?;
    let after_at = after.as_ref().map(|(at, _)| time_of(*at)).transpose()?;
    let after_id = after.map(|(_, id)| id);
    let client = pool.get().await?;
    let rows = client
        .query(
            &format!(
                "-- timing::instances
                 SELECT {COLUMNS} FROM timing.instance
                 WHERE ($1::text IS NULL OR project_id = $1)
                   AND ($2::text IS NULL OR host = $2)
                   AND ($3::text IS NULL OR state = $3)
                   AND ($4::timestamptz IS NULL OR coalesce(build_started_at, first_at) >= $4)
                   AND ($5::timestamptz IS NULL OR coalesce(build_started_at, first_at) < $5)
                   AND ($6::timestamptz IS NULL OR (coalesce(build_started_at, first_at), instance_id) < ($6, $7::text))
                 ORDER BY coalesce(build_started_at, first_at) DESC, instance_id DESC LIMIT $8"
            ),
            &[
                &filter.project_id,
                &filter.host,
                &filter.state,
                &filter.started_after,
                &filter.started_before,
                &after_at,
                &after_id,
                &paging.rows(),
            ],
        )
        .await?;
    let items = rows.iter().map(Instance::from).collect();
    Ok(Json(paging.page(items, |instance: &Instance| {
        let started = instance.build.started_at.unwrap_or(instance.first_at);
        (started.as_microsecond(), instance.instance_id.clone())
    })))
}
