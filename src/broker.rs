//! What everything of ours that speaks AMQP begins with: a connection, and our own exchange.

use std::time::Duration;

use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ErrorKind, ExchangeKind};

use crate::config::Secret;

/// Connects to a broker.
///
/// # Errors
///
/// When it is away or refuses.
pub async fn connect(url: &Secret, name: &str) -> Result<Connection, lapin::Error> {
    let mut url = url.expose().to_owned();
    // Without a limit of ours an odd peer could make us allocate what it likes for one frame. Less than
    // the broker's own will not do: it sends a message's headers in one frame, however large they are.
    for (option, value) in [("frame_max", "131072"), ("heartbeat", "20")] {
        if !url.contains(&format!("{option}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{option}={value}"));
        }
    }
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    tokio::time::timeout(Duration::from_secs(10), Connection::connect(&url, properties))
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// Declares an exchange of ours.
///
/// # Errors
///
/// When the broker is away, or something of that name stands there with other flags.
pub async fn declare_exchange(connection: &Connection, exchange: &str) -> Result<(), lapin::Error> {
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel
        .exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default())
        .await?;
    channel.close(200, "done".into()).await
}

/// Whether a channel was closed because of what was asked of it, not because the broker is away.
pub fn is_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.get_id(), 403..=406))
}
