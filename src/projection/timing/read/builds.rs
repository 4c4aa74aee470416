//! Builds that have not ended.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Row};

/// An instance whose build has not ended.
pub struct IncompleteBuildRow {
    pub instance_id: String,
    pub name: Option<String>,
    pub project_id: Option<String>,
    pub host: Option<String>,
    /// The build's start or, if unknown, the time of the instance's first event.
    pub started_at: Timestamp,
    pub build_status: String,
    pub last_kind: String,
    pub last_at: Timestamp,
}

impl From<&Row> for IncompleteBuildRow {
    fn from(row: &Row) -> Self {
        IncompleteBuildRow {
            instance_id: row.get("instance_id"),
            name: row.get("name"),
            project_id: row.get("project_id"),
            host: row.get("host"),
            started_at: row.get("started_at"),
            build_status: row.get("build_status"),
            last_kind: row.get("last_kind"),
            last_at: row.get("last_at"),
        }
    }
}

/// Lists the builds that had begun at the time `at` and have not ended, the oldest first: the ones that began
/// before `before`, if given, and follow `after`, start and id of the last build of the page before.
pub async fn list_incomplete(
    client: &impl GenericClient,
    at: Timestamp,
    before: Option<Timestamp>,
    after: Option<(Timestamp, String)>,
    limit: i64,
) -> Result<Vec<IncompleteBuildRow>, Error> {
    let (after_at, after_id) = after.unzip();
    let rows = client
        .query(
            "-- timing::incomplete
             SELECT instance_id, name, project_id, host, coalesce(build_started_at, first_at) AS started_at,
                    build_status, last_kind, last_at
             FROM timing.instance
             WHERE build_status IN ('building', 'bootstrapping')
               AND coalesce(build_started_at, first_at) <= $1
               AND ($2::timestamptz IS NULL OR coalesce(build_started_at, first_at) < $2)
               AND ($3::timestamptz IS NULL OR (coalesce(build_started_at, first_at), instance_id) > ($3, $4::text))
             ORDER BY coalesce(build_started_at, first_at), instance_id LIMIT $5",
            &[&at, &before, &after_at, &after_id, &limit],
        )
        .await?;
    Ok(rows.iter().map(IncompleteBuildRow::from).collect())
}
