//! `/v1/resources`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};

use super::json;
use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query};

/// What was measured.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Resource {
    /// Its id, as the sender gave it.
    resource_id: String,
    /// The tenant; null where it is of none. Two tenants may use the same id.
    project_id: Option<String>,
    /// The earliest time of a sample of it.
    #[schema(value_type = String, format = DateTime)]
    first_at: Timestamp,
    /// The latest.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
    /// Names of its meters.
    meters: Vec<String>,
    /// As its latest sample says, of the trusted ones if there are any; so are the two below.
    user_id: Option<String>,
    source: Option<String>,
    /// JSON, or a text where it is none.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

impl From<&Row> for Resource {
    fn from(row: &Row) -> Self {
        Resource {
            resource_id: row.get("resource_id"),
            project_id: row.get("project_id"),
            first_at: row.get("first_at"),
            last_at: row.get("last_at"),
            meters: row.get("meters"),
            user_id: row.get("user_id"),
            source: row.get("source"),
            metadata: row.get::<_, Option<&str>>("body").and_then(json),
        }
    }
}

/// Which resources are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of one tenant.
    #[param(required = false)]
    project_id: Option<String>,
    /// Of which there are samples of this meter.
    #[param(required = false)]
    meter: Option<String>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter { project_id: parameters.text("project_id")?, meter: parameters.text("meter")? })
    }
}

/// Resources that were measured, by id
#[utoipa::path(get, path = "/v1/resources", tag = "Meters", operation_id = "resources",
    params(Filter, Paging), responses((status = 200, body = Items<Resource>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Resource>>, Problem> {
    let [after_resource, after_project] = match paging.after::<[String; 2]>()? {
        None => [const { None }; 2],
        Some(key) => key.map(Some),
    };
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- metering::resources
             WITH page AS (
                 SELECT * FROM metering.resource
                 WHERE ($1::text IS NULL OR project_id = $1)
                   AND ($2::text IS NULL OR $2 = ANY(meters))
                   AND ($3::text IS NULL OR resource_id >= $3)
                   AND ($3::text IS NULL OR (resource_id, coalesce(project_id, '')) > ($3, $4::text))
                 ORDER BY resource_id, coalesce(project_id, '') LIMIT $5
             )
             SELECT p.*, d.body FROM page AS p LEFT JOIN metering.metadata AS d USING (metadata_id)
             ORDER BY p.resource_id, coalesce(p.project_id, '')",
            &[&filter.project_id, &filter.meter, &after_resource, &after_project, &paging.rows()],
        )
        .await?;
    let items = rows.iter().map(Resource::from).collect();
    Ok(Json(paging.page(items, |resource: &Resource| {
        [resource.resource_id.clone(), resource.project_id.clone().unwrap_or_default()]
    })))
}
