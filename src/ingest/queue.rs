//! Consuming one queue: one channel, and a pipeline of two halves. A task receives and decodes the next batch
//! while a thread appends and acks the last one.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use super::bindable::BindableQueues;
use super::decoder::Decoder;
use super::delivery_limit::{LimitCheck, UnlimitedQueues, Unsafe};
use super::prefetch::Prefetch;
use super::properties;
use super::sink::{Sink, await_database};
use super::topology;
use crate::broker::{self, Management};
use crate::config::{Config, Queue, QueueType};
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::{Backoff, run_on_own_thread};
use crate::log::DeadLetter;
use crate::secret::ConnectionString;

/// Shortest pause before a queue that the broker refused is tried again.
const REFUSED_QUEUE_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Longest pause before a queue that the broker refused is tried again.
const REFUSED_QUEUE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Longest pause before a queue that could lose messages is checked again.
const UNSAFE_QUEUE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long the batches in hand may take to be appended after the channel has failed.
const BATCH_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause between looks for further deliveries while a batch fills.
const POLL_PAUSE: Duration = Duration::from_millis(2);

/// The consumer of one queue, for the lifetime of a connection.
pub(super) struct Consumer {
    pub connection: Arc<Connection>,
    /// The broker at the other end of the connection.
    pub node: ConnectionString,
    pub management: Management,
    pub queue: Queue,
    /// Its name as a part in [`Health`].
    pub part: String,
    /// Maximum number of unacked messages that the broker may send.
    pub prefetch: u16,
    pub config: Arc<Config>,
    pub database: Database,
    pub health: Arc<Health>,
    pub bindable: BindableQueues,
    /// Outlives the connection.
    pub unlimited: Arc<UnlimitedQueues>,
    /// Stops this connection. Messages not appended by then are redelivered to the next one, whose bindings must
    /// not wait for a database that is away.
    pub stop: CancellationToken,
}

impl Consumer {
    /// Consumes until asked to stop. If the broker refuses the queue, e.g. because it exists with other
    /// arguments, or could drop messages of it, this queue is tried again from time to time while the others go on.
    pub async fn run(&self) -> Result<()> {
        let mut refused = Backoff::new(REFUSED_QUEUE_PAUSE_MIN, REFUSED_QUEUE_PAUSE_MAX);
        let mut unsafe_ = Backoff::new(REFUSED_QUEUE_PAUSE_MIN, UNSAFE_QUEUE_PAUSE_MAX);
        loop {
            let error = match self.consume().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let backoff = if error.is::<Unsafe>() {
                &mut unsafe_
            } else if error.downcast_ref().is_some_and(broker::is_refused) {
                &mut refused
            } else {
                return Err(error);
            };
            // The queue exists all the same, and keeps messages if it is bound.
            self.bindable.add(&self.queue.name);
            if self.health.set_fault(&self.part, error.to_string()) {
                tracing::error!("{} is not consumed: {error}; trying again", self.part);
            }
            if !backoff.wait(&self.stop).await {
                return Ok(());
            }
        }
    }

    /// Consumes until asked to stop, until the channel fails, or until the queue has a delivery limit.
    async fn consume(&self) -> Result<()> {
        self.bindable.remove(&self.queue.name).await;
        let channel = self.declare().await?;
        // The broker answers once the queue runs.
        self.bindable.add(&self.queue.name);
        let limit = LimitCheck {
            management: &self.management,
            vhost: self.connection.status().vhost().to_string(),
            queue: &self.queue,
            part: &self.part,
            health: &self.health,
            unlimited: &self.unlimited,
        };
        tokio::select! {
            passed = limit.pass() => passed?,
            () = self.stop.cancelled() => return Ok(()),
        }
        if await_database(&self.database, &self.health, &self.stop).await.is_err() {
            return Ok(());
        }
        let leave = CancellationToken::new();
        let pipeline = Pipeline {
            channel,
            queue: self.queue.clone(),
            decoder: Decoder::new(&self.config),
            batch_size: self.config.batch_size,
            linger: self.config.linger,
            health: Arc::clone(&self.health),
            leave: leave.clone(),
            stop: self.stop.clone(),
        };
        let prefetch = Prefetch::new(self.prefetch);
        let deliveries = pipeline.subscribe(&prefetch).await?;
        if self.health.clear_fault(&self.part) {
            tracing::info!("{} is consumed again", self.part);
        }
        let sink = Sink::new(self.database.clone(), Arc::clone(&self.health), self.stop.clone());
        let mut running = pin!(pipeline.run(sink, prefetch, deliveries));
        tokio::select! {
            ended = &mut running => ended,
            found = limit.fail() => {
                leave.cancel();
                running.await?;
                Err(found.into())
            }
        }
    }

