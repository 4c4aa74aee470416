//! What TTM calls a metric: all it knows of an instance's build. One an instance.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Client, Row};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{iso, iso_or_empty};

/// Instances of a list at most: TTM's lists have no pages, but memory has an end.
pub(super) const LIST_MAX: i64 = 100_000;

/// The id of an instance's metric: made of the instance's, and found by an index on it.
const ID: &str = "md5('ttm:' || instance_id)::uuid";

/// All that TTM knows of an instance. What is not set is `""`.
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

/// What TTM knows of a recipe. What is not set is `""`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = TtmRecipe)]
pub(super) struct Recipe {
    pub recipe_start_time: String,
    pub start_msg: String,
    pub recipe_end_time: String,
    pub end_msg: String,
}

/// Which instances are TTM's: those that a build or a recipe was reported for. That Nova made an
/// instance does not mean that anybody will report its end.
pub(super) const IS_KNOWN: &str = "reported_at IS NOT NULL";

/// What a metric is made of, beside its recipes.
const COLUMNS: &str = "instance_id, name, least(ttm_first_at, announced_at) AS started_at, \
    bootstrap_started_at, ttm_start_time, ttm_end_time, ended_at";

/// Metrics, the newest first.
pub(super) async fn list(
    client: &Client,
    limit: i64,
) -> Result<Vec<Metric>, tokio_postgres::Error> {
    let sql = format!(
        "-- ttm::metrics
         SELECT {COLUMNS}, {ID} AS id FROM timing.instance WHERE {IS_KNOWN}
         ORDER BY reported_at DESC, instance_id DESC LIMIT $1"
    );
    let rows = client.query(&sql, &[&limit]).await?;
    with_recipes(client, &rows).await
}

/// The metric of an instance, if TTM knows it.
pub(super) async fn of(
    client: &Client,
    instance_id: &str,
) -> Result<Option<Metric>, tokio_postgres::Error> {
    let sql = format!(
        "-- ttm::metric of instance
         SELECT {COLUMNS}, {ID} AS id FROM timing.instance WHERE instance_id = $1 AND {IS_KNOWN}"
    );
    let rows = client.query(&sql, &[&instance_id]).await?;
    Ok(with_recipes(client, &rows).await?.pop())
}

/// The metric of that id, if there is one.
pub(super) async fn by_id(
    client: &Client,
    id: Uuid,
) -> Result<Option<Metric>, tokio_postgres::Error> {
    let sql = format!(
        "-- ttm::metric by id
         SELECT {COLUMNS}, {ID} AS id FROM timing.instance WHERE {ID} = $1 AND {IS_KNOWN}"
    );
    let rows = client.query(&sql, &[&id]).await?;
    Ok(with_recipes(client, &rows).await?.pop())
}

/// What is known of an instance, be it nothing, whether it is TTM's or not.
pub(super) async fn known(
    client: &Client,
    instance_id: &str,
) -> Result<Metric, tokio_postgres::Error> {
    let sql = format!(
        "-- ttm::known
         SELECT {COLUMNS}, {ID} AS id
         FROM (VALUES ($1::text)) AS asked (instance_id) LEFT JOIN timing.instance USING (instance_id)"
    );
    let row = client.query_one(&sql, &[&instance_id]).await?;
    let recipes = recipes(client, &[instance_id]).await?.remove(instance_id).unwrap_or_default();
    Ok(Metric { recipes, ..metric(&row) })
}

async fn with_recipes(client: &Client, rows: &[Row]) -> Result<Vec<Metric>, tokio_postgres::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut metrics: Vec<Metric> = rows.iter().map(metric).collect();
    let ids: Vec<&str> = rows.iter().map(|row| row.get("instance_id")).collect();
    let mut recipes = recipes(client, &ids).await?;
    for metric in &mut metrics {
        metric.recipes = recipes.remove(&metric.instance_id).unwrap_or_default();
    }
    Ok(metrics)
}

fn metric(row: &Row) -> Metric {
    let instance_id: String = row.get("instance_id");
    let started = iso_or_empty(row.get("started_at"));
    let ended: Option<Timestamp> = row.get("ended_at");
    let start_time: Option<String> = row.get("ttm_start_time");
    let end_time: Option<String> = row.get("ttm_end_time");
    Metric {
        id: row.get("id"),
        instance_id,
        instance_name: row.get::<_, Option<String>>("name").unwrap_or_default(),
        start_time: start_time.filter(|time| !time.is_empty()).unwrap_or_else(|| started.clone()),
        instance_start_time: started,
        bootstrap_start_time: iso_or_empty(row.get("bootstrap_started_at")),
        end_time: end_time
            .filter(|time| !time.is_empty())
            .or_else(|| ended.map(iso))
            .unwrap_or_default(),
        bootstrap_timeout: "False",
        mute: "False",
        recipes: BTreeMap::new(),
    }
}

/// The recipes of instances by name; of several runs of one, the last.
async fn recipes(
    client: &Client,
    instance_ids: &[&str],
) -> Result<BTreeMap<String, BTreeMap<String, Recipe>>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- ttm::recipes
             SELECT instance_id, recipe, started_at, start_message, ended_at, end_message
             FROM timing.recipe WHERE instance_id = ANY($1)
             ORDER BY at, recipe_id",
            &[&instance_ids],
        )
        .await?;
    let mut recipes: BTreeMap<String, BTreeMap<String, Recipe>> = BTreeMap::new();
    let text = |row: &Row, column| row.get::<_, Option<String>>(column).unwrap_or_default();
    for row in &rows {
        let recipe = Recipe {
            recipe_start_time: iso_or_empty(row.get("started_at")),
            start_msg: text(row, "start_message"),
            recipe_end_time: iso_or_empty(row.get("ended_at")),
            end_msg: text(row, "end_message"),
        };
        recipes.entry(row.get("instance_id")).or_default().insert(row.get("recipe"), recipe);
    }
    Ok(recipes)
}
