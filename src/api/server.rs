//! Connections: each its own task, none of them able to hold up the others or the end.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take to send a request's header, and how long an idle connection is kept.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);

/// How long requests in hand may take once the process was asked to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// Accepts until `stop`, then waits for the requests in hand.
pub(super) async fn run(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    // Ends what is still open when this function does.
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = serve(stream, routes.clone(), stop.clone());
                let end = end.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = serving => {}
                        () = end.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to close some first.
                tracing::warn!(error = %error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(FAREWELL, connections.wait()).await.is_err() {
        tracing::warn!("{} slow connections were cut off", connections.len());
    }
}

async fn serve(stream: TcpStream, routes: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
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
