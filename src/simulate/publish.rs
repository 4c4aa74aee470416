//! Plays a plan to a broker, as OpenStack's services would: the exchanges declared as theirs, every
//! message persistent. More careful than they are in one thing: messages are `mandatory`, and those
//! that no queue wants yet are published again.

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

/// How many messages may wait for the broker's confirmation, and how long their bodies may be
/// together: enough to keep it busy, little enough not to matter.
const WINDOW: usize = 1_000;
const WINDOW_BYTES: usize = 16 << 20;

/// How long a message may be wanted by nobody.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the broker may take to say goodbye.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before a returned message is tried again, at first and at most.
const BACKOFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

const LOST: &str = "lost the broker while publishing";

/// What became of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Published {
    /// Messages that the broker confirmed and routed: all of the plan's.
    pub messages: u64,
    /// Their bodies, in bytes.
    pub bytes: u64,
    /// How often one came back, for no queue was bound, and was published again.
    pub returned: u64,
    /// How long it took.
    pub elapsed_s: f64,
}

/// Publishes all messages of the plan at the plan's rate, and returns when each of them is in a
/// queue and confirmed.
///
/// # Errors
///
/// When the broker cannot be reached or refuses; when it looks like a real cloud's and `force` is
/// not given; when nobody is bound to receive the messages.
pub async fn publish(amqp_url: &str, plan: &Plan, force: bool) -> Result<Published> {
    let rate = plan.truth().options.rate;
    let due = |number: usize| match rate {
        0 => Duration::ZERO,
        rate => Duration::from_secs_f64(number as f64 / f64::from(rate)),
    };
    let messages = plan.messages().enumerate();
    play(amqp_url, force, messages.map(|(number, message)| (due(number), message))).await
}

/// As [`publish`], each message when its time comes, by a clock that shows `now`; what lies before
/// that at once.
///
/// # Errors
///
/// As those of [`publish`].
pub async fn publish_as_it_happens(
    amqp_url: &str,
    plan: &Plan,
    force: bool,
    now: Timestamp,
) -> Result<Published> {
    let due = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    play(amqp_url, force, plan.timed_messages().map(|(at, message)| (due(at), message))).await
}

/// Publishes messages, each when so much time has passed.
async fn play(
    amqp_url: &str,
    force: bool,
    messages: impl Iterator<Item = (Duration, Message)>,
) -> Result<Published> {
    let began = Instant::now();
    // No URL in the error: it holds a password.
    let connection = Connection::connect(amqp_url, ConnectionProperties::default())
        .await
        .context("cannot connect to the broker")?;
    if !force {
        broker::refuse_cloud(&connection).await?;
    }
    let mut publisher = Publisher::new(&connection, PATIENCE).await?;
    for (due, message) in messages {
        if began.elapsed() < due {
            // There is time to hear of what was sent.
            publisher.settle().await?;
            sleep_until(began + due).await;
        }
        publisher.send(message).await?;
    }
    publisher.settle().await?;
    // All is confirmed, whatever becomes of the goodbye.
    let goodbye = connection.close(200, "the plan is played".into());
    let _ = tokio::time::timeout(GOODBYE_PATIENCE, goodbye).await;
    Ok(Published { elapsed_s: began.elapsed().as_secs_f64(), ..publisher.published })
}

