//! Publishes a plan as OpenStack's services would: the exchanges are declared as theirs, every message is
//! persistent. Unlike theirs, messages are `mandatory`, and a message that no queue takes yet is published
//! again.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm,
    message::Delivery,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions},
    types::FieldTable,
};
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::info;

use super::{Message, Plan, broker};

/// The largest number of unconfirmed messages: enough to keep the broker busy.
const UNCONFIRMED_MAX: usize = 1_000;

/// The largest size of the unconfirmed messages' bodies together.
const UNCONFIRMED_BYTES_MAX: usize = 16 << 20;

/// How long a message is published again while no queue takes it.
const ROUTING_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the broker may take to confirm that the connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The first and the longest pause before a returned message is published again.
const BACKOFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

const CONNECTION_LOST: &str = "lost the broker while publishing";

/// The numbers of a plan that was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PublishReport {
    /// Messages that the broker confirmed and routed: all messages of the plan.
    pub messages: u64,
    /// Size of their bodies, in bytes.
    pub bytes: u64,
    /// How often a message was returned, because no queue was bound, and published again.
    pub returned: u64,
    /// Duration of the publishing, in seconds.
    pub elapsed_s: f64,
}

/// Publishes all messages of the plan at the plan's rate. Returns when each of them is confirmed and in a
/// queue.
///
/// # Errors
///
/// When the broker cannot be reached or refuses; when it looks like a real cloud's broker and `force` is
/// not set; when no queue is bound to take the messages.
pub async fn publish(amqp_url: &str, plan: &Plan, force: bool) -> Result<PublishReport> {
    let rate = plan.truth().options.rate;
    let due = |number: usize| match rate {
        0 => Duration::ZERO,
        rate => Duration::from_secs_f64(number as f64 / f64::from(rate)),
    };
    let messages = plan.messages().enumerate();
    publish_at(amqp_url, force, messages.map(|(number, message)| (due(number), message))).await
}

/// As [`publish`], but each message is published when its time comes, and at once if its time lies before
/// `now`, the present instant.
///
/// # Errors
///
/// As those of [`publish`].
pub async fn publish_in_real_time(
    amqp_url: &str,
    plan: &Plan,
    force: bool,
    now: Timestamp,
) -> Result<PublishReport> {
    let due = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    let messages = plan.timed_messages().map(|(at, message)| (due(at), message));
    publish_at(amqp_url, force, messages).await
}

/// Publishes messages, each at its distance in time from now.
async fn publish_at(
    amqp_url: &str,
    force: bool,
    messages: impl Iterator<Item = (Duration, Message)>,
) -> Result<PublishReport> {
    let began = Instant::now();
    // The error does not contain the URL, which has a password.
    let connection = Connection::connect(amqp_url, ConnectionProperties::default())
        .await
        .context("cannot connect to the broker")?;
    if !force {
        broker::refuse_real_cloud(&connection).await?;
    }
    let mut publisher = Publisher::new(&connection).await?;
    for (due, message) in messages {
        if began.elapsed() < due {
            // The pause is long enough to confirm the messages before it.
            publisher.confirm_all().await?;
            sleep_until(began + due).await;
        }
        publisher.publish(message).await?;
    }
    publisher.confirm_all().await?;
    // All messages are confirmed, so it does not matter whether the connection closes cleanly.
    let closing = connection.close(200, "the plan is published".into());
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    Ok(PublishReport { elapsed_s: began.elapsed().as_secs_f64(), ..publisher.report })
}

/// A channel in confirm mode, and the messages it has not confirmed.
struct Publisher {
    channel: Channel,
    /// In the order of publishing.
    unconfirmed: Vec<(PublisherConfirm, Message)>,
    unconfirmed_bytes: usize,
    /// Exchanges and keys by which a message got into a queue.
    known_routes: HashSet<(&'static str, String)>,
    report: PublishReport,
}

impl Publisher {
    async fn new(connection: &Connection) -> Result<Publisher> {
        let channel = connection.create_channel().await.context("cannot open a channel")?;
        // As oslo.messaging declares the cloud's by default, and the consumer its own.
        for (exchange, durable) in [("nova", false), ("ceilometer", false), ("stackledger", true)] {
            let options = ExchangeDeclareOptions { durable, ..ExchangeDeclareOptions::default() };
            channel
                .exchange_declare(
                    exchange.into(),
                    ExchangeKind::Topic,
                    options,
                    FieldTable::default(),
                )
                .await
                .with_context(|| format!("cannot declare exchange {exchange}"))?;
        }
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await.context("the broker does not confirm")?;
        Ok(Publisher {
            channel,
            unconfirmed: Vec::with_capacity(UNCONFIRMED_MAX),
            unconfirmed_bytes: 0,
            known_routes: HashSet::new(),
            report: PublishReport::default(),
        })
    }

