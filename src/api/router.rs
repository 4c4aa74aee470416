//! All routes in one router, and their description.

use std::net::SocketAddr;

use axum::{Extension, Router};
use utoipa_axum::router::OpenApiRouter;

use super::{State, audrey, distil, docs, guard, lizmon, operate, ttm, v1};
use crate::projection;

/// Returns all routes inside their guards. `address` is the server's own, for requests that do not name it.
///
/// # Errors
///
/// When the description of the routes cannot be written as JSON.
pub(super) fn router(state: State, address: SocketAddr) -> anyhow::Result<Router> {
    let ours = OpenApiRouter::with_openapi(docs::info())
        .merge(operate::routes())
        .merge(v1::routes())
        .merge(ttm::routes())
        .merge(lizmon::routes())
        .merge(audrey::routes())
        .merge(distil::routes())
        .with_state(state.clone());
    let (routes, description) = projection::ALL
        .iter()
        .map(|projection| (projection.routes)().with_state(state.pool.clone()))
        .fold(ours, OpenApiRouter::merge)
        .split_for_parts();
    let routes = routes.merge(docs::routes(description)?);
    Ok(guard::around(routes, state.tokens).layer(Extension(ttm::Address(address))))
}
