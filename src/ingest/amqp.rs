//! Consuming from brokers. Per broker one connection, per queue one channel and a pipeline of two
//! halves: a task receives and decodes the next batch while a thread appends and acks the last.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Batch, Sink, topology};
use crate::config::{Config, Queue, Secret, Source};
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::{Backoff, on_own_thread};

/// How soon an exchange that is missing is looked for again.
const MISSING_EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// How often all bindings are made again: somebody may have deleted an exchange and made it anew.
const REBIND_INTERVAL: Duration = Duration::from_secs(15);

/// Consumes from every broker of the configuration until asked to stop. Brokers and database may
/// come and go meanwhile.
pub async fn run(
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    stop: CancellationToken,
) {
    let mut brokers = JoinSet::new();
    for url in config.amqp_urls.clone() {
        let broker = Broker {
            part: format!("broker {url}"),
            url,
            database: database.clone(),
            config: Arc::clone(&config),
            health: Arc::clone(&health),
            stop: stop.clone(),
        };
        brokers.spawn(async move { broker.run().await });
    }
    while brokers.join_next().await.is_some() {}
}

/// Connects to a broker.
///
/// # Errors
///
/// When it is away or refuses.
pub async fn connect(url: &Secret, name: &str) -> Result<Connection, lapin::Error> {
    let mut url = url.expose().to_owned();
    // Without a limit of ours an odd peer could make us allocate what it likes for one frame.
    for (option, value) in [("frame_max", "131072"), ("heartbeat", "20")] {
        if !url.contains(&format!("{option}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{option}={value}"));
        }
    }
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    tokio::time::timeout(Duration::from_secs(10), Connection::connect(&url, properties))
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

struct Broker {
    url: Secret,
    /// What it is called among the parts that [`Health`] knows.
    part: String,
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    stop: CancellationToken,
}

impl Broker {
    async fn run(&self) {
        let mut backoff = Backoff::for_service();
        while !self.stop.is_cancelled() {
            match self.session(&mut backoff).await {
                Ok(()) => return,
                Err(error) => {
                    if self.health.fault(&self.part, format!("{error:#}")) {
                        tracing::warn!("{}: {error:#}; trying again", self.part);
                    }
                }
            }
            if !backoff.wait(&self.stop).await {
                return;
            }
        }
    }

    /// One connection's life. Ends well only when asked to stop.
    async fn session(&self, backoff: &mut Backoff) -> Result<()> {
        let connection = connect(&self.url, "stackledger consume")
            .await
            .context("it cannot be reached: run scripts/up, or set AMQP_URL")?;
        let sources = &self.config.file.sources;
        topology::declare_ours(&connection, sources).await.context("declaring our queues")?;
        if self.health.works(&self.part) {
            tracing::info!("{}: connected again", self.part);
        } else {
            tracing::info!("{}: connected", self.part);
        }
        backoff.reset();

        // The queues end with the session, or with the process.
        let stop = self.stop.child_token();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        for queue in sources.iter().flat_map(|source| &source.queues) {
            let channel = connection.create_channel().await?;
            let prefetch = queue.prefetch.unwrap_or(self.config.prefetch);
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let pipeline = Pipeline {
                channel,
                queue: queue.clone(),
                batch_size: self.config.batch_size.min(usize::from(prefetch)),
                linger: self.config.linger,
                stop: stop.clone(),
            };
            let sink =
                Sink::new(self.database.clone(), Arc::clone(&self.health), self.stop.clone());
            tasks.spawn(async move { pipeline.run(sink).await });
        }
        let result = tokio::select! {
            result = self.keep_bound(&connection, sources) => result,
            ended = tasks.join_next() => match ended {
                Some(Ok(Err(error))) => Err(error),
                Some(Err(panic)) => Err(anyhow!(panic)),
                // A queue's task ends well when asked to stop.
                Some(Ok(Ok(()))) | None => Ok(()),
            },
            () = self.stop.cancelled() => Ok(()),
        };
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        let _ = connection.close(200, "done".into()).await;
        if self.stop.is_cancelled() {
            Ok(())
        } else {
            result.and(Err(anyhow!("the connection ended")))
        }
    }

    /// Binds every source as soon as its exchange is there, and again from time to time.
    async fn keep_bound(&self, connection: &Connection, sources: &[Source]) -> Result<()> {
        let mut missing: Vec<&Source> = sources.iter().collect();
        let mut first_time = true;
        let mut all_again = tokio::time::interval(REBIND_INTERVAL);
        all_again.tick().await;
        loop {
            let mut still_missing = Vec::new();
            for source in missing {
                if !topology::bind(connection, source).await? {
                    if first_time {
                        tracing::info!(
                            "exchange {:?} is not there yet: waiting for the cloud to make it",
                            source.exchange
                        );
                    }
                    still_missing.push(source);
                } else if !first_time {
                    tracing::debug!("bound to exchange {:?}", source.exchange);
                }
            }
            first_time = false;
            missing = tokio::select! {
                _ = all_again.tick() => sources.iter().collect(),
                () = tokio::time::sleep(MISSING_EXCHANGE_INTERVAL), if !still_missing.is_empty() => still_missing,
            };
        }
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
