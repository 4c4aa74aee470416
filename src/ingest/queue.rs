//! Consuming one queue: one channel, and a pipeline of two halves. A task receives and decodes the
//! next batch while a thread appends and acks the last.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::prefetch::Ahead;
use super::{Batch, Decoder, Sink, topology};
use crate::broker;
use crate::config::{Config, Queue};
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::{Backoff, run_on_own_thread};

/// One queue's consumer, for as long as the connection lives.
pub(super) struct Consumer {
    pub connection: Arc<Connection>,
    pub queue: Queue,
    /// What it is called among the parts that [`Health`] knows.
    pub part: String,
    /// Unacked messages the broker may send ahead at most.
    pub prefetch: u16,
    pub config: Arc<Config>,
    pub database: Database,
    pub health: Arc<Health>,
    /// The queues that may be bound, by name. RabbitMQ lets a quorum queue be bound as soon as it is
    /// written down, and loses what is routed to it before it runs, which a consumer waits for.
    pub ready: watch::Sender<HashSet<String>>,
    /// Of the session: what cannot be appended before it ends is delivered again to the next, and
    /// while the database is away the bindings must not wait for it.
    pub stop: CancellationToken,
}

impl Consumer {
    /// Consumes until asked to stop. A queue that the broker refuses (it stands there with other
    /// arguments, say) is tried again from time to time, and the others go on.
    pub async fn run(&self) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        loop {
            let refused = match self.consume().await {
                Ok(()) => return Ok(()),
                Err(error) => match error.downcast_ref::<lapin::Error>() {
                    Some(cause) if broker::is_refused(cause) => cause.to_string(),
                    _ => return Err(error),
                },
            };
            // It is there all the same, and can keep messages.
            self.note_ready();
            if self.health.set_fault(&self.part, &refused) {
                tracing::error!("{} is not consumed: {refused}; trying again", self.part);
            }
            if !backoff.wait(&self.stop).await {
                return Ok(());
            }
        }
    }

    async fn consume(&self) -> Result<()> {
        let channel = self.connection.create_channel().await?;
        topology::declare_queue(&channel, &self.queue).await?;
        let pipeline = Pipeline {
            channel,
            queue: self.queue.clone(),
            decoder: Decoder::new(&self.config),
            batch_size: self.config.batch_size,
            linger: self.config.linger,
            stop: self.stop.clone(),
        };
        let ahead = Ahead::new(self.prefetch);
        let deliveries = pipeline.subscribe(&ahead).await?;
        self.note_ready();
        if self.health.clear_fault(&self.part) {
            tracing::info!("{} is consumed again", self.part);
        }
        let sink = Sink::new(self.database.clone(), Arc::clone(&self.health), self.stop.clone());
        pipeline.run(sink, ahead, deliveries).await
    }

    fn note_ready(&self) {
        self.ready.send_if_modified(|ready| ready.insert(self.queue.name.clone()));
    }
}

/// What consumes one queue.
struct Pipeline {
    channel: Channel,
    queue: Queue,
    decoder: Decoder,
    batch_size: usize,
    linger: Duration,
    stop: CancellationToken,
}

/// A batch with the tag that acks it: tags of one channel are in order, so the last one stands for
/// all before it.
struct Tagged {
    batch: Batch,
    last_tag: u64,
}

impl Pipeline {
    async fn run(self, sink: Sink, ahead: Ahead, deliveries: lapin::Consumer) -> Result<()> {
        let (sender, receiver) = mpsc::channel(1);
        let channel = self.channel.clone();
        let appending = run_on_own_thread(&format!("append {}", self.queue.name), move || {
            append(receiver, sink, channel)
        });
        let received = self.receive(sender, ahead, deliveries).await;
        // With the sender gone, what is in hand is appended and acked, then the task ends.
        let appended =
            appending.await.map_err(|_| anyhow!("appending from {} panicked", self.queue.name))?;
        received.and(appended)
    }

