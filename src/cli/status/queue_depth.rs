//! The number of messages and consumers of our queues on a broker.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::broker::{self, Binding, Cluster, Management};
use crate::secret::ConnectionString;

/// The state of a queue on a broker.
pub(super) struct QueueDepth {
    /// The broker's URL without its password.
    broker: String,
    /// `-` if the broker is away.
    queue: String,
    messages: Option<u32>,
    consumers: Option<u32>,
    /// What is routed to it; `None` if the management API does not answer.
    bindings: Option<Vec<Binding>>,
    /// Why the numbers are unknown.
    error: Option<String>,
}

impl QueueDepth {
    /// Returns the depth as an object of `status --json`.
    pub fn to_json(&self) -> Value {
        let bindings = self.bindings.as_ref().map(|bindings| {
            let binding = |it: &Binding| json!({"exchange": it.exchange, "key": it.routing_key});
            bindings.iter().map(binding).collect::<Vec<_>>()
        });
        json!({
            "broker": self.broker, "queue": self.queue, "messages": self.messages,
            "consumers": self.consumers, "bindings": bindings, "error": self.error,
        })
    }

    /// Returns a sentence about what is wrong with the queue or the broker, if anything is.
    pub fn fault(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        Some(match self.queue.as_str() {
            "-" => format!("broker {}: {error}", self.broker),
            queue => format!("queue {queue} at {}: {error}", self.broker),
        })
    }

    /// Returns the depth as a row of the table: queue, messages, consumers, bindings, and the broker with
    /// the error.
    pub fn to_row(&self) -> Vec<String> {
        let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let broker = match &self.error {
            Some(error) => format!("{}: {error}", self.broker),
            None => self.broker.clone(),
        };
        let bindings = self.bindings.as_deref().map_or_else(|| "-".to_owned(), list_bindings);
        vec![self.queue.clone(), number(self.messages), number(self.consumers), bindings, broker]
    }
}

/// Writes bindings as `exchange: key, key; exchange: key`.
fn list_bindings(bindings: &[Binding]) -> String {
    let mut keys = BTreeMap::<&str, Vec<&str>>::new();
    for binding in bindings {
        keys.entry(&binding.exchange).or_default().push(&binding.routing_key);
    }
    let exchanges = keys.iter().map(|(exchange, keys)| format!("{exchange}: {}", keys.join(", ")));
    exchanges.collect::<Vec<_>>().join("; ")
}

/// Reads the depths of these queues on one broker or cluster, and of its other queues `stackledger.*` that nobody consumes,
/// if its management API answers. A broker that is away gives one entry with the error, because the rest of the status is
/// still worth knowing.
pub(super) async fn read_depths(
    cluster: &Cluster,
    management: Option<&ConnectionString>,
    names: Vec<&str>,
) -> Vec<QueueDepth> {
    let depth = |queue: &str, messages, consumers, error| QueueDepth {
        broker: cluster.to_string(),
        queue: queue.to_owned(),
        messages,
        consumers,
        bindings: None,
        error,
    };
    let (node, connection) = match broker::connect_any(cluster, 0, "stackledger status").await {
        Ok(connected) => connected,
        Err(error) => return vec![depth("-", None, None, Some(error.to_string()))],
    };
    let mut depths = Vec::new();
    for name in names.iter().copied() {
        depths.push(match broker::read_depth(&connection, name).await {
            Ok(Some(broker::QueueDepth { messages, consumers })) => {
                depth(name, Some(messages), Some(consumers), None)
            }
            Ok(None) => depth(name, None, None, Some("not declared yet".to_owned())),
            Err(error) => depth(name, None, None, Some(error.to_string())),
        });
    }
    let vhost = connection.status().vhost().to_string();
    broker::disconnect(&connection).await;
    if let Ok(management) = Management::new(management, &cluster.nodes()[node]) {
        let others = management.list_queues(&vhost).await.unwrap_or_default().into_iter();
        let others =
            others.filter(|queue| queue.is_left() && !names.contains(&queue.name.as_str()));
        let count = |count: u64| Some(u32::try_from(count).unwrap_or(u32::MAX));
        let reason = || Some("it is not in the configuration".to_owned());
        depths.extend(others.map(|queue| {
            depth(&queue.name, count(queue.messages), count(queue.consumers), reason())
        }));
        for depth in &mut depths {
            depth.bindings = management.list_bindings(&vhost, &depth.queue).await.ok();
        }
    }
    depths
}
