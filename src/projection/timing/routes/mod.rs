//! The routes of the read model.

mod builds;
mod instance;
mod instances;
mod nova;
mod requests;
mod timings;

use deadpool_postgres::Pool;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use nova::{Nova, load_nova};

/// The routes under `/v1` that the timing projection answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new()
        .routes(routes!(instances::list))
        .routes(routes!(instance::show))
        .routes(routes!(builds::list_incomplete))
        .routes(routes!(timings::list))
        .routes(routes!(requests::show))
}
