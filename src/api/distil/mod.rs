//! Distil's routes: usage of tenants and their sales orders, with its parameters and in its shapes.

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
use crate::projection::metering::read;
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

/// Returns an answer whose text is JSON already.
fn json(text: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.into()).into_response()
}

/// Refuses a tenant without samples.
async fn require_known(client: &Client, tenant_id: &str) -> Result<(), Problem> {
    match read::is_known_tenant(client, tenant_id).await? {
        true => Ok(()),
        false => Err(Error::UnknownTenant(tenant_id.to_owned()).into()),
    }
}
