//! Reports of deployments at Audrey's paths: its own documents in XML, and all details in JSON.

mod format;
mod reports;
mod xml;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use format::with_xml;

use super::State;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(reports::deployment))
        .routes(routes!(reports::instance))
        .routes(routes!(reports::service))
}
