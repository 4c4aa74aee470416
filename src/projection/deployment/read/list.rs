//! The list of deployments.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use utoipa::ToSchema;

use crate::projection::deployment::state::{SilenceLimit, State, Status, state_sql};

/// The summary of a deployment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Deployment)]
pub struct DeploymentSummary {
    /// Its id.
    pub deployment_id: String,
    /// Its name.
    pub name: Option<String>,
    /// The project it belongs to, if Heat reported one.
    pub project_id: Option<String>,
    /// Counts from 1; the earlier generations were deleted.
    pub generation: i32,
    /// The worst of its services: `error`, `incomplete` or `success`; null if it has none.
    pub status: Option<String>,
    /// `declared`, `registered`, `contacted`, `configuring`, `complete`, `failed`, `abandoned` or
    /// `deleted`.
    pub state: String,
    /// When it was first declared.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub declared_at: Option<Timestamp>,
    /// When its last instance was registered; without instances, when it was declared or its first event
    /// happened.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    /// When its last configuration ended, if all have.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// When it was deleted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Timestamp>,
    /// The time of its first event.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The time of the last event of it or its instances.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// The number of registered instances.
    pub instances: i32,
    /// The number of instances that were declared and are not registered.
    pub missing: i32,
    /// The number of services of its instances.
    pub services: i32,
}

/// The deployments to list.
#[derive(Clone, Copy, Debug)]
pub struct DeploymentFilter {
    /// Decides the state of what has been silent.
    pub limit: SilenceLimit,
    /// Only deployments of this status.
    pub status: Option<Status>,
    /// Only deployments in this state.
    pub state: Option<State>,
}

/// Reads at most `rows` deployments, the newest first event first, from the live tables. `after` is the
/// last deployment of the page before: the time of its first event and its id.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn list_deployments(
    client: &impl GenericClient,
    filter: DeploymentFilter,
    after: Option<(Timestamp, &str)>,
    rows: i64,
) -> Result<Vec<DeploymentSummary>, tokio_postgres::Error> {
    // PostgreSQL's calendar does not begin as early as ours, and no event is older than this.
    let silent_since = filter.limit.silent_since().max(Timestamp::UNIX_EPOCH);
    let (after_at, after_id) = after.unzip();
    let state_now = state_sql("$1");
    let rows = client
        .query(
            &format!(
                "-- deployment::list_deployments
                 SELECT *, {state_now} AS state_now FROM deployment.deployment
                 WHERE ($2::text IS NULL OR status = $2)
                   AND ($3::text IS NULL OR {state_now} = $3)
                   AND ($4::timestamptz IS NULL OR (first_at, deployment_id) < ($4, $5::text))
                 ORDER BY first_at DESC, deployment_id DESC LIMIT $6"
            ),
            &[&silent_since, &filter.status, &filter.state, &after_at, &after_id, &rows],
        )
        .await?;
    Ok(rows.iter().map(DeploymentSummary::from).collect())
}

impl From<&Row> for DeploymentSummary {
    fn from(row: &Row) -> Self {
        DeploymentSummary {
            deployment_id: row.get("deployment_id"),
            name: row.get("name"),
            project_id: row.get("project_id"),
            generation: row.get("generation"),
            status: row.get("status"),
            state: row.get("state_now"),
            declared_at: row.get("declared_at"),
            registered_at: row.get("registered_at"),
            completed_at: row.get("completed_at"),
            deleted_at: row.get("deleted_at"),
            first_at: row.get("first_at"),
            last_at: row.get("last_at"),
            instances: row.get("instances"),
            missing: row.get("missing"),
            services: row.get("services"),
        }
    }
}
