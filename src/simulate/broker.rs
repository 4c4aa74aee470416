//! Keeps a simulated cloud off a real one's broker: its instances would be billed and reported.

use anyhow::{Context, Result, bail};
use lapin::{
    Connection, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    types::FieldTable,
};

/// Queues that oslo.messaging declares for its own notifications. Neither we nor the consumer do.
const QUEUES: [&str; 6] = [
    "notifications.info",
    "notifications.error",
    "notifications.sample",
    "metering.sample",
    "versioned_notifications.info",
    "versioned_notifications.error",
];

/// Exchanges of services that we do not simulate.
const EXCHANGES: [&str; 6] = ["neutron", "glance", "cinder", "openstack", "keystone", "heat"];

/// Reply codes: it is not there; it is there, and another connection's alone.
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;

/// Fails when the virtual host holds something that only OpenStack's own services declare.
pub(super) async fn refuse_cloud(connection: &Connection) -> Result<()> {
    let mut found = Vec::new();
    for name in QUEUES {
        if queue_exists(connection, name).await? {
            found.push(format!("queue {name}"));
        }
    }
    for name in EXCHANGES {
        if exchange_exists(connection, name).await? {
            found.push(format!("exchange {name}"));
        }
    }
    if !found.is_empty() {
        let found = found.join(", ");
        bail!(
            "a real cloud seems to use this broker ({found}); use --force to publish all the same"
        );
    }
    Ok(())
}

// A passive declaration of what is missing closes its channel, so each question gets one of its own.

async fn queue_exists(connection: &Connection, name: &str) -> Result<bool> {
    let channel = connection.create_channel().await.context("cannot open a channel")?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let answer = channel.queue_declare(name.into(), options, FieldTable::default()).await;
    exists(answer.map(|_| ())).with_context(|| format!("cannot ask for queue {name}"))
}

async fn exchange_exists(connection: &Connection, name: &str) -> Result<bool> {
    let channel = connection.create_channel().await.context("cannot open a channel")?;
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let arguments = FieldTable::default();
    let answer =
        channel.exchange_declare(name.into(), ExchangeKind::Topic, options, arguments).await;
    exists(answer).with_context(|| format!("cannot ask for exchange {name}"))
}

fn exists(answer: lapin::Result<()>) -> lapin::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == NOT_FOUND => Ok(false),
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == RESOURCE_LOCKED => Ok(true),
            _ => Err(error),
        },
    }
}
