//! `[[source]]` of the TOML file: the exchanges that are consumed, and the queues bound to them.

use serde::Deserialize;

/// An exchange, and our queues that are bound to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the exchange.
    pub exchange: String,
    /// Whether we declare the exchange (topic, durable). The cloud's exchanges are only checked for
    /// existence: a consumer that declares one with other flags makes the cloud's own publishing fail.
    #[serde(default)]
    pub ours: bool,
    /// Our queues that are bound to it.
    #[serde(rename = "queue")]
    pub queues: Vec<Queue>,
}

/// A durable queue that we declare.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Routing keys of its bindings.
    pub keys: Vec<String>,
    /// Classic (default) or quorum.
    #[serde(default, rename = "type")]
    pub queue_type: QueueType,
    /// Unacknowledged messages that the broker may send ahead; `None`: as many as `PREFETCH`.
    pub prefetch: Option<u16>,
    /// Bytes beyond which the broker drops the oldest messages; `None`: no limit.
    pub max_length_bytes: Option<i64>,
    /// Whether a quorum queue is consumed only if the broker's management API reports no delivery limit for it.
    #[serde(default = "yes")]
    pub check_delivery_limit: bool,
}

fn yes() -> bool {
    true
}

/// The types of RabbitMQ's queues that can be declared here.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// Kept on one node.
    #[default]
    Classic,
    /// Replicated over a cluster.
    Quorum,
}

/// Refuses a queue that is listed twice, as every queue has one source.
pub(super) fn check_queue_names(sources: &[Source]) -> Result<(), String> {
    let mut names: Vec<&str> =
        sources.iter().flat_map(|source| &source.queues).map(|queue| queue.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(format!("queue {:?} is listed twice; every queue has one source", pair[0]))
        }
        None => Ok(()),
    }
}

/// Returns the built-in sources: Nova, Ceilometer, and our own exchange.
pub(super) fn default_sources() -> Vec<Source> {
    let queue = |name: &str, keys: &[&str], prefetch| Queue {
        name: name.to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        queue_type: QueueType::Classic,
        prefetch,
        max_length_bytes: None,
        check_delivery_limit: true,
    };
    let source = |name: &str, ours, queues| Source { exchange: name.to_owned(), ours, queues };
    vec![
        source(
            "nova",
            false,
            vec![queue(
                "stackledger.instance",
                &["notifications.*", "versioned_notifications.*"],
                None,
            )],
        ),
        source(
            "ceilometer",
            false,
            // A message of 50 samples takes 65 to 80 kB, so fewer messages are held at once.
            vec![queue("stackledger.meter", &["metering.#", "notifications.sample"], Some(300))],
        ),
        source(
            "stackledger",
            true,
            vec![
                queue("stackledger.recipe", &["recipe.*", "build.*", "bootstrap.*"], None),
                queue("stackledger.perf", &["perf.*"], None),
                queue("stackledger.deployment", &["deployment.#", "instance.#", "service.#"], None),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sources {
        source: Vec<Source>,
    }

    fn read(text: &str) -> Vec<Source> {
        toml::from_str::<Sources>(text).unwrap().source
    }

    #[test]
    fn further_exchanges_can_be_named() {
        let sources = read(
            "[[source]]\nexchange = 'heat'\n[[source.queue]]\nname = 'q'\nkeys = ['notifications.*']\ntype = 'quorum'",
        );
        assert_eq!(sources[0].exchange, "heat");
        assert!(!sources[0].ours);
        assert_eq!(sources[0].queues[0].queue_type, QueueType::Quorum);
        assert!(sources[0].queues[0].check_delivery_limit);
    }

    #[test]
    fn the_default_queues_have_one_source_each() {
        assert_eq!(check_queue_names(&default_sources()), Ok(()));
    }
}
