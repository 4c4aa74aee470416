//! The routes of the read model.

mod meters;
mod rejected;
mod resources;
mod samples;
mod tenants;

use deadpool_postgres::Pool;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Returns the routes under `/v1` that the metering projection answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new()
        .routes(routes!(samples::list))
        .routes(routes!(rejected::list))
        .routes(routes!(meters::list))
        .routes(routes!(resources::list))
        .routes(routes!(tenants::list))
}
