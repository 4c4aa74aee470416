//! Distil's routes: usage of tenants and their sales orders, by its parameters and in its shapes.

mod collected;
mod fields;
mod issued;
mod order;
mod time;
mod usage;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio_postgres::Client;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use crate::http::Problem;
use crate::sales::Error;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(order::issue))
        .routes(routes!(order::draft))
        .routes(routes!(issued::historic))
        .routes(routes!(issued::range))
        .routes(routes!(usage::get_usage))
        .routes(routes!(collected::collect_usage))
        .routes(routes!(collected::last_collected))
}

/// An answer of which every byte stands already.
fn json(text: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.into()).into_response()
}

/// That something was told of the tenant.
async fn is_known(client: &Client, tenant_id: &str) -> Result<(), Problem> {
    let statement = "-- sales::is_known
        SELECT FROM metering.resource WHERE project_id = $1 LIMIT 1";
    match client.query_opt(statement, &[&tenant_id]).await? {
        Some(_) => Ok(()),
        None => Err(Error::UnknownTenant(tenant_id.to_owned()).into()),
    }
}
