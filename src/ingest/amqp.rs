//! Consuming from brokers: one connection per broker, made again whenever it ends, with a consumer per queue
//! and a task that keeps the queues bound.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use lapin::Connection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bindable::BindableQueues;
use super::link;
use super::queue::Consumer;
use super::topology::{self, Binding};
use crate::broker::{self, Management};
use crate::config::{Config, Queue, Source};
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::Backoff;
use crate::secret::ConnectionString;

/// Interval at which a missing exchange is looked for again.
const MISSING_EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the batches in hand may take to be appended after a connection was lost.
const BATCH_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval at which all bindings are made again: an exchange may have been deleted and declared anew.
const REBIND_INTERVAL: Duration = Duration::from_secs(15);

/// Consumes from every broker of the configuration until asked to stop. Brokers and the database may go away
/// and return meanwhile.
pub async fn run(
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    stop: CancellationToken,
) {
    let mut brokers = JoinSet::new();
    for (nth, url) in config.amqp_urls.iter().enumerate() {
        let broker = Broker {
            part: format!("broker {url}"),
            url: url.clone(),
            management: config.amqp_management_urls.get(nth).cloned(),
            database: database.clone(),
            config: Arc::clone(&config),
            health: Arc::clone(&health),
            stop: stop.clone(),
        };
        brokers.spawn(async move { broker.run().await });
    }
    while brokers.join_next().await.is_some() {}
}

/// One broker of the configuration.
struct Broker {
    url: ConnectionString,
    /// URL of its management API; `None`: on the broker's host.
    management: Option<ConnectionString>,
    /// Its name as a part in [`Health`].
    part: String,
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    stop: CancellationToken,
}

impl Broker {
    async fn run(&self) {
        let mut backoff = Backoff::for_readiness();
        while !self.stop.is_cancelled() {
            match self.run_session(&mut backoff).await {
                Ok(()) => return,
                Err(error) => self.report(&error),
            }
            if !backoff.wait(&self.stop).await {
                return;
            }
        }
    }

    fn report(&self, error: &anyhow::Error) {
        if self.health.set_fault(&self.part, format!("{error:#}")) {
            tracing::warn!("{}: {error:#}; trying again", self.part);
        }
    }

