//! The routes of the read model.

mod hosts;
mod perf;

use deadpool_postgres::Pool;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Returns the routes under `/v1`.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new().routes(routes!(hosts::list)).routes(routes!(perf::show))
}
