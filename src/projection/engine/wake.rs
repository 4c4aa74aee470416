//! Wakes feeds: one connection per process listens for appends. While it is lost, feeds poll.

use std::future::poll_fn;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::sync::CancellationToken;

use crate::db::Database;
use crate::lifecycle::Backoff;
use crate::log::NOTIFY_CHANNEL;

/// Listens until `stop`, and sends each head that an append announces.
pub(super) async fn listen(
    database: Database,
    heads: Arc<watch::Sender<i64>>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::for_readiness();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            // Ends only with the connection. The cause does not matter: feeds poll meanwhile.
            ended = forward_notifications(&database, &heads) => if ended.is_ok() { backoff.reset() },
        }
        if !backoff.wait(&stop).await {
            return;
        }
    }
}

/// Forwards the heads that appends announce until the connection ends.
async fn forward_notifications(
    database: &Database,
    sender: &watch::Sender<i64>,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = database.config().connect(NoTls).await?;
    let listen = format!("LISTEN {NOTIFY_CHANNEL}");
    let mut listening = std::pin::pin!(client.batch_execute(&listen).fuse());
    loop {
        tokio::select! {
            result = &mut listening => result?,
            message = poll_fn(|cx| connection.poll_message(cx)) => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    sender.send_replace(notification.payload().parse().unwrap_or(0));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}
