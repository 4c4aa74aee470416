//! Consuming from brokers: one connection per broker or cluster, made again whenever it ends, with a consumer per queue
//! and a task that keeps the queues bound.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use lapin::Connection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bindable::BindableQueues;
use super::delivery_limit::UnlimitedQueues;
use super::depths;
use super::link;
use super::queue::Consumer;
use super::topology::{self, Binding};
use super::unconsumed;
use super::unrouted;
use crate::broker::{self, Cluster, Management, NoNode};
use crate::config::{Config, Queue, Source};
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::Backoff;
use crate::secret::ConnectionString;
use crate::supervise::supervise;

/// Interval at which a missing exchange is looked for again.
const MISSING_EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// How long it may take to connect before that is reported.
const CONNECT_NOTICE: Duration = Duration::from_secs(1);
/// A session that ends sooner is a failure of its node.
const STABLE_SESSION: Duration = Duration::from_secs(5);
/// How long the batches in hand may take to be appended after a connection was lost.
const BATCH_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval at which all bindings are made again: an exchange may have been deleted and declared anew.
const REBIND_INTERVAL: Duration = Duration::from_secs(15);

/// Consumes from every broker of the configuration until asked to stop. Brokers and the database may go away
/// and return meanwhile.
///
/// # Errors
///
/// When the task of a broker panics again and again.
pub async fn run(
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    stop: CancellationToken,
) -> Result<()> {
    let mut brokers = JoinSet::new();
    for (nth, cluster) in config.amqp_urls.iter().enumerate() {
        let broker = Broker {
            part: format!("broker {cluster}"),
            cluster: cluster.clone(),
            management: config.amqp_management_urls.get(nth).cloned(),
            database: database.clone(),
            config: Arc::clone(&config),
            health: Arc::clone(&health),
            said_of_unrouted: unrouted::LastStatement::default(),
            unlimited: Arc::default(),
            stop: stop.clone(),
        };
        let (broker, stop) = (Arc::new(broker), stop.clone());
        brokers.spawn(async move {
            let begin = || {
                let broker = Arc::clone(&broker);
                async move { broker.run().await }
            };
            supervise(&broker.part, &broker.health, &stop, begin).await
        });
    }
    while let Some(ended) = brokers.join_next().await {
        ended??;
    }
    Ok(())
}

/// One broker of the configuration, or one cluster, of which one node is consumed from at a time.
struct Broker {
    cluster: Cluster,
    /// URL of its management API; `None`: on the host of the node that is consumed from.
    management: Option<ConnectionString>,
    /// Its name as a part in [`Health`].
    part: String,
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    said_of_unrouted: unrouted::LastStatement,
    unlimited: Arc<UnlimitedQueues>,
    stop: CancellationToken,
}

impl Broker {
    async fn run(&self) {
        self.set_connected(false);
        let mut backoff = Backoff::for_readiness();
        // Position of the node to try first.
        let mut first = 0;
        // Sessions in a row that ended soon, each with another node.
        let mut short = 0;
        while !self.stop.is_cancelled() {
            let (node, connection) = tokio::select! {
                () = self.stop.cancelled() => return,
                connected = self.connect(first) => match connected {
                    Ok(connected) => connected,
                    Err(error) => {
                        self.report(&error.to_string());
                        if !backoff.wait(&self.stop).await {
                            return;
                        }
                        continue;
                    }
                }
            };
            if self.health.clear_fault(&self.part) {
                tracing::info!("{}: connected again", self.part);
            } else {
                tracing::info!("{}: connected", self.part);
            }
            let started = tokio::time::Instant::now();
            self.set_connected(true);
            let ended = self.run_session(&self.cluster.nodes()[node], connection).await;
            self.set_connected(false);
            let Err(error) = ended else { return };
            first = node + 1;
            if started.elapsed() >= STABLE_SESSION {
                backoff.reset();
                short = 0;
            } else {
                short += 1;
            }
            if short < self.cluster.nodes().len() {
                // Another node, or the same one again, is not known to be away.
                tracing::warn!("{}: {error:#}; connecting again", self.part);
            } else {
                self.report(&format!("{error:#}"));
                if !backoff.wait(&self.stop).await {
                    return;
                }
            }
        }
    }

