//! Resources that were measured.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{GenericClient, Row};
use utoipa::{IntoParams, ToSchema};

use super::json;
use super::names::name_now;

/// A resource that was measured.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resource {
    /// The resource's id, as the sender gave it.
    pub resource_id: String,
    /// The tenant; null where the samples have none. Two tenants may use the same resource id.
    pub project_id: Option<String>,
    /// The latest name that was reported for the tenant; null if none was.
    pub project_name: Option<String>,
    /// The time of its earliest sample.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The time of its latest sample.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// The names of its meters.
    pub meters: Vec<String>,
    /// The user of its latest sample, or of its latest trusted sample if it has one; likewise the source
    /// and the metadata.
    pub user_id: Option<String>,
    /// The latest name that was reported for the user; null if none was.
    pub user_name: Option<String>,
    /// See `user_id`.
    pub source: Option<String>,
    /// JSON; a string if the sender's text is not JSON. See `user_id`.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
}

/// The sort key of a resource: its id and its tenant; empty where there is none.
pub type ResourceKey = [String; 2];

impl Resource {
    /// Returns the resource's sort key.
    pub fn key(&self) -> ResourceKey {
        [self.resource_id.clone(), self.project_id.clone().unwrap_or_default()]
    }
}

/// The resources to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ResourceFilter {
    /// Only resources of this tenant.
    #[param(required = false)]
    pub project_id: Option<String>,
    /// Only resources with samples of this meter.
    #[param(required = false)]
    pub meter: Option<String>,
}

/// Reads a page of the resources that come after `after`, in order.
///
/// # Errors
///
/// When the database does not answer.
pub async fn resources(
    client: &impl GenericClient,
    filter: &ResourceFilter,
    after: Option<ResourceKey>,
    limit: i64,
) -> Result<Vec<Resource>, tokio_postgres::Error> {
    let [after_resource, after_project] = after.map_or([const { None }; 2], |key| key.map(Some));
    let statement = format!(
        "-- metering::resources
        WITH page AS (
            SELECT * FROM metering.resource
            WHERE ($1::text IS NULL OR project_id = $1)
              AND ($2::text IS NULL OR $2 = ANY(meters))
              AND ($3::text IS NULL OR resource_id >= $3)
              AND ($3::text IS NULL OR (resource_id, coalesce(project_id, '')) > ($3, $4::text))
            ORDER BY resource_id, coalesce(project_id, '') LIMIT $5
        )
        SELECT p.resource_id, p.project_id, p.first_at, p.last_at, p.meters, p.user_id, p.source, d.body,
               {}, {}
        FROM page AS p LEFT JOIN metering.metadata AS d USING (metadata_id)
        ORDER BY p.resource_id, coalesce(p.project_id, '')",
        name_now("project", "p.project_id"),
        name_now("user", "p.user_id")
    );
    let rows = client
        .query(
            &statement,
            &[&filter.project_id, &filter.meter, &after_resource, &after_project, &limit],
        )
        .await?;
    let resource = |row: &Row| Resource {
        resource_id: row.get(0),
        project_id: row.get(1),
        first_at: row.get(2),
        last_at: row.get(3),
        meters: row.get(4),
        user_id: row.get(5),
        source: row.get(6),
        metadata: row.get::<_, Option<&str>>(7).and_then(json),
        project_name: row.get(8),
        user_name: row.get(9),
    };
    Ok(rows.iter().map(resource).collect())
}
