//! What TTM calls a metric: all it knows of an instance's build. One an instance.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Client, Row};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{iso, iso_or_empty};

/// The namespace of metrics' ids, which are made of their instances'.
const NAMESPACE: Uuid = Uuid::from_u128(0xa3b8_11f4_0a6c_4b0f_8b45_3c8e_52d1_7f90);

/// Rows of a list at most: TTM's lists have no pages, but memory has an end.
pub(super) const LIST_MAX: i64 = 100_000;

/// All that TTM knows of an instance. What is not set is `""`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmMetric)]
pub(super) struct Metric {
    pub id: Uuid,
    pub instance_id: String,
    instance_name: String,
    pub start_time: String,
    pub instance_start_time: String,
    bootstrap_start_time: String,
    pub end_time: String,
    /// TTM ended builds by itself after a while; we only report them.
    bootstrap_timeout: &'static str,
    mute: &'static str,
    recipes: BTreeMap<String, Recipe>,
}

/// What TTM knows of a recipe. What is not set is `""`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmRecipe)]
pub(super) struct Recipe {
    recipe_start_time: String,
    start_msg: String,
    recipe_end_time: String,
    end_msg: String,
}

/// The id of an instance's metric.
pub(super) fn id(instance_id: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, instance_id.as_bytes())
}

/// Which instances are TTM's: those that a build or a recipe was reported for. That Nova made an
/// instance does not mean that anybody will report its end.
pub(super) const IS_KNOWN: &str = "(i.ttm_first_at IS NOT NULL OR i.ttm_end_at IS NOT NULL \
    OR i.announced_at IS NOT NULL OR i.bootstrap_at IS NOT NULL OR i.ended_at IS NOT NULL \
    OR EXISTS (SELECT FROM timing.recipe r WHERE r.instance_id = i.instance_id))";

/// Metrics, the newest first; of one instance where that is given.
pub(super) async fn read(
    client: &Client,
    instance_id: Option<&str>,
) -> Result<Vec<Metric>, tokio_postgres::Error> {
    let rows = client
        .query(
            &format!(
                "-- ttm::metrics
                 SELECT i.instance_id, i.name, least(i.ttm_first_at, i.announced_at) AS started_at,
                        i.bootstrap_started_at, i.ttm_end_time, i.ended_at
                 FROM timing.instance i
                 WHERE ($1::text IS NULL OR i.instance_id = $1) AND {IS_KNOWN}
                 ORDER BY i.first_at DESC, i.instance_id DESC LIMIT {LIST_MAX}"
            ),
            &[&instance_id],
        )
        .await?;
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
    let end_time: Option<String> = row.get("ttm_end_time");
    Metric {
        id: id(&instance_id),
        instance_id,
        instance_name: row.get::<_, Option<String>>("name").unwrap_or_default(),
        start_time: started.clone(),
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

/// The instance whose metric has that id.
pub(super) async fn instance_of(
    client: &Client,
    metric_id: Uuid,
) -> Result<Option<String>, tokio_postgres::Error> {
    use futures_util::TryStreamExt;

    // Ids of metrics are not kept; looking one up is rare, and passes over the instances without
    // holding them.
    let sql = format!(
        "-- ttm::instance_of
         SELECT i.instance_id FROM timing.instance i WHERE {IS_KNOWN} ORDER BY i.first_at DESC"
    );
    let mut rows = std::pin::pin!(client.query_raw::<_, i32, _>(&sql, []).await?);
    while let Some(row) = rows.try_next().await? {
        let instance_id: String = row.get(0);
        if id(&instance_id) == metric_id {
            return Ok(Some(instance_id));
        }
    }
    Ok(None)
}
