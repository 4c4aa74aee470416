//! The link to a broker. A lost connection shows at once only where something is read from it; while the database is
//! away, nothing may be. So the link is asked for a sign of life from time to time.

use std::pin::pin;
use std::time::Duration;

use lapin::Connection;
use lapin::options::BasicQosOptions;

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// How long an answer may take before the link counts as silent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches a connection and returns the error that ends it. `report` is called with `true` while the broker does not
/// answer, and with `false` whenever it does; a silent connection ends when its heartbeats are missed.
pub(super) async fn watch(connection: &Connection, report: impl Fn(bool)) -> lapin::Error {
    // Setting the prefetch limit of a channel that consumes nothing is the smallest request that needs no
    // permission.
    let channel = match connection.create_channel().await {
        Ok(channel) => channel,
        Err(error) => return error,
    };
    loop {
        tokio::time::sleep(PAUSE).await;
        let mut answer = pin!(channel.basic_qos(1, BasicQosOptions::default()));
        let answer = loop {
            match tokio::time::timeout(ANSWER_TIMEOUT, &mut answer).await {
                Ok(answer) => break answer,
                Err(_) => report(true),
            }
        };
        match answer {
            Ok(()) => report(false),
            Err(error) => return error,
        }
    }
}
