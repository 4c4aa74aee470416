//! `/v1/resources`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;

use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query};
use crate::projection::metering::read::{self, Resource, ResourceFilter};

impl FromParameters for ResourceFilter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(ResourceFilter {
            project_id: parameters.text("project_id")?,
            meter: parameters.text("meter")?,
        })
    }
}

/// Resources that were measured, by id
#[utoipa::path(get, path = "/v1/resources", tag = "Meters", operation_id = "resources",
    params(ResourceFilter, Paging), responses((status = 200, body = Items<Resource>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(ResourceFilter, Paging)>,
) -> Result<Json<Items<Resource>>, Problem> {
    let after: Option<read::ResourceKey> = paging.after()?;
    let client = pool.get().await?;
    let resources = read::resources(&**client, &filter, after, paging.rows()).await?;
    Ok(Json(paging.page(resources, Resource::key)))
}