    fn set_connected(&self, is_connected: bool) {
        metrics::gauge!("stackledger_broker_connected", "broker" => self.cluster.to_string())
            .set(f64::from(is_connected));
    }

    /// Connects to one of the nodes, beginning with the one at `first`, and declares our exchanges there. If that
    /// takes long, it is reported.
    async fn connect(&self, first: usize) -> Result<(usize, Connection), NoNode> {
        let mut connecting = pin!(self.connect_to_any(first));
        if let Ok(connected) = tokio::time::timeout(CONNECT_NOTICE, &mut connecting).await {
            return connected;
        }
        self.report("it does not answer");
        connecting.await
    }

    async fn connect_to_any(&self, first: usize) -> Result<(usize, Connection), NoNode> {
        let mut none = NoNode::default();
        for position in self.cluster.positions_from(first) {
            let node = &self.cluster.nodes()[position];
            match self.connect_to(node).await {
                Ok(connection) => return Ok((position, connection)),
                Err(error) => none.add(node, format!("{error:#}")),
            }
        }
        Err(none)
    }

    async fn connect_to(&self, node: &ConnectionString) -> Result<Connection> {
        let timeout = broker::node_timeout(&self.cluster);
        let connection = broker::connect_within(timeout, node, "stackledger consume")
            .await
            .context("it cannot be reached: check that it runs, and AMQP_URL")?;
        for source in self.config.file.sources.iter().filter(|source| source.ours) {
            self.declare(&connection, &source.exchange).await?;
        }
        Ok(connection)
    }

    /// Reports that the broker is away.
    fn report(&self, reason: &str) {
        if self.health.set_fault(&self.part, reason) {
            tracing::warn!("{}: {reason}; trying again", self.part);
        }
    }

    /// Consumes over one connection until it ends. Returns `Ok` only when asked to stop.
    async fn run_session(&self, node: &ConnectionString, connection: Connection) -> Result<()> {
        let sources = &self.config.file.sources;
        // Stops the consumers when this session ends, or the process.
        let stop = self.stop.child_token();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        let connection = Arc::new(connection);
        let bindable = BindableQueues::default();
        let management = Management::new(self.management.as_ref(), node)
            .map_err(|error| anyhow!("the management API's client cannot be made: {error}"))?;
        let vhost = connection.status().vhost().to_string();
        let queues = sources.iter().flat_map(|source| &source.queues);
        let names: Vec<String> = queues.map(|queue| queue.name.clone()).collect();
        let configured: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let cluster = self.cluster.to_string();
        let unconsumed = format!("queues at {} that nobody consumes", self.cluster);
        for queue in sources.iter().flat_map(|source| &source.queues) {
            let consumer = Consumer {
                connection: Arc::clone(&connection),
                node: node.clone(),
                management: management.clone(),
                queue: queue.clone(),
                part: format!("queue {} at {}", queue.name, self.cluster),
                prefetch: queue.prefetch.unwrap_or(self.config.prefetch),
                config: Arc::clone(&self.config),
                database: self.database.clone(),
                health: Arc::clone(&self.health),
                bindable: bindable.clone(),
                unlimited: Arc::clone(&self.unlimited),
                stop: stop.clone(),
            };
            tasks.spawn(async move { consumer.run().await });
        }
        let result = tokio::select! {
            error = link::watch(&connection, |is_silent| self.report_silence(is_silent)) => {
                Err(anyhow!(error).context("the connection ended"))
            }
            result = self.keep_bound(&connection, sources, &bindable) => result,
            never = unconsumed::watch(&management, &vhost, &configured, &unconsumed, &self.health) => {
                match never {}
            }
            never = unrouted::watch(&management, &vhost, sources, &self.said_of_unrouted) => match never {},
            never = depths::watch(&connection, &cluster, &names) => match never {},
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
                let part = format!("exchange {exchange} at {}, which is ours", self.cluster);
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
        let (mut awaited, mut bound) = (HashSet::new(), HashSet::new());
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
                let part = format!("exchange {exchange} at {}", self.cluster);
                match topology::bind(connection, exchange, queue).await? {
                    Binding::Bound => {
                        awaited.remove(exchange);
                        if bound.insert(&queue.name) {
                            tracing::info!(
                                "{part}: {} is bound by {}",
                                queue.name,
                                queue.keys.join(", ")
                            );
                        }
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
