//! Reports of deployments: Audrey's documents in XML, and all that is known in JSON.

mod format;
mod list;
mod shape;
mod show;
mod view;
mod xml;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use format::with_xml;

use super::State;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(show::deployment))
        .routes(routes!(show::instance))
        .routes(routes!(show::service))
        .routes(routes!(list::list))
        .routes(routes!(show::tree))
}
