//! The basis of everything here that uses AMQP: connections, the declaration of our own exchange, and what a
//! broker reports of itself and its queues.

mod cluster;
mod frames;
mod management;
mod transport;
mod version;

use std::sync::LazyLock;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use tokio::runtime::{Builder, Handle};

use crate::secret::ConnectionString;

pub use cluster::{Cluster, NoNode};
pub use frames::SUBSTITUTE;
pub use management::{
    Binding, DeliveryLimit, LimitOrigin, Management, ManagementError, QueueSummary, UnroutedFate,
};
pub use version::{BrokerVersion, read_version};

/// Pause between polls of the brokers' sockets.
const POLL_PAUSE: Duration = Duration::from_millis(1);

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take if there are other nodes to try.
const NODE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a broker may take to confirm that a connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The runtime that watches the brokers' sockets, for the whole process. A broker sends a few messages at a
/// time, and each such piece would wake its client, across two threads: at full speed that is more work than
/// reading the messages. Because the runtime pauses after each event, it finds everything that arrived
/// meanwhile at once; after a silence, it reacts to the first message immediately.
static WATCHER: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(|| std::thread::sleep(POLL_PAUSE))
        .build()
        .expect("the broker runtime starts");
    let handle = runtime.handle().clone();
    let watch = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new()
        .name("watch brokers".to_owned())
        .spawn(watch)
        .expect("the thread of the broker runtime starts");
    handle
});

/// Connects to a node of a cluster, beginning with the one at `first`, and returns its position. `name` is the
/// connection's name in the broker's management.
///
/// # Errors
///
/// When every node is away or refuses.
pub async fn connect_any(
    cluster: &Cluster,
    first: usize,
    name: &str,
) -> Result<(usize, Connection), NoNode> {
    let mut none = NoNode::default();
    for position in cluster.positions_from(first) {
        let node = &cluster.nodes()[position];
        match connect_within(node_timeout(cluster), node, name).await {
            Ok(connection) => return Ok((position, connection)),
            Err(error) => none.add(node, error.to_string()),
        }
    }
    Err(none)
}

/// How long a connection attempt to one node of a cluster may take.
pub fn node_timeout(cluster: &Cluster) -> Duration {
    match cluster.nodes() {
        [_] => CONNECT_TIMEOUT,
        _ => NODE_TIMEOUT,
    }
}

/// Connects to a broker. `name` is the connection's name in the broker's management.
///
/// # Errors
///
/// When the broker is away or refuses.
pub async fn connect(url: &ConnectionString, name: &str) -> Result<Connection, lapin::Error> {
    connect_within(CONNECT_TIMEOUT, url, name).await
}

/// As [`connect`], with a limit of time.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_within(
    timeout: Duration,
    url: &ConnectionString,
    name: &str,
) -> Result<Connection, lapin::Error> {
    let mut url = url.expose().to_owned();
    // The limit keeps a faulty peer from making us allocate any amount of memory for one frame. It must not be
    // lower than the broker's own: the broker sends a message's headers in one frame, however large they are.
    for (option, value) in [("frame_max", "131072"), ("heartbeat", "20")] {
        if !url.contains(&format!("{option}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{option}={value}"));
        }
    }
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    // The socket of a connection is watched by the runtime that the connection is made on.
    let connecting = WATCHER.spawn(async move {
        let connecting = Connection::connect_with_runtime(&url, properties, transport::runtime());
        tokio::time::timeout(timeout, connecting).await
    });
    match connecting.await {
        Ok(Ok(connected)) => connected,
        Ok(Err(_)) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        Err(ended) => Err(std::io::Error::other(ended).into()),
    }
}

/// Closes a connection, and gives up after `CLOSE_TIMEOUT`: if channels end at the same moment, the client
/// library sometimes waits forever for the broker's answer.
pub async fn disconnect(connection: &Connection) {
    if !connection.status().connected() {
        return;
    }
    let closing = connection.close(200, "done".into());
    match tokio::time::timeout(CLOSE_TIMEOUT, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("closing a connection failed: {error}"),
        Err(_) => tracing::debug!("the broker did not confirm that a connection is closed"),
    }
}

/// Declares an exchange of ours.
///
/// # Errors
///
/// When the broker is away, or an exchange of that name exists with other flags.
pub async fn declare_exchange(connection: &Connection, exchange: &str) -> Result<(), lapin::Error> {
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel
        .exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default())
        .await?;
    channel.close(200, "done".into()).await
}

/// What waits in a queue, and who takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Its messages, without those that were sent ahead to consumers.
    pub messages: u32,
    /// Its consumers.
    pub consumers: u32,
}

/// Reads the depth of a queue; `None` if there is no such queue, or it is not for us to see.
///
/// # Errors
///
/// When the broker is away.
pub async fn read_depth(
    connection: &Connection,
    queue: &str,
) -> Result<Option<QueueDepth>, lapin::Error> {
    // A channel of its own, which a refusal closes.
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
        Ok(queue) => {
            let depth =
                QueueDepth { messages: queue.message_count(), consumers: queue.consumer_count() };
            channel.close(200, "done".into()).await?;
            Ok(Some(depth))
        }
        Err(error) if is_refused(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the broker refused a request and closed its channel, as opposed to being away.
pub fn is_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.get_id(), 403..=406))
}
