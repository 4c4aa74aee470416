//! Connections: each is its own task, and none can hold up the others or the end of the process.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::State;
use super::operate::Monitor;
use super::router::{health_router, router};

/// Time for a client to send a request's header; also how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for the requests in hand to finish once the process was asked to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until `stop`, then lets the requests in hand finish, except those of clients that are too slow.
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
    tracing::info!("serving on http://{address}; the API is described at /docs");
    run(listener, router(state, address)?, stop).await;
    Ok(())
}

/// Serves health, readiness and metrics alone until `stop`.
///
/// # Errors
///
/// When the listener has no address.
pub async fn serve_health(
    listener: TcpListener,
    monitor: Monitor,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    crate::telemetry::init_metrics();
    tracing::info!("serving health and metrics on http://{}", listener.local_addr()?);
    run(listener, health_router(monitor), stop).await;
    Ok(())
}

/// Accepts connections until `stop`, then waits for the requests in hand.
async fn run(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    // Dropped at the end of this function: it closes the connections that are still open then.
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = serve_connection(stream, routes.clone(), stop.clone());
                let end = end.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = serving => {}
                        () = end.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                // Most likely the process is out of file descriptors: other connections have to close first.
                tracing::warn!(error = %error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(STOP_TIMEOUT, connections.wait()).await.is_err() {
        tracing::warn!("{} connections did not finish in time and were cut off", connections.len());
    }
}

/// Answers the requests of one connection, until it ends; after `stop`, the one in hand is its last.
async fn serve_connection(stream: TcpStream, routes: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
