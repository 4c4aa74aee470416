//! What is known of instances, for those who know them for other reasons.

use std::collections::HashMap;

use serde::Serialize;
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use utoipa::ToSchema;

use super::instance::Recipe;
use super::instances::{Build, COLUMNS};

/// How an instance was built, and what was run on it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Nova {
    build: Build,
    /// In time order.
    recipes: Vec<Recipe>,
}

/// What is known of the instances of these ids, by id. Nothing, as long as nobody projects timing.
///
/// # Errors
///
/// When the database does not answer.
pub async fn nova(
    client: &impl GenericClient,
    ids: &[&str],
) -> Result<HashMap<String, Nova>, tokio_postgres::Error> {
    let statement = format!(
        "-- timing::nova\nSELECT {COLUMNS} FROM timing.instance WHERE instance_id = ANY($1)"
    );
    let instances = match client.query(&statement, &[&ids]).await {
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME)
            ) =>
        {
            return Ok(HashMap::new());
        }
        instances => instances?,
    };
    let mut found: HashMap<String, Nova> = instances
        .iter()
        .map(|row| (row.get(0), Nova { build: row.into(), recipes: Vec::new() }))
        .collect();
    if found.is_empty() {
        return Ok(found);
    }
    let recipes = client
        .query(
            "-- timing::nova recipes
             SELECT instance_id, recipe, run_id, started_at, ended_at, duration_us, outcome,
                    start_message, end_message, skewed
             FROM timing.recipe WHERE instance_id = ANY($1)
             ORDER BY instance_id, at, recipe_id",
            &[&ids],
        )
        .await?;
    for row in &recipes {
        if let Some(nova) = found.get_mut(row.get::<_, &str>(0)) {
            nova.recipes.push(row.into());
        }
    }
    Ok(found)
}