struct Publisher {
    channel: Channel,
    /// In the order of publishing.
    unconfirmed: Vec<(PublisherConfirm, Message)>,
    unconfirmed_bytes: usize,
    /// Exchanges and keys that have led to a queue.
    routed: HashSet<(&'static str, String)>,
    patience: Duration,
    published: Published,
}

impl Publisher {
    async fn new(connection: &Connection, patience: Duration) -> Result<Publisher> {
        let channel = connection.create_channel().await.context("cannot open a channel")?;
        // As oslo.messaging declares it by default, and as the consumer declares its own.
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
            unconfirmed: Vec::with_capacity(WINDOW),
            unconfirmed_bytes: 0,
            routed: HashSet::new(),
            patience,
            published: Published::default(),
        })
    }

    /// Publishes one message, without waiting for its confirmation once its route is known to lead
    /// somewhere.
    async fn send(&mut self, message: Message) -> Result<()> {
        self.published.messages += 1;
        self.published.bytes += message.body.len() as u64;
        let route = (message.exchange, message.routing_key.clone());
        if self.routed.contains(&route) {
            let confirm = self.start(&Outgoing::from(&message)).await?;
            self.unconfirmed_bytes += message.body.len();
            self.unconfirmed.push((confirm, message));
            let is_full =
                self.unconfirmed.len() >= WINDOW || self.unconfirmed_bytes >= WINDOW_BYTES;
            if is_full { self.settle().await } else { Ok(()) }
        } else {
            // A route's first message goes alone: until the consumer is bound, one message comes
            // back at a time, not a window full of them.
            self.settle().await?;
            self.insist(&Outgoing::from(&message)).await?;
            self.routed.insert(route);
            Ok(())
        }
    }

    /// Waits until everything sent is confirmed, and publishes again what came back.
    async fn settle(&mut self) -> Result<()> {
        let mut again = Vec::new();
        let mut returned = Vec::new();
        self.unconfirmed_bytes = 0;
        for (confirm, message) in self.unconfirmed.drain(..) {
            let confirmation = confirm.await.context(LOST)?;
            if confirmation.is_nack() {
                again.push(message);
            }
            returned.extend(confirmation.take_message());
        }
        for message in &again {
            self.insist(&Outgoing::from(message)).await?;
        }
        // The broker confirms several messages at once, and the client then hands what came back to
        // any of them: publish what came back, not the message whose confirmation it came with.
        for message in &returned {
            self.published.returned += 1;
            self.insist(&Outgoing::from(&message.delivery)).await?;
        }
        Ok(())
    }

    /// Publishes a message until a queue has it. Nothing else may be unconfirmed.
    async fn insist(&mut self, message: &Outgoing<'_>) -> Result<()> {
        let give_up = Instant::now() + self.patience;
        let [mut pause, pause_max] = BACKOFF;
        loop {
            let confirmation = self.start(message).await?.await.context(LOST)?;
            let nacked = confirmation.is_nack();
            let unroutable = confirmation.take_message().is_some();
            if !unroutable && !nacked {
                return Ok(());
            }
            self.published.returned += u64::from(unroutable);
            if Instant::now() + pause > give_up {
                let Outgoing { exchange, routing_key, .. } = message;
                let patience = self.patience.as_secs();
                bail!(
                    "no queue took a message with key {routing_key} from exchange {exchange} for \
                     {patience} s: nobody is bound to it; start `stackledger up` first"
                );
            }
            if pause == BACKOFF[0] {
                info!(routing_key = message.routing_key, "nobody is bound yet, trying again");
            }
            sleep(pause).await;
            pause = (pause * 2).min(pause_max);
        }
    }

    async fn start(&self, message: &Outgoing<'_>) -> Result<PublisherConfirm> {
        // Exactly the properties oslo.messaging sets.
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
            .context(LOST)
    }
}

/// What the broker needs of a message, whether it is ours or comes back.
struct Outgoing<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    content_type: &'a str,
    body: &'a [u8],
}

impl<'a> From<&'a Message> for Outgoing<'a> {
    fn from(message: &'a Message) -> Self {
        let Message { exchange, routing_key, content_type, body, .. } = message;
        Outgoing { exchange, routing_key, content_type, body }
    }
}

impl<'a> From<&'a Delivery> for Outgoing<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        let content_type = delivery.properties.content_type();
        Outgoing {
            exchange: delivery.exchange.as_str(),
            routing_key: delivery.routing_key.as_str(),
            content_type: content_type.as_ref().map_or("application/json", |text| text.as_str()),
            body: &delivery.data,
        }
    }
}
