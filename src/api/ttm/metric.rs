//! A metric, as TTM calls everything it knows of one instance's build.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::{Client, Error};
use utoipa::ToSchema;
use uuid::Uuid;

use super::format::{iso, iso_or_empty};
use crate::projection::timing::read::recipes::{self, RecipeRow};
use crate::projection::timing::read::ttm::{self, MetricRow};

/// The metric of an instance. Unknown values are `""`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmMetric)]
pub(super) struct Metric {
    pub id: Uuid,
    pub instance_id: String,
    pub instance_name: String,
    pub start_time: String,
    pub instance_start_time: String,
    bootstrap_start_time: String,
    pub end_time: String,
    /// TTM ended builds by itself after a while; we only report them.
    bootstrap_timeout: &'static str,
    mute: &'static str,
    pub recipes: BTreeMap<String, Recipe>,
}

/// The last run of a recipe. Unknown values are `""`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = TtmRecipe)]
pub(super) struct Recipe {
    pub recipe_start_time: String,
    pub start_msg: String,
    pub recipe_end_time: String,
    pub end_msg: String,
}

/// An answer with one metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmMetricAnswer)]
pub(super) struct MetricAnswer {
    pub metric: Metric,
}

impl From<MetricRow> for Metric {
    fn from(row: MetricRow) -> Self {
        let started = iso_or_empty(row.started_at);
        Metric {
            id: row.id,
            instance_id: row.instance_id,
            instance_name: row.name.unwrap_or_default(),
            start_time: row
                .ttm_start_time
                .filter(|time| !time.is_empty())
                .unwrap_or_else(|| started.clone()),
            instance_start_time: started,
            bootstrap_start_time: iso_or_empty(row.bootstrap_started_at),
            end_time: row
                .ttm_end_time
                .filter(|time| !time.is_empty())
                .or_else(|| row.ended_at.map(iso))
                .unwrap_or_default(),
            bootstrap_timeout: "False",
            mute: "False",
            recipes: BTreeMap::new(),
        }
    }
}

impl From<RecipeRow> for Recipe {
    fn from(row: RecipeRow) -> Self {
        Recipe {
            recipe_start_time: iso_or_empty(row.started_at),
            start_msg: row.start_message.unwrap_or_default(),
            recipe_end_time: iso_or_empty(row.ended_at),
            end_msg: row.end_message.unwrap_or_default(),
        }
    }
}

/// Lists metrics, the newest first.
pub(super) async fn list(client: &Client, limit: i64) -> Result<Vec<Metric>, Error> {
    let rows = ttm::list_metrics(client, limit).await?;
    add_recipes(client, rows).await
}

/// Finds the metric of an instance, if TTM knows the instance.
pub(super) async fn find_of_instance(client: &Client, id: &str) -> Result<Option<Metric>, Error> {
    let row = ttm::find_metric_of(client, id).await?;
    Ok(add_recipes(client, row).await?.pop())
}

/// Finds a metric by its own id.
pub(super) async fn find(client: &Client, id: Uuid) -> Result<Option<Metric>, Error> {
    let row = ttm::find_metric(client, id).await?;
    Ok(add_recipes(client, row).await?.pop())
}

/// Returns the metric of an instance whether or not TTM knows the instance; without values if there are no
/// events about it.
pub(super) async fn derive_of_instance(client: &Client, id: &str) -> Result<Metric, Error> {
    let mut metric = Metric::from(ttm::derive_metric_of(client, id).await?);
    metric.recipes = load_recipes(client, &[id]).await?.remove(id).unwrap_or_default();
    Ok(metric)
}

async fn add_recipes(
    client: &Client,
    rows: impl IntoIterator<Item = MetricRow>,
) -> Result<Vec<Metric>, Error> {
    let mut metrics: Vec<Metric> = rows.into_iter().map(Metric::from).collect();
    if metrics.is_empty() {
        return Ok(metrics);
    }
    let ids: Vec<&str> = metrics.iter().map(|metric| metric.instance_id.as_str()).collect();
    let mut recipes = load_recipes(client, &ids).await?;
    for metric in &mut metrics {
        metric.recipes = recipes.remove(&metric.instance_id).unwrap_or_default();
    }
    Ok(metrics)
}

/// Loads the recipes of instances by instance and name; of several runs of one recipe, the last.
async fn load_recipes(
    client: &Client,
    instance_ids: &[&str],
) -> Result<BTreeMap<String, BTreeMap<String, Recipe>>, Error> {
    let mut recipes: BTreeMap<String, BTreeMap<String, Recipe>> = BTreeMap::new();
    for mut row in recipes::list(client, instance_ids).await? {
        let (instance_id, name) =
            (std::mem::take(&mut row.instance_id), std::mem::take(&mut row.recipe));
        recipes.entry(instance_id).or_default().insert(name, row.into());
    }
    Ok(recipes)
}
