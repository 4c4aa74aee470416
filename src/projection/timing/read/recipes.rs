//! Runs of recipes.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Row};

/// A run of a recipe.
pub struct RecipeRow {
    pub instance_id: String,
    pub recipe: String,
    pub run_id: Option<String>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub duration_us: Option<i64>,
    pub outcome: Option<String>,
    pub start_message: Option<String>,
    pub end_message: Option<String>,
    pub skewed: bool,
}

impl From<&Row> for RecipeRow {
    fn from(row: &Row) -> Self {
        RecipeRow {
            instance_id: row.get("instance_id"),
            recipe: row.get("recipe"),
            run_id: row.get("run_id"),
            started_at: row.get("started_at"),
            ended_at: row.get("ended_at"),
            duration_us: row.get("duration_us"),
            outcome: row.get("outcome"),
            start_message: row.get("start_message"),
            end_message: row.get("end_message"),
            skewed: row.get("skewed"),
        }
    }
}

/// Lists the recipes of instances; those of one instance are in time order.
pub async fn list(
    client: &impl GenericClient,
    instance_ids: &[&str],
) -> Result<Vec<RecipeRow>, Error> {
    let rows = client
        .query(
            "-- timing::recipes
             SELECT instance_id, recipe, run_id, started_at, ended_at, duration_us, outcome,
                    start_message, end_message, skewed
             FROM timing.recipe WHERE instance_id = ANY($1)
             ORDER BY instance_id, at, recipe_id",
            &[&instance_ids],
        )
        .await?;
    Ok(rows.iter().map(RecipeRow::from).collect())
}
