//! Instances as TTM's routes know them.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Row};
use uuid::Uuid;

/// The largest number of instances in a list: TTM's lists have no pages, but memory is limited.
const LIST_MAX: i64 = 100_000;

/// The condition for an instance that TTM knows: a build or a recipe was reported for it. That Nova created
/// an instance does not mean that anybody will report its end.
const IS_KNOWN: &str = "reported_at IS NOT NULL";

/// The id of an instance's metric, derived from the instance's id. An index finds it.
const METRIC_ID: &str = "md5('ttm:' || instance_id)::uuid";

/// The columns of [`MetricRow`], except its id.
const COLUMNS: &str = "instance_id, name, least(ttm_first_at, announced_at) AS started_at, \
    bootstrap_started_at, ttm_start_time, ttm_end_time, ended_at";

/// An instance's row, reduced to the values of TTM's metric.
pub struct MetricRow {
    /// The metric's id.
    pub id: Uuid,
    pub instance_id: String,
    pub name: Option<String>,
    /// The first report that the build started.
    pub started_at: Option<Timestamp>,
    pub bootstrap_started_at: Option<Timestamp>,
    /// The times that TTM's metrics contain, as they were sent.
    pub ttm_start_time: Option<String>,
    pub ttm_end_time: Option<String>,
    /// The last `build.ended`.
    pub ended_at: Option<Timestamp>,
}

/// An instance whose build was reported to start and not to end.
pub struct OpenBuildRow {
    pub instance_id: String,
    pub started_at: Timestamp,
}

/// The builds that were reported to start and not to end, the newest first.
pub struct OpenBuilds {
    pub builds: Vec<OpenBuildRow>,
    /// The number of all instances that TTM knows.
    pub known_instances: i64,
}

impl From<&Row> for MetricRow {
    fn from(row: &Row) -> Self {
        MetricRow {
            id: row.get("id"),
            instance_id: row.get("instance_id"),
            name: row.get("name"),
            started_at: row.get("started_at"),
            bootstrap_started_at: row.get("bootstrap_started_at"),
            ttm_start_time: row.get("ttm_start_time"),
            ttm_end_time: row.get("ttm_end_time"),
            ended_at: row.get("ended_at"),
        }
    }
}

/// Lists the metrics of the instances that TTM knows, the newest first.
pub async fn list_metrics(
    client: &impl GenericClient,
    limit: i64,
) -> Result<Vec<MetricRow>, Error> {
    let statement = format!(
        "-- ttm::metrics
         SELECT {COLUMNS}, {METRIC_ID} AS id FROM timing.instance WHERE {IS_KNOWN}
         ORDER BY reported_at DESC, instance_id DESC LIMIT $1"
    );
    let rows = client.query(&statement, &[&limit]).await?;
    Ok(rows.iter().map(MetricRow::from).collect())
}

/// Finds the metric of an instance, if TTM knows the instance.
pub async fn find_metric_of(
    client: &impl GenericClient,
    instance_id: &str,
) -> Result<Option<MetricRow>, Error> {
    let statement = format!(
        "-- ttm::metric of instance
         SELECT {COLUMNS}, {METRIC_ID} AS id FROM timing.instance WHERE instance_id = $1 AND {IS_KNOWN}"
    );
    let row = client.query_opt(&statement, &[&instance_id]).await?;
    Ok(row.as_ref().map(MetricRow::from))
}

/// Finds a metric by its own id.
pub async fn find_metric(
    client: &impl GenericClient,
    id: Uuid,
) -> Result<Option<MetricRow>, Error> {
    let statement = format!(
        "-- ttm::metric by id
         SELECT {COLUMNS}, {METRIC_ID} AS id FROM timing.instance WHERE {METRIC_ID} = $1 AND {IS_KNOWN}"
    );
    let rows = client.query(&statement, &[&id]).await?;
    Ok(rows.last().map(MetricRow::from))
}

/// Returns the metric of an instance whether or not TTM knows the instance; without values if there are no
/// events about it.
pub async fn derive_metric_of(
    client: &impl GenericClient,
    instance_id: &str,
) -> Result<MetricRow, Error> {
    let statement = format!(
        "-- ttm::metric of any instance
         SELECT {COLUMNS}, {METRIC_ID} AS id
         FROM (VALUES ($1::text)) AS asked (instance_id) LEFT JOIN timing.instance USING (instance_id)"
    );
    Ok((&client.query_one(&statement, &[&instance_id]).await?).into())
}

/// Lists the ids of the instances that TTM knows, the newest first; at most 100000.
pub async fn list_instance_ids(client: &impl GenericClient) -> Result<Vec<String>, Error> {
    let statement = format!(
        "-- ttm::instances
         SELECT instance_id FROM timing.instance WHERE {IS_KNOWN}
         ORDER BY reported_at DESC, instance_id DESC LIMIT {LIST_MAX}"
    );
    let rows = client.query(&statement, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Lists the builds that were reported to start and not to end; at most 100000.
pub async fn list_open_builds(client: &impl GenericClient) -> Result<OpenBuilds, Error> {
    let statement = format!(
        "-- ttm::incompletebuilds
         SELECT * FROM (
             SELECT instance_id, reported_at, least(ttm_first_at, announced_at) AS started_at,
                    coalesce(ttm_end_time, '') = '' AND ended_at IS NULL AS is_open,
                    count(*) OVER () AS total
             FROM timing.instance WHERE {IS_KNOWN}
         ) AS known WHERE started_at IS NOT NULL AND is_open
         ORDER BY reported_at DESC, instance_id DESC LIMIT {LIST_MAX}"
    );
    let rows = client.query(&statement, &[]).await?;
    let known_instances = match rows.first() {
        Some(row) => row.get("total"),
        None => count_known_instances(client).await?,
    };
    let build = |row: &Row| OpenBuildRow {
        instance_id: row.get("instance_id"),
        started_at: row.get("started_at"),
    };
    Ok(OpenBuilds { builds: rows.iter().map(build).collect(), known_instances })
}

async fn count_known_instances(client: &impl GenericClient) -> Result<i64, Error> {
    let statement = format!("-- ttm::count\nSELECT count(*) FROM timing.instance WHERE {IS_KNOWN}");
    Ok(client.query_one(&statement, &[]).await?.get(0))
}

/// Lists the recipes of an instance that TTM's route started and that have not ended.
pub async fn list_open_recipes(
    client: &impl GenericClient,
    instance_id: &str,
) -> Result<Vec<String>, Error> {
    let rows = client
        .query(
            "-- ttm::open recipes
             SELECT recipe FROM timing.recipe
             WHERE instance_id = $1 AND is_ttm AND started_at IS NOT NULL AND ended_at IS NULL",
            &[&instance_id],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns whether the event of a call of TTM's recipe route is applied.
pub async fn has_recipe_call(
    client: &impl GenericClient,
    instance_id: &str,
    event_id: Uuid,
) -> Result<bool, Error> {
    let row = client
        .query_one(
            "-- ttm::recipe call
             SELECT EXISTS (SELECT FROM timing.ttm_recipe_call WHERE instance_id = $1 AND event_id = $2)",
            &[&instance_id, &event_id],
        )
        .await?;
    Ok(row.get(0))
}
