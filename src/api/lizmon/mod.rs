//! Lizmon's routes, in its shapes: its agents post samples, and its users read summaries.
//!
//! Two differences from Lizmon: the label filter ignores case, as Lizmon's README describes and its code does
//! not; and a summary without samples is not served, where Lizmon serves the old one for ever.

mod post;
mod summaries;
mod summary;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(summaries::all))
        .routes(routes!(summaries::matching, post::post))
}
