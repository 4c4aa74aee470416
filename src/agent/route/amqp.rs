//! Sending by AMQP: each event is published to our exchange, persistent, mandatory and confirmed.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};

use super::outcome::BatchOutcome;
use crate::agent::buffer::Fate;
use crate::agent::sample::Sample;
use crate::broker::{self, Cluster};

/// Our exchange, and the routing key of the queue `stackledger.perf`.
const EXCHANGE: &str = "stackledger";
const ROUTING_KEY: &str = "perf.sampled";

/// How long a broker may take to confirm. A broker that blocks publishers does not report it here.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// Publishes to a broker.
pub(in crate::agent) struct Publisher {
    cluster: Cluster,
    /// Position of the node that answered last.
    node: usize,
    session: Option<Box<Session>>,
}

/// A connection with a channel in confirm mode.
struct Session {
    channel: Channel,
    /// Closed when dropped.
    _connection: Connection,
}

impl Publisher {
    pub fn new(cluster: Cluster) -> Publisher {
        Publisher { cluster, node: 0, session: None }
    }

    pub fn name(&self) -> String {
        format!("broker {}", self.cluster)
    }

    /// Publishes all events and waits for the broker's confirmations. After a failure the next call connects
    /// again.
    pub async fn carry(&mut self, samples: &[Sample]) -> Result<BatchOutcome> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let (node, session) = Session::open(&self.cluster, self.node).await?;
                self.node = node;
                Box::new(session)
            }
        };
        let published = tokio::time::timeout(CONFIRM_TIMEOUT, session.publish(samples)).await;
        let outcome = published.context("does not confirm messages")??;
        self.session = Some(session);
        Ok(outcome)
    }
}

impl Session {
    /// Connects to a node, beginning with the one at `first`, and returns its position.
    async fn open(cluster: &Cluster, first: usize) -> Result<(usize, Session)> {
        let (node, connection) = broker::connect_any(cluster, first, "stackledger agent")
            .await
            .context("cannot be reached (set AMQP_URL, or use --url)")?;
        match broker::declare_exchange(&connection, EXCHANGE).await {
            // The exchange exists with other flags; it can be published to all the same.
            Err(error) if broker::is_refused(&error) => {}
            declared => declared.with_context(|| format!("declaring exchange {EXCHANGE}"))?,
        }
        let channel = connection.create_channel().await.context("cannot open a channel")?;
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await.context("cannot enable publisher confirms")?;
        Ok((node, Session { channel, _connection: connection }))
    }

    async fn publish(&self, samples: &[Sample]) -> Result<BatchOutcome> {
        let lost = "the connection was lost";
        let mut confirms = Vec::with_capacity(samples.len());
        for sample in samples {
            let properties = BasicProperties::default()
                .with_content_type("application/cloudevents+json".into())
                .with_delivery_mode(2)
                .with_message_id(sample.id.as_str().into());
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let (exchange, key) = (EXCHANGE.into(), ROUTING_KEY.into());
            let published =
                self.channel.basic_publish(exchange, key, options, &sample.body, properties).await;
            confirms.push(published.context(lost)?);
        }
        let (mut nacked, mut returned) = (Vec::with_capacity(samples.len()), HashSet::new());
        for confirm in confirms {
            let confirmation: Confirmation = confirm.await.context(lost)?;
            nacked.push(confirmation.is_nack());
            // The client attaches returned messages to any of the confirmations: the id identifies them.
            if let Some(message) = confirmation.take_message() {
                let id = message.delivery.properties.message_id().clone();
                returned.extend(id.map(|id| id.to_string()));
            }
        }
        let fate = |(sample, is_nacked): (&Sample, &bool)| match *is_nacked
            || returned.contains(&sample.id)
        {
            true => Fate::Kept,
            false => Fate::Delivered,
        };
        let reason = match (returned.is_empty(), nacked.contains(&true)) {
            (false, _) => {
                Some("no queue is bound to its exchange yet: start `stackledger up`".to_owned())
            }
            (true, true) => Some("rejects messages".to_owned()),
            (true, false) => None,
        };
        Ok(BatchOutcome { fates: samples.iter().zip(&nacked).map(fate).collect(), reason })
    }
}
