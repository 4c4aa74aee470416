//! Our own routes and shapes, except the ones that belong to a read model.

mod dead_letters;
pub(super) mod deployments;
mod events;
pub(super) mod intake;
mod projections;
mod sales_order_samples;
mod skipped;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .merge(projections::routes())
        .merge(events::routes())
        .merge(dead_letters::routes())
        .merge(skipped::routes())
        .merge(deployments::routes())
        .routes(routes!(sales_order_samples::list))
}
