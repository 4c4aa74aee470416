//! Instances and their builds.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Row};

/// An instance and the state of its build.
pub struct InstanceRow {
    pub instance_id: String,
    pub name: Option<String>,
    pub project_id: Option<String>,
    pub host: Option<String>,
    pub flavor: Option<String>,
    pub image: Option<String>,
    pub state: Option<String>,
    pub deleted_at: Option<Timestamp>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub build: BuildRow,
    pub skewed: bool,
}

/// The build of an instance.
pub struct BuildRow {
    pub status: Option<String>,
    pub started_at: Option<Timestamp>,
    pub bootstrap_started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_inferred: bool,
    pub duration_us: Option<i64>,
    pub spawn_us: Option<i64>,
    pub attempts: i32,
    pub error: Option<String>,
}

/// The columns of [`InstanceRow`] and its [`BuildRow`].
const COLUMNS: &str = "instance_id, name, project_id, host, flavor, image, state, \
    deleted_at, first_at, last_at, build_status, build_started_at, bootstrap_started_at, \
    build_ended_at, build_end_inferred, build_duration_us, spawn_us, attempts, build_error, skewed";

impl From<&Row> for InstanceRow {
    fn from(row: &Row) -> Self {
        InstanceRow {
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
            build: BuildRow {
                status: row.get("build_status"),
                started_at: row.get("build_started_at"),
                bootstrap_started_at: row.get("bootstrap_started_at"),
                ended_at: row.get("build_ended_at"),
                end_inferred: row.get("build_end_inferred"),
                duration_us: row.get("build_duration_us"),
                spawn_us: row.get("spawn_us"),
                attempts: row.get("attempts"),
                error: row.get("build_error"),
            },
            skewed: row.get("skewed"),
        }
    }
}

/// The instances to list. Their time is the build's start or, without one, that of the first event.
pub struct InstanceQuery {
    pub project_id: Option<String>,
    pub host: Option<String>,
    pub state: Option<String>,
    pub started_after: Option<Timestamp>,
    pub started_before: Option<Timestamp>,
    /// Time and id of the last instance of the page before.
    pub after: Option<(Timestamp, String)>,
    pub limit: i64,
}

/// Lists instances, the newest first.
pub async fn list(
    client: &impl GenericClient,
    query: InstanceQuery,
) -> Result<Vec<InstanceRow>, Error> {
    let (after_at, after_id) = query.after.unzip();
    let statement = format!(
        "-- timing::instances
         SELECT {COLUMNS} FROM timing.instance
         WHERE ($1::text IS NULL OR project_id = $1)
           AND ($2::text IS NULL OR host = $2)
           AND ($3::text IS NULL OR state = $3)
           AND ($4::timestamptz IS NULL OR coalesce(build_started_at, first_at) >= $4)
           AND ($5::timestamptz IS NULL OR coalesce(build_started_at, first_at) < $5)
           AND ($6::timestamptz IS NULL OR (coalesce(build_started_at, first_at), instance_id) < ($6, $7::text))
         ORDER BY coalesce(build_started_at, first_at) DESC, instance_id DESC LIMIT $8"
    );
    let rows = client
        .query(
            &statement,
            &[
                &query.project_id,
                &query.host,
                &query.state,
                &query.started_after,
                &query.started_before,
                &after_at,
                &after_id,
                &query.limit,
            ],
        )
        .await?;
    Ok(rows.iter().map(InstanceRow::from).collect())
}

/// Finds the instance of an id.
pub async fn find(client: &impl GenericClient, id: &str) -> Result<Option<InstanceRow>, Error> {
    let statement = format!(
        "-- timing::instance\nSELECT {COLUMNS} FROM timing.instance WHERE instance_id = $1"
    );
    let row = client.query_opt(&statement, &[&id]).await?;
    Ok(row.as_ref().map(InstanceRow::from))
}

/// Finds the instances of several ids, in any order.
pub async fn find_all(
    client: &impl GenericClient,
    ids: &[&str],
) -> Result<Vec<InstanceRow>, Error> {
    let statement = format!(
        "-- timing::instances by id
         SELECT {COLUMNS} FROM timing.instance WHERE instance_id = ANY($1)"
    );
    let rows = client.query(&statement, &[&ids]).await?;
    Ok(rows.iter().map(InstanceRow::from).collect())
}
