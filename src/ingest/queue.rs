//! Consuming one queue: one channel, and a pipeline of two halves. A task receives and decodes the
//! next batch while a thread appends and acks the last.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Batch, Sink, topology};
use crate::config::{Config, Queue};
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::{Backoff, on_own_thread};

/// One queue's consumer, for as long as the connection lives.
pub(super) struct Consumer {
    pub connection: Arc<Connection>,
    pub queue: Queue,
    /// What it is called among the parts that [`Health`] knows.
    pub part: String,
    /// Unacked messages the broker may send ahead.
    pub prefetch: u16,
    pub config: Arc<Config>,
    pub database: Database,
    pub health: Arc<Health>,
    /// Of the session: what cannot be stored before it ends is delivered again to the next, and
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
                    Some(cause) if topology::is_refused(cause) => cause.to_string(),
                    _ => return Err(error),
                },
            };
            if self.health.fault(&self.part, &refused) {
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
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        if self.health.works(&self.part) {
            tracing::info!("{} is consumed again", self.part);
        }
        let sink = Sink::new(self.database.clone(), Arc::clone(&self.health), self.stop.clone());
        let pipeline = Pipeline {
            channel,
            queue: self.queue.clone(),
            batch_size: self.config.batch_size.min(usize::from(self.prefetch)),
            linger: self.config.linger,
            stop: self.stop.clone(),
        };
        pipeline.run(sink).await
    }
}

/// What consumes one queue.
struct Pipeline {
    channel: Channel,
    queue: Queue,
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
    async fn run(self, sink: Sink) -> Result<()> {
        let (sender, receiver) = mpsc::channel(1);
        let channel = self.channel.clone();
        let storing = on_own_thread(&format!("store {}", self.queue.name), move || {
            store(receiver, sink, channel)
        });
        let received = self.receive(sender).await;
        // With the sender gone, what is in hand is stored and acked, then the task ends.
        let stored = storing.await.map_err(|_| anyhow!("storing {} panicked", self.queue.name))?;
        received.and(stored)
    }

    async fn receive(&self, sender: mpsc::Sender<Tagged>) -> Result<()> {
        let mut deliveries = self
            .channel
            .basic_consume(
                self.queue.name.as_str().into(),
                format!("stackledger.{}", crate::lifecycle::random_id().simple()).into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("consuming from {}", self.queue.name))?;
        let received =
            metrics::counter!("stackledger_messages_total", "queue" => self.queue.name.clone());
        let mut batch = Batch::default();
        let mut last_tag = 0;
        let mut due = tokio::time::Instant::now();
        loop {
            let is_full = batch.is_full(self.batch_size);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                delivery = deliveries.next(), if !is_full => {
                    let delivery = delivery
                        .ok_or_else(|| anyhow!("the broker ended the consumer of {}", self.queue.name))??;
                    if batch.is_empty() {
                        due = tokio::time::Instant::now() + self.linger;
                    }
                    received.increment(1);
                    last_tag = delivery.delivery_tag;
                    let compression = compression(delivery.properties.headers());
                    let (exchange, key) = (&delivery.exchange, &delivery.routing_key);
                    batch.push(delivery.data, compression.as_deref(), || {
                        format!("queue {}, exchange {exchange}, routing key {key}", self.queue.name)
                    });
                }
                // While the task is busy with the last batch, this one goes on growing.
                permit = sender.reserve(), if is_full || (!batch.is_empty() && due <= tokio::time::Instant::now()) => {
                    let Ok(permit) = permit else { return Ok(()) };
                    permit.send(Tagged { batch: std::mem::take(&mut batch), last_tag });
                }
                () = tokio::time::sleep_until(due), if !batch.is_empty() && due > tokio::time::Instant::now() => {}
            }
        }
        if !batch.is_empty() {
            let _ = sender.send(Tagged { batch, last_tag }).await;
        }
        Ok(())
    }
}

/// Stores batch after batch and acks each: only after its transaction has committed.
async fn store(
    mut batches: mpsc::Receiver<Tagged>,
    mut sink: Sink,
    channel: Channel,
) -> Result<()> {
    while let Some(Tagged { batch, last_tag }) = batches.recv().await {
        if sink.store(batch).await.is_err() {
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
