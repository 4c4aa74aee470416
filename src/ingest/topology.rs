//! Exchanges, queues and bindings. The cloud's exchanges and queues are never created here: if a consumer
//! declares one first, with other flags than the cloud's, every later publish of the cloud fails. So we
//! declare the cloud's exchanges passively, wait for missing ones, actively declare only our own, bind key by
//! key, and bind again from time to time, because a transient exchange vanishes with its bindings when the
//! broker restarts.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use crate::broker::is_refused;
use crate::config::{Queue, QueueType};

/// The argument that switches off the limit after which a quorum queue drops a message.
const DELIVERY_LIMIT: &str = "x-delivery-limit";

/// Declares a queue of ours and returns the channel that is to consume from it.
///
/// If the broker can switch it off, a new quorum queue has no delivery limit: RabbitMQ 4 drops a message by
/// default once it was delivered 21 times. An existing queue keeps the limit that it has, because its arguments
/// are fixed.
///
/// # Errors
///
/// When the broker is away, or a queue of that name exists with other arguments. In the second case the
/// channel is closed, but not the connection.
pub(super) async fn declare_queue(
    connection: &Connection,
    queue: &Queue,
    can_be_unlimited: bool,
) -> Result<Channel, lapin::Error> {
    let arguments = arguments(queue);
    if can_be_unlimited {
        let mut unlimited = arguments.clone();
        unlimited.insert(DELIVERY_LIMIT.into(), AMQPValue::LongInt(-1));
        match declare(connection, queue, unlimited).await {
            Err(error) if is_about(&error, DELIVERY_LIMIT) => {}
            declared => return declared,
        }
    }
    declare(connection, queue, arguments).await
}

/// Declares a queue on a new channel, which a refusal closes.
async fn declare(
    connection: &Connection,
    queue: &Queue,
    arguments: FieldTable,
) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.name.as_str().into(), options, arguments).await?;
    Ok(channel)
}

/// Returns the `x-` arguments of the queue. Its type is always among them: without it, the type is the virtual
/// host's default, which may be quorum, with a delivery limit.
fn arguments(queue: &Queue) -> FieldTable {
    let mut arguments = FieldTable::default();
    let queue_type = match queue.queue_type {
        QueueType::Classic => "classic",
        QueueType::Quorum => "quorum",
    };
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
    if let Some(bytes) = queue.max_length_bytes {
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
    }
    arguments
}

/// The outcome of binding a queue to an exchange.
pub(super) enum Binding {
    /// The queue is bound by all its keys.
    Bound,
    /// The exchange or our queue does not exist (yet).
    Missing,
    /// The broker refuses, for this reason.
    Refused(String),
}

/// Binds a queue of ours by all its keys, if the exchange exists.
///
/// # Errors
///
/// When the broker is away.
pub(super) async fn bind(
    connection: &Connection,
    exchange: &str,
    queue: &Queue,
) -> Result<Binding, lapin::Error> {
    // A refused request closes its channel, so it gets a channel of its own.
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
    // A passive declare accepts an exchange with any flags.
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

/// Whether the broker refused because of this argument.
fn is_about(error: &lapin::Error, argument: &str) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => {
            refusal.get_id() == 406 && refusal.get_message().as_str().contains(argument)
        }
        _ => false,
    }
}
