//! Exchanges, queues and bindings. What belongs to the cloud is only looked at: an exchange or
//! queue that a consumer declares first, with other flags than the cloud's, makes every later
//! publish of the cloud fail. So: declare passively, wait for what is missing, declare actively only
//! what is ours, bind key by key, and bind again, because a transient exchange vanishes with its
//! bindings when the broker restarts.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use crate::broker::is_refused;
use crate::config::{Queue, QueueType};

/// Declares a queue of ours, on the channel that is to consume from it.
///
/// # Errors
///
/// When the broker is away, or something of that name stands there with other arguments; the
/// channel is then closed, the connection is not.
pub(super) async fn declare_queue(channel: &Channel, queue: &Queue) -> Result<(), lapin::Error> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.name.as_str().into(), options, arguments(queue)).await?;
    Ok(())
}

fn arguments(queue: &Queue) -> FieldTable {
    let mut arguments = FieldTable::default();
    if queue.queue_type == QueueType::Quorum {
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    }
    if let Some(bytes) = queue.max_length_bytes {
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
    }
    arguments
}

/// What became of a queue's bindings to an exchange.
pub(super) enum Binding {
    /// They stand.
    Bound,
    /// The exchange is not there (yet), or our queue is not.
    Missing,
    /// The broker does not allow it, for this reason.
    Refused(String),
}

/// Binds a queue of ours by all its keys, when the exchange is there.
///
/// # Errors
///
/// When the broker is away.
pub(super) async fn bind(
    connection: &Connection,
    exchange: &str,
    queue: &Queue,
) -> Result<Binding, lapin::Error> {
    // What is refused closes its channel: hence a channel of its own.
    let channel = connection.create_channel().await?;
    match bind_keys(&channel, exchange, queue).await {
        Ok(()) => {
            channel.close(200, "done".into()).await?;
            Ok(Binding::Bound)
        }
        Err(error) if is_not_found(&error) => Ok(Binding::Missing),
        Err(error) if is_refused(&error) => Ok(Binding::Refused(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn bind_keys(channel: &Channel, exchange: &str, queue: &Queue) -> Result<(), lapin::Error> {
    // A passive declare takes an exchange with whatever flags it has.
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    channel
        .exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default())
        .await?;
    for key in &queue.keys {
        channel
            .queue_bind(
                queue.name.as_str().into(),
                exchange.into(),
                key.as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(())
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404)
}
