//! `/v1/tenants`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use crate::http::{Items, Paging, Problem, Query};

/// A tenant, as far as samples tell.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    /// Its id, as the senders gave it.
    tenant_id: String,
    /// How many of its resources were measured.
    resources: i64,
    /// The earliest time of a sample of it.
    #[schema(value_type = String, format = DateTime)]
    first_at: Timestamp,
    /// The latest.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

impl From<&Row> for Tenant {
    fn from(row: &Row) -> Self {
        Tenant {
            tenant_id: row.get("project_id"),
            resources: row.get("resources"),
            first_at: row.get("first_at"),
            last_at: row.get("last_at"),
        }
    }
}

/// Tenants that samples are of, by id
#[utoipa::path(get, path = "/v1/tenants", tag = "Meters", operation_id = "tenants", params(Paging),
    responses((status = 200, body = Items<Tenant>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Tenant>>, Problem> {
    let after: Option<String> = paging.after()?;
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- metering::tenants
             SELECT project_id, count(*) AS resources, min(first_at) AS first_at, max(last_at) AS last_at
             FROM metering.resource
             WHERE project_id IS NOT NULL AND ($1::text IS NULL OR project_id > $1)
             GROUP BY project_id ORDER BY project_id LIMIT $2",
            &[&after, &paging.rows()],
        )
        .await?;
    let items = rows.iter().map(Tenant::from).collect();
    Ok(Json(paging.page(items, |tenant: &Tenant| tenant.tenant_id.clone())))
}
