//! All routes in one router, and their description.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Extension, Router};
use utoipa_axum::router::OpenApiRouter;

use super::operate::Monitor;
use super::{State, audrey, distil, docs, guard, lizmon, operate, ttm, v1};
use crate::projection;

/// Returns the routes of health, readiness and metrics alone, which need no token.
pub(super) fn health_router(monitor: Monitor) -> Router {
    let routes = Router::from(operate::routes().with_state(monitor));
    guard::around(routes, Arc::default())
}

/// Returns all routes inside their guards. `address` is the server's own, for requests that do not name it.
///
/// # Errors
///
/// When the description of the routes cannot be written as JSON.
pub(super) fn router(state: State, address: SocketAddr) -> anyhow::Result<Router> {
    let monitor = Monitor::new(
        state.pool.clone(),
        state.database.clone(),
        Arc::clone(&state.health),
        projection::ALL,
    );
    let operate =
        OpenApiRouter::with_openapi(docs::info()).merge(operate::routes()).with_state(monitor);
    let ours = OpenApiRouter::new()
        .merge(v1::routes())
        .merge(ttm::routes())
        .merge(lizmon::routes())
        .merge(audrey::routes())
        .merge(distil::routes())
        .with_state(state.clone());
    let (routes, description) = projection::ALL
        .iter()
        .map(|projection| (projection.routes)().with_state(state.read_pool.clone()))
        .fold(operate.merge(ours), OpenApiRouter::merge)
        .split_for_parts();
    let routes = routes.merge(docs::routes(description)?);
    Ok(guard::around(routes, state.tokens).layer(Extension(ttm::Address(address))))
}