    /// Runs one connection until it ends. Returns `Ok` only when asked to stop.
    async fn run_session(&self, backoff: &mut Backoff) -> Result<()> {
        let connection = broker::connect(&self.url, "stackledger consume")
            .await
            .context("it cannot be reached: run scripts/up, or set AMQP_URL")?;
        let sources = &self.config.file.sources;
        for source in sources.iter().filter(|source| source.ours) {
            self.declare(&connection, &source.exchange).await?;
        }
        if self.health.clear_fault(&self.part) {
            tracing::info!("{}: connected again", self.part);
        } else {
            tracing::info!("{}: connected", self.part);
        }
        backoff.reset();

        // Stops the consumers when this session ends, or the process.
        let stop = self.stop.child_token();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        let connection = Arc::new(connection);
        let bindable = BindableQueues::default();
        let management = Management::new(self.management.as_ref(), &self.url)
            .map_err(|error| anyhow!("the management API's client cannot be made: {error}"))?;
        for queue in sources.iter().flat_map(|source| &source.queues) {
            let consumer = Consumer {
                connection: Arc::clone(&connection),
                broker: self.url.clone(),
                management: management.clone(),
                queue: queue.clone(),
                part: format!("queue {} at {}", queue.name, self.url),
                prefetch: queue.prefetch.unwrap_or(self.config.prefetch),
                config: Arc::clone(&self.config),
                database: self.database.clone(),
                health: Arc::clone(&self.health),
                bindable: bindable.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(async move { consumer.run().await });
        }
        let result = tokio::select! {
            error = link::watch(&connection, |is_silent| self.report_silence(is_silent)) => {
                Err(anyhow!(error).context("the connection ended"))
            }
            result = self.keep_bound(&connection, sources, &bindable) => result,
            ended = tasks.join_next() => match ended {
                Some(Ok(Err(error))) => Err(error),
                Some(Err(panic)) => Err(anyhow!(panic)),
                // A consumer returns `Ok` only when asked to stop.
                Some(Ok(Ok(()))) | None => Ok(()),
            },
            () = self.stop.cancelled() => Ok(()),
        };
        stop.cancel();
        if self.stop.is_cancelled() {
            while tasks.join_next().await.is_some() {}
            broker::disconnect(&connection).await;
            return Ok(());
        }
        let error = result.err().unwrap_or_else(|| anyhow!("the connection ended"));
        self.report(&error);
        // A batch that is being appended may still get into the log. If the database does not answer, the next
        // connection does not wait for it: the broker has all messages that were not acked.
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(BATCH_TIMEOUT, ended).await.is_err() {
            tasks.shutdown().await;
        }
        broker::disconnect(&connection).await;
        Err(error)
    }

    /// Reports that the broker does not answer, or does again.
    fn report_silence(&self, is_silent: bool) {
        if is_silent {
            if self.health.set_fault(&self.part, "it does not answer") {
                tracing::warn!("{}: it does not answer; waiting", self.part);
            }
        } else if self.health.clear_fault(&self.part) {
            tracing::info!("{}: answers again", self.part);
        }
    }

    /// Declares an exchange of ours. If the broker refuses because it exists with other flags, that is reported
    /// as a fault of this exchange alone: its queues can still be bound to it as it is.
    async fn declare(&self, connection: &Connection, exchange: &str) -> Result<()> {
        match broker::declare_exchange(connection, exchange).await {
            Err(error) if broker::is_refused(&error) => {
                let part = format!("exchange {exchange} at {}, which is ours", self.url);
                if self.health.set_fault(&part, error.to_string()) {
                    tracing::error!("{part}: {error}");
                }
                Ok(())
            }
            declared => declared.with_context(|| format!("declaring exchange {exchange}")),
        }
    }

    /// Binds every queue as soon as that is possible and its exchange exists, and again from time to time. Returns
    /// only with an error.
    async fn keep_bound(
        &self,
        connection: &Connection,
        sources: &[Source],
        bindable: &BindableQueues,
    ) -> Result<()> {
        let all: Vec<(&Source, &Queue)> =
            sources.iter().flat_map(|s| s.queues.iter().map(move |queue| (s, queue))).collect();
        let mut due = all.clone();
        let mut awaited = HashSet::new();
        let mut changes = bindable.changes();
        let mut rebind = tokio::time::interval(REBIND_INTERVAL);
        rebind.tick().await;
        loop {
            changes.mark_unchanged();
            let mut missing = Vec::new();
            for (source, queue) in due {
                let Some(_held) = bindable.hold(&queue.name).await else {
                    missing.push((source, queue));
                    continue;
                };
                let exchange = source.exchange.as_str();
                let part = format!("exchange {exchange} at {}", self.url);
                match topology::bind(connection, exchange, queue).await? {
                    Binding::Bound => {
                        awaited.remove(exchange);
                        if self.health.clear_fault(&part) {
                            tracing::info!("{part}: bound again");
                        }
                    }
                    Binding::Missing => {
                        missing.push((source, queue));
                        // Our own exchange exists: what does not is a queue that the broker refused.
                        if !source.ours && awaited.insert(exchange) {
                            tracing::info!(
                                "{part} does not exist yet: waiting for the cloud to declare it"
                            );
                        }
                    }
                    Binding::Refused(reason) => {
                        if self.health.set_fault(&part, &reason) {
                            tracing::error!(
                                "{part}: the broker refuses to bind a queue: {reason}; trying again"
                            );
                        }
                    }
                }
            }
            due = tokio::select! {
                _ = rebind.tick() => all.clone(),
                Ok(()) = changes.changed() => all.clone(),
                () = tokio::time::sleep(MISSING_EXCHANGE_INTERVAL), if !missing.is_empty() => missing,
            };
        }
    }
}
