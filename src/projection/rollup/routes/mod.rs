//! What the read model answers.

mod hosts;
mod perf;

use deadpool_postgres::Pool;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes under `/v1` that the rollup projection answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new().routes(routes!(hosts::list)).routes(routes!(perf::of_host))
}
