//! Tenants: the projects that samples are of.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use utoipa::ToSchema;

use super::names::name_now;

/// A tenant with samples.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// The tenant's id, as in the samples.
    pub tenant_id: String,
    /// The latest name that was reported for it; null if none was.
    pub name: Option<String>,
    /// The number of its resources that were measured.
    pub resources: i64,
    /// The time of its earliest sample.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The time of its latest sample.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

/// Reads the tenants whose ids come after `after`, in order of their ids; `limit` of them if one is given.
///
/// # Errors
///
/// When the database does not answer.
pub async fn tenants(
    client: &impl GenericClient,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<Tenant>, tokio_postgres::Error> {
    let statement = format!(
        "-- metering::tenants
         SELECT t.*, {}
         FROM (
             SELECT project_id, count(*), min(first_at), max(last_at)
             FROM metering.resource
             WHERE project_id IS NOT NULL AND ($1::text IS NULL OR project_id > $1)
             GROUP BY project_id ORDER BY project_id LIMIT $2
         ) AS t ORDER BY t.project_id",
        name_now("project", "t.project_id")
    );
    let rows = client.query(&statement, &[&after, &limit]).await?;
    let tenant = |row: &Row| Tenant {
        tenant_id: row.get(0),
        resources: row.get(1),
        first_at: row.get(2),
        last_at: row.get(3),
        name: row.get(4),
    };
    Ok(rows.iter().map(tenant).collect())
}

/// Whether there is any sample of the tenant.
///
/// # Errors
///
/// When the database does not answer.
pub async fn is_known_tenant(
    client: &impl GenericClient,
    tenant_id: &str,
) -> Result<bool, tokio_postgres::Error> {
    let statement = "-- metering::is_known_tenant
        SELECT EXISTS (SELECT FROM metering.resource WHERE project_id = $1)";
    Ok(client.query_one(statement, &[&tenant_id]).await?.get(0))
}

/// Reads the time of a tenant's earliest sample.
///
/// # Errors
///
/// When the database does not answer.
pub async fn first_sample_of(
    client: &impl GenericClient,
    tenant_id: &str,
) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    let statement = "-- metering::first_sample
        SELECT min(first_at) FROM metering.resource WHERE project_id = $1";
    Ok(client.query_one(statement, &[&tenant_id]).await?.get(0))
}