    /// Declares the queue and returns the channel that is to consume from it.
    async fn declare(&self) -> Result<Channel> {
        let can_be_unlimited = match self.queue.queue_type {
            QueueType::Classic => false,
            QueueType::Quorum => {
                let version = match self.management.read_version().await {
                    Ok(version) => version,
                    Err(_) => broker::read_version(&self.node)
                        .await
                        .context("the broker's version cannot be read")?,
                };
                version.can_switch_limit_off()
            }
        };
        Ok(topology::declare_queue(&self.connection, &self.queue, can_be_unlimited).await?)
    }
}

/// The pipeline from one queue into the log.
struct Pipeline {
    channel: Channel,
    queue: Queue,
    decoder: Decoder,
    batch_size: usize,
    linger: Duration,
    health: Arc<Health>,
    /// Ends the pipeline when everything that was delivered is appended and acked, so that nothing goes back.
    leave: CancellationToken,
    stop: CancellationToken,
}

/// A batch with the delivery tag that acks it. The tags of a channel are in order, so acking the last one acks
/// all before it.
struct TaggedBatch {
    batch: Batch,
    last_tag: u64,
}

impl Pipeline {
    async fn run(self, sink: Sink, prefetch: Prefetch, deliveries: lapin::Consumer) -> Result<()> {
        let (sender, receiver) = mpsc::channel(1);
        let channel = self.channel.clone();
        let appending = run_on_own_thread(&format!("append {}", self.queue.name), move || {
            append_batches(receiver, sink, channel)
        });
        let received = self.receive(sender, prefetch, deliveries).await;
        // The sender is dropped: the thread appends and acks the batches in hand, then ends. If the channel has failed,
        // the broker has these messages again, and the failure must not wait for a database that is away.
        let appended = match received.is_ok() {
            true => appending.await,
            false => match tokio::time::timeout(BATCH_TIMEOUT, appending).await {
                Ok(appended) => appended,
                Err(_) => return received,
            },
        };
        received.and(appended.map_err(|_| anyhow!("appending from {} panicked", self.queue.name))?)
    }

