//! `/v1/tenants`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;

use crate::http::{Items, Paging, Problem, Query};
use crate::projection::metering::read::{self, Tenant};

/// Tenants that samples are of, by id
#[utoipa::path(get, path = "/v1/tenants", tag = "Meters", operation_id = "tenants", params(Paging),
    responses((status = 200, body = Items<Tenant>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Tenant>>, Problem> {
    let after: Option<String> = paging.after()?;
    let client = pool.get().await?;
    let tenants = read::tenants(&**client, after.as_deref(), Some(paging.rows())).await?;
    Ok(Json(paging.page(tenants, |tenant: &Tenant| tenant.tenant_id.clone())))
}
