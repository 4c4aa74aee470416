//! Builds and recipes of instances, for answers that are about more than timing.

use std::collections::HashMap;

use serde::Serialize;
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use utoipa::ToSchema;

use super::instance::Recipe;
use super::instances::Build;
use crate::projection::timing::read::{instances, recipes};

/// The build of an instance, and the recipes that ran on it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Nova {
    build: Build,
    /// In time order.
    recipes: Vec<Recipe>,
}

/// Loads the builds and recipes of instances, by the instances' ids. Returns nothing as long as no process
/// has projected timing.
///
/// # Errors
///
/// When the database does not answer.
pub async fn load_nova(
    client: &impl GenericClient,
    ids: &[&str],
) -> Result<HashMap<String, Nova>, tokio_postgres::Error> {
    let rows = match instances::find_all(client, ids).await {
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME)
            ) =>
        {
            return Ok(HashMap::new());
        }
        rows => rows?,
    };
    let mut found: HashMap<String, Nova> = rows
        .into_iter()
        .map(|row| (row.instance_id, Nova { build: row.build.into(), recipes: Vec::new() }))
        .collect();
    if found.is_empty() {
        return Ok(found);
    }
    for row in recipes::list(client, ids).await? {
        if let Some(nova) = found.get_mut(&row.instance_id) {
            nova.recipes.push(row.into());
        }
    }
    Ok(found)
}
