//! Exchanges, queues and bindings. What belongs to the cloud is only looked at: an exchange or
//! queue that a consumer declares first, with other flags than the cloud's, makes every later
//! publish of the cloud fail. So: declare passively, wait for what is missing, declare actively only
//! what is ours, bind key by key, and bind again, because a transient exchange vanishes with its
//! bindings when the broker restarts.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ErrorKind, ExchangeKind};

use crate::config::{Queue, QueueType, Source};

/// Declares our own exchange and queues. Whatever happens to the cloud's, these stand.
///
/// # Errors
///
/// When the broker is away, or something of that name stands there with other arguments.
pub(super) async fn declare_ours(
    connection: &Connection,
    sources: &[Source],
) -> Result<(), lapin::Error> {
    let channel = connection.create_channel().await?;
    for source in sources {
        if source.ours {
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            channel
                .exchange_declare(
                    source.exchange.as_str().into(),
                    ExchangeKind::Topic,
                    options,
                    FieldTable::default(),
                )
                .await?;
        }
        for queue in &source.queues {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            channel.queue_declare(queue.name.as_str().into(), options, arguments(queue)).await?;
        }
    }
    channel.close(200, "done".into()).await
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

/// Binds a source's queues, when its exchange is there; `false` when it is not (yet).
///
/// # Errors
///
/// When the broker is away.
pub(super) async fn bind(connection: &Connection, source: &Source) -> Result<bool, lapin::Error> {
    // A passive declare of what is missing closes its channel: hence a channel of its own.
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let looked = channel
        .exchange_declare(
            source.exchange.as_str().into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        )
        .await;
    match looked {
        Ok(()) => {}
        Err(error) if is_not_found(&error) => return Ok(false),
        Err(error) => return Err(error),
    }
    for queue in &source.queues {
        for key in &queue.keys {
            let bound = channel
                .queue_bind(
                    queue.name.as_str().into(),
                    source.exchange.as_str().into(),
                    key.as_str().into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await;
            match bound {
                Ok(()) => {}
                // It went between the look and the binding.
                Err(error) if is_not_found(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
    channel.close(200, "done".into()).await?;
    Ok(true)
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404)
}
