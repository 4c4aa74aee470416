//! Sales orders, by the parameters and in the shapes of Distil, and ours.

mod ask;
mod order;
mod past;
mod samples;

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
        .routes(routes!(past::historic))
        .routes(routes!(past::range))
        .routes(routes!(samples::list))
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

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::UnknownTenant(_) => {
                Problem { parameter: Some("tenant".to_owned()), ..Problem::not_found(detail) }
            }
            Error::Covered { order_id, .. } => {
                Problem { order_id: Some(order_id), ..Problem::conflict(detail) }
            }
            Error::NothingUsed(_) | Error::Settling(_) | Error::Unrated(_) => {
                Problem::conflict(detail)
            }
            Error::NotYet(_) => Problem::unavailable(detail),
            Error::Database(error) => error.into(),
            Error::Append(crate::log::AppendError::Transient(error)) => error.into(),
            Error::Append(_) | Error::Broken(_) => {
                tracing::error!(error = detail, "a sales order failed");
                Problem::internal()
            }
        }
    }
}