    /// Publishes a message. Waits for its confirmation only if its route has not led to a queue before.
    async fn publish(&mut self, message: Message) -> Result<()> {
        self.report.messages += 1;
        self.report.bytes += message.body.len() as u64;
        let route = (message.exchange, message.routing_key.clone());
        if self.known_routes.contains(&route) {
            let confirm = self.send(&OutgoingMessage::from(&message)).await?;
            self.unconfirmed_bytes += message.body.len();
            self.unconfirmed.push((confirm, message));
            let is_full = self.unconfirmed.len() >= UNCONFIRMED_MAX
                || self.unconfirmed_bytes >= UNCONFIRMED_BYTES_MAX;
            if is_full { self.confirm_all().await } else { Ok(()) }
        } else {
            // The first message of a route goes alone: until the consumer is bound, one message is
            // returned at a time, not a thousand.
            self.confirm_all().await?;
            self.publish_until_routed(&OutgoingMessage::from(&message)).await?;
            self.known_routes.insert(route);
            Ok(())
        }
    }

    /// Waits until every message is confirmed. Publishes returned and refused ones again.
    async fn confirm_all(&mut self) -> Result<()> {
        let mut refused = Vec::new();
        let mut returned = Vec::new();
        self.unconfirmed_bytes = 0;
        for (confirm, message) in self.unconfirmed.drain(..) {
            let confirmation = confirm.await.context(CONNECTION_LOST)?;
            if confirmation.is_nack() {
                refused.push(message);
            }
            returned.extend(confirmation.take_message());
        }
        for message in &refused {
            self.publish_until_routed(&OutgoingMessage::from(message)).await?;
        }
        // The broker confirms several messages at once, and the client then attaches a returned message
        // to any of their confirmations: publish the returned message, not the confirmed one.
        for message in &returned {
            self.report.returned += 1;
            self.publish_until_routed(&OutgoingMessage::from(&message.delivery)).await?;
        }
        Ok(())
    }

    /// Publishes a message until a queue takes it. No other message may be unconfirmed.
    async fn publish_until_routed(&mut self, message: &OutgoingMessage<'_>) -> Result<()> {
        let deadline = Instant::now() + ROUTING_TIMEOUT;
        let [mut pause, pause_max] = BACKOFF;
        loop {
            let confirmation = self.send(message).await?.await.context(CONNECTION_LOST)?;
            let is_refused = confirmation.is_nack();
            let is_returned = confirmation.take_message().is_some();
            if !is_returned && !is_refused {
                return Ok(());
            }
            self.report.returned += u64::from(is_returned);
            if Instant::now() + pause > deadline {
                let OutgoingMessage { exchange, routing_key, .. } = message;
                bail!(
                    "no queue took a message with key {routing_key} from exchange {exchange} within \
                     {} s: none is bound to it; start `stackledger up` first",
                    ROUTING_TIMEOUT.as_secs()
                );
            }
            if pause == BACKOFF[0] {
                info!(routing_key = message.routing_key, "no queue is bound yet, trying again");
            }
            sleep(pause).await;
            pause = (pause * 2).min(pause_max);
        }
    }

    /// Sends a message. Returns its confirmation, which is still to come.
    async fn send(&self, message: &OutgoingMessage<'_>) -> Result<PublisherConfirm> {
        // Exactly the properties that oslo.messaging sets.
        let properties = BasicProperties::default()
            .with_content_type(message.content_type.into())
            .with_content_encoding("utf-8".into())
            .with_headers(FieldTable::default())
            .with_delivery_mode(2)
            .with_priority(0);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (message.exchange.into(), message.routing_key.into());
        self.channel
            .basic_publish(exchange, key, options, message.body, properties)
            .await
            .context(CONNECTION_LOST)
    }
}

/// The parts of a message that are published, of one of the plan's or of a returned one.
struct OutgoingMessage<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    content_type: &'a str,
    body: &'a [u8],
}

impl<'a> From<&'a Message> for OutgoingMessage<'a> {
    fn from(message: &'a Message) -> Self {
        let Message { exchange, routing_key, content_type, body, .. } = message;
        OutgoingMessage { exchange, routing_key, content_type, body }
    }
}

impl<'a> From<&'a Delivery> for OutgoingMessage<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        let content_type = delivery.properties.content_type();
        OutgoingMessage {
            exchange: delivery.exchange.as_str(),
            routing_key: delivery.routing_key.as_str(),
            content_type: content_type.as_ref().map_or("application/json", |text| text.as_str()),
            body: &delivery.data,
        }
    }
}
