//! TTM's own routes, in its shapes: bootstraps in the field call them and are not changed for us.
//!
//! A call that reports something appends one neutral event; the projection decides which call began
//! something and which one ended it. Errors are problems with TTM's member `error` added.

mod base;
mod call;
mod format;
mod incomplete;
mod instances;
mod metric;
mod metrics;
mod parameters;
mod problem;
mod recipe;
mod time;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use base::Address;
pub(super) use problem::add_error_member;

use super::State;

/// The routes under `/ttm`.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(time::show))
        .routes(routes!(time::report))
        .routes(routes!(time::report_by_short_path))
        .routes(routes!(instances::list))
        .routes(routes!(instances::exists))
        .routes(routes!(metrics::list_references, metrics::post))
        .routes(routes!(metrics::show_of_instance))
        .routes(routes!(metrics::list))
        .routes(routes!(metrics::show))
        .routes(routes!(recipe::post))
        .routes(routes!(recipe::end))
        .routes(routes!(incomplete::list))
}
