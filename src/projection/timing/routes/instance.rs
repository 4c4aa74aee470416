//! `/v1/instances/{id}`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::instances::{COLUMNS, Instance};
use super::optional_seconds;
use crate::http::{Nothing, Problem, Query, Segments};

/// Something Nova did with an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Operation {
    /// Nova's name of it, e.g. `create`.
    operation: String,
    /// The API request that caused it.
    request_id: Option<String>,
    /// The host that reported it.
    host: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    duration_s: Option<f64>,
    /// `complete`, `failed`, `open` or `start_missing`.
    status: String,
    error: Option<String>,
    skewed: bool,
}

impl From<&Row> for Operation {
    fn from(row: &Row) -> Self {
        Operation {
            operation: row.get("operation"),
            request_id: row.get("request_id"),
            host: row.get("host"),
            started_at: row.get("started_at"),
            ended_at: row.get("ended_at"),
            duration_s: optional_seconds(row.get("duration_us")),
            status: row.get("status"),
            error: row.get("error"),
            skewed: row.get("skewed"),
        }
    }
}

/// A step of an instance's configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Recipe {
    /// Its name.
    recipe: String,
    /// Tells several runs of it apart.
    run_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    duration_s: Option<f64>,
    /// `success` or `failure`, where it was told.
    outcome: Option<String>,
    start_message: Option<String>,
    end_message: Option<String>,
    skewed: bool,
}

impl From<&Row> for Recipe {
    fn from(row: &Row) -> Self {
        Recipe {
            recipe: row.get("recipe"),
            run_id: row.get("run_id"),
            started_at: row.get("started_at"),
            ended_at: row.get("ended_at"),
            duration_s: optional_seconds(row.get("duration_us")),
            outcome: row.get("outcome"),
            start_message: row.get("start_message"),
            end_message: row.get("end_message"),
            skewed: row.get("skewed"),
        }
    }
}

/// An instance with all that was done with it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct InstanceInFull {
    #[serde(flatten)]
    instance: Instance,
    /// In time order.
    operations: Vec<Operation>,
    /// In time order.
    recipes: Vec<Recipe>,
}

/// One instance: its build, operations and recipes
#[utoipa::path(get, path = "/v1/instances/{id}", tag = "Timing", operation_id = "instance",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = InstanceInFull)))]
pub(super) async fn show(
    State(pool): State<Pool>,
    segments: Segments<1>,
    _: Query<Nothing>,
) -> Result<Json<InstanceInFull>, Problem> {
    let Segments([id]) = segments;
    let mut client = pool.get().await?;
    // One snapshot: the parts belong together.
    let read = client.build_transaction().read_only(true);
    let read = read.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead).start().await?;
    let instance = read
        .query_opt(
            &format!(
                "-- timing::instance\nSELECT {COLUMNS} FROM timing.instance WHERE instance_id = $1"
            ),
            &[&id],
        )
        .await?
        .ok_or_else(|| Problem::not_found("nothing was heard of this instance"))?;
    let operations = read
        .query(
            "-- timing::instance operations
             SELECT operation, request_id, host, started_at, ended_at, duration_us, status, error, skewed
             FROM timing.operation WHERE instance_id = $1
             ORDER BY at, operation_id",
            &[&id],
        )
        .await?;
    let recipes = read
        .query(
            "-- timing::instance recipes
             SELECT recipe, run_id, started_at, ended_at, duration_us, outcome, start_message,
                    end_message, skewed
             FROM timing.recipe WHERE instance_id = $1
             ORDER BY at, recipe_id",
            &[&id],
        )
        .await?;
    read.commit().await?;
    Ok(Json(InstanceInFull {
        instance: (&instance).into(),
        operations: operations.iter().map(Operation::from).collect(),
        recipes: recipes.iter().map(Recipe::from).collect(),
    }))
}