    async fn receive(
        &self,
        sender: mpsc::Sender<Tagged>,
        mut ahead: Ahead,
        mut deliveries: lapin::Consumer,
    ) -> Result<()> {
        let received =
            metrics::counter!("stackledger_messages_total", "queue" => self.queue.name.clone());
        // Whether the subscription was cancelled, to be made anew with another limit.
        let mut is_ending = false;
        let mut batch = Batch::default();
        let mut last_tag = 0;
        let mut due = tokio::time::Instant::now();
        loop {
            // One is appended, one is decoded and one is on the wire.
            let third = usize::from(ahead.messages()).div_ceil(3);
            let is_full = batch.is_full(self.batch_size.min(third));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                delivery = next(&mut deliveries, !batch.is_empty()), if !is_full => {
                    let Some(delivery) = delivery.transpose()? else {
                        // Nothing was lost: what came before the end is in hand.
                        if !std::mem::take(&mut is_ending) {
                            bail!("the broker ended the consumer of {}", self.queue.name);
                        }
                        ahead.adapt();
                        deliveries = self.subscribe(&ahead).await?;
                        continue;
                    };
                    if batch.is_empty() {
                        due = tokio::time::Instant::now() + self.linger;
                    }
                    received.increment(1);
                    ahead.saw(delivery.data.len());
                    last_tag = delivery.delivery_tag;
                    let compression = compression(delivery.properties.headers());
                    let (exchange, key) = (&delivery.exchange, &delivery.routing_key);
                    batch.push(&self.decoder, delivery.data, compression.as_deref(), || {
                        format!("queue {}, exchange {exchange}, routing key {key}", self.queue.name)
                    });
                }
                // While the task is busy with the last batch, this one goes on growing.
                permit = sender.reserve(), if is_full || (!batch.is_empty() && due <= tokio::time::Instant::now()) => {
                    let Ok(permit) = permit else { return Ok(()) };
                    permit.send(Tagged { batch: std::mem::take(&mut batch), last_tag });
                    if ahead.is_off() && !is_ending {
                        is_ending = true;
                        let options = BasicCancelOptions::default();
                        self.channel.basic_cancel(deliveries.tag(), options).await?;
                    }
                }
                () = tokio::time::sleep_until(due), if !batch.is_empty() && due > tokio::time::Instant::now() => {}
            }
        }
        if !batch.is_empty() {
            let _ = sender.send(Tagged { batch, last_tag }).await;
        }
        Ok(())
    }

    /// Begins to consume. The limit is the consumer's: a new one takes a new consumer. Delivery tags
    /// are the channel's and go on.
    async fn subscribe(&self, ahead: &Ahead) -> Result<lapin::Consumer> {
        self.channel.basic_qos(ahead.messages(), BasicQosOptions::default()).await?;
        self.channel
            .basic_consume(
                self.queue.name.as_str().into(),
                format!("stackledger.{}", crate::lifecycle::random_id().simple()).into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("consuming from {}", self.queue.name))
    }
}

/// The next delivery. While a batch is being filled nobody waits for the very next one: to be woken
/// for each costs more than to read it, so what has come meanwhile is taken together.
async fn next(
    deliveries: &mut lapin::Consumer,
    is_filling: bool,
) -> Option<lapin::Result<Delivery>> {
    const PAUSE: Duration = Duration::from_millis(2);
    if !is_filling {
        return deliveries.next().await;
    }
    loop {
        match deliveries.next().now_or_never() {
            Some(delivery) => return delivery,
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Appends batch after batch and acks each: only after its transaction has committed.
async fn append(
    mut batches: mpsc::Receiver<Tagged>,
    mut sink: Sink,
    channel: Channel,
) -> Result<()> {
    while let Some(Tagged { batch, last_tag }) = batches.recv().await {
        if sink.append(batch).await.is_err() {
            // Unacked, the broker gives it to the next consumer.
            return Ok(());
        }
        channel.basic_ack(last_tag, BasicAckOptions { multiple: true }).await?;
    }
    Ok(())
}

/// oslo.messaging names the compression in a header; some clients in the content encoding.
fn compression(headers: &Option<FieldTable>) -> Option<String> {
    match headers.as_ref()?.inner().get("compression")? {
        AMQPValue::LongString(name) => Some(name.to_string()),
        AMQPValue::ShortString(name) => Some(name.to_string()),
        _ => None,
    }
    .filter(|name| !name.is_empty())
}