    async fn receive(
        &self,
        sender: mpsc::Sender<TaggedBatch>,
        mut prefetch: Prefetch,
        mut deliveries: lapin::Consumer,
    ) -> Result<()> {
        let received =
            metrics::counter!("stackledger_messages_total", "queue" => self.queue.name.clone());
        // Whether we cancelled the subscription in order to make it again with another limit.
        let mut is_ending = false;
        let mut is_leaving = false;
        let mut batch = Batch::default();
        let mut last_tag = 0;
        let mut due = tokio::time::Instant::now();
        loop {
            // A third of the limit each is being appended, being decoded and on the wire.
            let third = usize::from(prefetch.limit()).div_ceil(3);
            let is_full = batch.is_full(self.batch_size.min(third));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.leave.cancelled(), if !is_leaving => {
                    is_leaving = true;
                    if !is_ending {
                        self.unsubscribe(&deliveries).await?;
                    }
                }
                delivery = next_delivery(&mut deliveries, !batch.is_empty()), if !is_full => {
                    let Some(delivery) = delivery.transpose()? else {
                        // Nothing is lost: all messages before the end are in hand.
                        if is_leaving {
                            break;
                        }
                        if !std::mem::take(&mut is_ending) {
                            bail!("the broker ended the consumer of {}", self.queue.name);
                        }
                        prefetch.adapt();
                        deliveries = self.subscribe(&prefetch).await?;
                        continue;
                    };
                    if batch.is_empty() {
                        due = tokio::time::Instant::now() + self.linger;
                        self.health.note_messages(&self.queue.name);
                    }
                    received.increment(1);
                    prefetch.record(delivery.data.len());
                    last_tag = delivery.delivery_tag;
                    let (exchange, key) = (delivery.exchange, delivery.routing_key);
                    if let Some(reason) = properties::find_unreadable(&delivery.properties) {
                        let queue = &self.queue.name;
                        batch.push_dead_letter(DeadLetter {
                            reason,
                            origin: format!("queue {queue}, exchange {exchange}, routing key {key}"),
                            compression: properties::find_compression(&delivery.properties),
                            body: delivery.data,
                        });
                        continue;
                    }
                    let message = properties::read(&delivery.properties, delivery.data);
                    batch.push(&self.decoder, message.body, message.compression.as_deref(), || {
                        let attributes = &message.attributes;
                        format!(
                            "queue {}, exchange {exchange}, routing key {key}{attributes}",
                            self.queue.name
                        )
                    });
                }
                // While the thread is busy with the last batch, this one continues to grow.
                permit = sender.reserve(), if is_full || (!batch.is_empty() && due <= tokio::time::Instant::now()) => {
                    let Ok(permit) = permit else { return Ok(()) };
                    permit.send(TaggedBatch { batch: std::mem::take(&mut batch), last_tag });
                    if prefetch.needs_change() && !is_ending && !is_leaving {
                        is_ending = true;
                        self.unsubscribe(&deliveries).await?;
                    }
                }
                () = tokio::time::sleep_until(due), if !batch.is_empty() && due > tokio::time::Instant::now() => {}
            }
        }
        if !batch.is_empty() {
            let _ = sender.send(TaggedBatch { batch, last_tag }).await;
        }
        Ok(())
    }

    /// Starts consuming with the current prefetch limit. The limit belongs to the consumer, so a new limit takes a
    /// new consumer. Delivery tags belong to the channel and continue.
    async fn subscribe(&self, prefetch: &Prefetch) -> Result<lapin::Consumer> {
        self.channel.basic_qos(prefetch.limit(), BasicQosOptions::default()).await?;
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

    /// Cancels the subscription. What was delivered before can still be read and acked.
    async fn unsubscribe(&self, deliveries: &lapin::Consumer) -> Result<(), lapin::Error> {
        self.channel.basic_cancel(deliveries.tag(), BasicCancelOptions::default()).await
    }
}

/// Returns the next delivery. While a batch fills, this polls instead of waiting to be woken: a wake-up per
/// delivery costs more than reading it, so deliveries are taken in groups.
async fn next_delivery(
    deliveries: &mut lapin::Consumer,
    is_filling: bool,
) -> Option<lapin::Result<Delivery>> {
    if !is_filling {
        return deliveries.next().await;
    }
    loop {
        match deliveries.next().now_or_never() {
            Some(delivery) => return delivery,
            None => tokio::time::sleep(POLL_PAUSE).await,
        }
    }
}

/// Appends batch after batch and acks each one after its transaction has committed.
async fn append_batches(
    mut batches: mpsc::Receiver<TaggedBatch>,
    mut sink: Sink,
    channel: Channel,
) -> Result<()> {
    while let Some(TaggedBatch { batch, last_tag }) = batches.recv().await {
        if sink.append(batch).await.is_err() {
            // The batch is unacked: the broker redelivers it to the next consumer.
            return Ok(());
        }
        channel.basic_ack(last_tag, BasicAckOptions { multiple: true }).await?;
    }
    Ok(())
}
