//! The HTTP server: every route, and what stands around them all.

mod audrey;
mod clock;
mod distil;
mod docs;
mod guard;
mod lizmon;
mod operate;
mod problem;
mod server;
mod ttm;
mod v1;

pub use guard::patience;

use std::sync::Arc;

use axum::Router;
use deadpool_postgres::Pool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::config::File;
use crate::db::Database;
use crate::health::Health;
use crate::ingest::intake::Intake;
use crate::projection;
use crate::sales::Desk;
use crate::secret::Secret;

/// What the routes work with.
#[derive(Clone)]
pub struct State {
    /// Connections for queries, from [`Database::query_pool`]; names are qualified.
    pub pool: Pool,
    /// The way into the log.
    pub intake: Intake,
    /// What this process knows of the services it needs.
    pub health: Arc<Health>,
    /// Knows which schema is ours.
    pub database: Database,
    /// Where orders are computed.
    pub desk: Desk,
    /// Bearer tokens that are accepted; none: nobody is asked.
    pub tokens: Arc<[Secret]>,
    /// What is billed, and by which rules.
    pub file: Arc<File>,
}

/// Serves until `stop`; then what is in hand is finished, but for clients that are too slow.
///
/// # Errors
///
/// When the listener has no address, or the description of the routes cannot be written.
pub async fn serve(
    listener: TcpListener,
    state: State,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    crate::telemetry::init_metrics();
    let address = listener.local_addr()?;
    tracing::info!("serving on http://{address} (/docs shows what)");
    server::run(listener, router(state, address)?, stop).await;
    Ok(())
}

/// All routes with their guards. `address` is where they are served, for clients that do not say.
fn router(state: State, address: std::net::SocketAddr) -> anyhow::Result<Router> {
    let (routes, description) = OpenApiRouter::with_openapi(docs::info())
        .merge(operate::routes())
        .merge(v1::routes())
        .merge(ttm::routes())
        .merge(lizmon::routes())
        .merge(audrey::routes())
        .merge(distil::routes())
        .with_state(state.clone())
        .merge(projection::timing::routes::routes().with_state(state.pool.clone()))
        .merge(projection::metering::routes::routes().with_state(state.pool.clone()))
        .merge(projection::rollup::routes::routes().with_state(state.pool.clone()))
        .merge(projection::sales::routes::routes().with_state(state.pool.clone()))
        .split_for_parts();
    let routes = routes.merge(docs::routes(description)?);
    Ok(guard::around(routes, state.tokens).layer(axum::Extension(ttm::Address(address))))
}
