//! Deployments, in our own shape.
//!
//! The routes are here rather than with the read model because they need more than its rows: Nova's view
//! of the instances comes from another read model, and the configuration decides what silence means.
//! Audrey's reports in JSON are made of the same parts.

mod list;
mod load;
mod shape;
mod show;
mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::api) use self::load::{
    find_last_attempt, find_last_generation, load_facts_of_deployment, load_facts_of_instance,
    load_nova_of, silence_limit,
};
pub(in crate::api) use self::shape::{show_deployment, show_instance, show_service};
pub(in crate::api) use self::view::{Deployment, Instance, Service};

use crate::api::State;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(show::show))
}
