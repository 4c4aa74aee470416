//! What everything of ours that speaks AMQP begins with: a connection, and our own exchange.

use std::sync::LazyLock;
use std::time::Duration;

use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use tokio::runtime::{Builder, Handle};

use crate::secret::ConnectionString;

/// How long nobody looks at the brokers' sockets after one of them had something to say.
const REST: Duration = Duration::from_millis(1);

/// How long a broker may take to say goodbye.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);

/// Watches the brokers' sockets, for the whole process. A broker sends a few messages at a time, and
/// for each such piece its client would be woken, over two threads: at full speed that is more work
/// than to read them. Resting after each event it finds what has come meanwhile together; a broker
/// that has been silent is heard at once.
static WATCH: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(|| std::thread::sleep(REST))
        .build()
        .expect("a process that runs has what a runtime needs");
    let handle = runtime.handle().clone();
    let watch = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new()
        .name("watch brokers".to_owned())
        .spawn(watch)
        .expect("there are threads left");
    handle
});

/// Connects to a broker.
///
/// # Errors
///
/// When it is away or refuses.
pub async fn connect(url: &ConnectionString, name: &str) -> Result<Connection, lapin::Error> {
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
    // A connection's socket is watched by the runtime that it is made on.
    let connecting = WATCH.spawn(async move {
        tokio::time::timeout(Duration::from_secs(10), Connection::connect(&url, properties)).await
    });
    match connecting.await {
        Ok(Ok(connected)) => connected,
        Ok(Err(_)) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        Err(ended) => Err(std::io::Error::other(ended).into()),
    }
}

/// Ends a connection. Where channels end in the same moment the client library now and then waits
/// for ever for the broker's answer; nobody else is to wait for it.
pub async fn disconnect(connection: &Connection) {
    let goodbye = connection.close(200, "done".into());
    match tokio::time::timeout(GOODBYE_PATIENCE, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a connection ended with an error: {error}"),
        Err(_) => tracing::debug!("a connection ended without an answer"),
    }
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
