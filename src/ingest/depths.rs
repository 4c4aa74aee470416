//! The depths of our queues, as a metric: what waits there has not reached the log.

use std::convert::Infallible;
use std::time::Duration;

use lapin::Connection;
use metrics::gauge;

use crate::broker;

/// Pause between two readings.
const PAUSE: Duration = Duration::from_secs(15);

/// Pause while a queue is not declared yet.
const MISSING_PAUSE: Duration = Duration::from_secs(1);

/// Reads the depths of these queues from time to time. Runs until it is dropped; the end of the connection is noticed by
/// others.
pub(super) async fn watch(connection: &Connection, cluster: &str, queues: &[String]) -> Infallible {
    // Our queues are being declared: the broker's log has an error for each question about one that is missing.
    tokio::time::sleep(MISSING_PAUSE).await;
    loop {
        let mut are_all_there = true;
        for queue in queues {
            match broker::read_depth(connection, queue).await {
                Ok(Some(depth)) => {
                    let labels = [("broker", cluster.to_owned()), ("queue", queue.clone())];
                    gauge!("stackledger_queue_messages", &labels).set(depth.messages);
                }
                Ok(None) => are_all_there = false,
                Err(error) => tracing::debug!("the depth of {queue} is not known: {error}"),
            }
        }
        tokio::time::sleep(if are_all_there { PAUSE } else { MISSING_PAUSE }).await;
    }
}
