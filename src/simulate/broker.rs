//! Keeps a simulated cloud off the broker of a real one, where its instances would be billed and reported.

use anyhow::{Context, Result, bail};
use lapin::{
    Connection, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    types::FieldTable,
};

/// Queues that oslo.messaging declares for its own notifications. Neither the simulator nor the consumer
/// declares them.
const OSLO_QUEUES: [&str; 6] = [
    "notifications.info",
    "notifications.error",
    "notifications.sample",
    "metering.sample",
    "versioned_notifications.info",
    "versioned_notifications.error",
];

/// Exchanges of services that are not simulated.
const SERVICE_EXCHANGES: [&str; 6] =
    ["neutron", "glance", "cinder", "openstack", "keystone", "heat"];

/// AMQP's reply code for a name that does not exist.
const NOT_FOUND: u16 = 404;
/// AMQP's reply code for a queue that exists and is exclusive to another connection.
const RESOURCE_LOCKED: u16 = 405;

/// Fails if the virtual host contains a queue or an exchange that only OpenStack's own services declare.
pub(super) async fn refuse_real_cloud(connection: &Connection) -> Result<()> {
    let mut found = Vec::new();
    for name in OSLO_QUEUES {
        if queue_exists(connection, name).await? {
            found.push(format!("queue {name}"));
        }
    }
    for name in SERVICE_EXCHANGES {
        if exchange_exists(connection, name).await? {
            found.push(format!("exchange {name}"));
        }
    }
    if !found.is_empty() {
        let found = found.join(", ");
        bail!(
            "a real cloud seems to use this broker ({found}); use --force to publish to it anyway"
        );
    }
    Ok(())
}

// The passive declaration of a missing name closes its channel, so each check opens a channel of its own.

async fn queue_exists(connection: &Connection, name: &str) -> Result<bool> {
    let channel = connection.create_channel().await.context("cannot open a channel")?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let answer = channel.queue_declare(name.into(), options, FieldTable::default()).await;
    is_found(answer.map(|_| ())).with_context(|| format!("cannot look for queue {name}"))
}

async fn exchange_exists(connection: &Connection, name: &str) -> Result<bool> {
    let channel = connection.create_channel().await.context("cannot open a channel")?;
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let arguments = FieldTable::default();
    let answer =
        channel.exchange_declare(name.into(), ExchangeKind::Topic, options, arguments).await;
    is_found(answer).with_context(|| format!("cannot look for exchange {name}"))
}

fn is_found(answer: lapin::Result<()>) -> lapin::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == NOT_FOUND => Ok(false),
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == RESOURCE_LOCKED => Ok(true),
            _ => Err(error),
        },
    }
}
