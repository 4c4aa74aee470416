//! `/v1/instances/{id}`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::instances::Instance;
use crate::http::{NoParameters, Problem, Query, Segments, seconds};
use crate::projection;
use crate::projection::timing::read::operations::OperationRow;
use crate::projection::timing::read::recipes::RecipeRow;
use crate::projection::timing::read::{instances, operations, recipes};

/// An operation of Nova's on an instance.
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

impl From<OperationRow> for Operation {
    fn from(row: OperationRow) -> Self {
        Operation {
            operation: row.operation,
            request_id: row.request_id,
            host: row.host,
            started_at: row.started_at,
            ended_at: row.ended_at,
            duration_s: row.duration_us.map(seconds),
            status: row.status,
            error: row.error,
            skewed: row.skewed,
        }
    }
}

/// A step of an instance's configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Recipe {
    /// Its name.
    recipe: String,
    /// Distinguishes several runs of it.
    run_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    duration_s: Option<f64>,
    /// `success` or `failure`, if it was reported.
    outcome: Option<String>,
    start_message: Option<String>,
    end_message: Option<String>,
    skewed: bool,
}

impl From<RecipeRow> for Recipe {
    fn from(row: RecipeRow) -> Self {
        Recipe {
            recipe: row.recipe,
            run_id: row.run_id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            duration_s: row.duration_us.map(seconds),
            outcome: row.outcome,
            start_message: row.start_message,
            end_message: row.end_message,
            skewed: row.skewed,
        }
    }
}

/// An instance with its operations and recipes.
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
    _: Query<NoParameters>,
) -> Result<Json<InstanceInFull>, Problem> {
    let Segments([id]) = segments;
    let mut client = pool.get().await?;
    // The parts are of one moment.
    let tx = projection::moment(&mut client).await?;
    let instance = instances::find(&tx, &id)
        .await?
        .ok_or_else(|| Problem::not_found("no event about this instance is known"))?;
    let operations = operations::list(&tx, &id).await?;
    let recipes = recipes::list(&tx, &[&id]).await?;
    tx.commit().await?;
    Ok(Json(InstanceInFull {
        instance: instance.into(),
        operations: operations.into_iter().map(Operation::from).collect(),
        recipes: recipes.into_iter().map(Recipe::from).collect(),
    }))
}
