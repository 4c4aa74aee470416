//! `[sources]` and `[[source]]` of the TOML file: the exchanges that are consumed, and the queues bound to them.

use serde::{Deserialize, Serialize};

/// An exchange, and our queues that are bound to it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
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

impl Source {
    /// The name of the exchange to which this exchange's messages go that are routed to none of its queues.
    pub fn alternate_exchange(&self) -> String {
        format!("{}.unrouted", self.exchange)
    }
}

/// A durable queue that we declare.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// Kept on one node.
    #[default]
    Classic,
    /// Replicated over a cluster.
    Quorum,
}

/// Which built-in sources are consumed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct BuiltInSources {
    /// Their exchanges; `None`: all.
    built_in: Option<Vec<String>>,
}

impl BuiltInSources {
    /// Adds the sources of the file to the built-in ones. A queue of the file replaces the built-in one of its name.
    pub fn with(&self, given: Vec<Source>) -> Result<Vec<Source>, String> {
        check_queue_names(&given)?;
        let mut sources = default_sources();
        if let Some(kept) = &self.built_in {
            let is_known = |name: &&String| sources.iter().any(|it| it.exchange == **name);
            if let Some(unknown) = kept.iter().find(|name| !is_known(name)) {
                let known: Vec<&str> = sources.iter().map(|it| it.exchange.as_str()).collect();
                return Err(format!(
                    "[sources] built_in: {unknown:?} is none of the built-in sources, which are {}",
                    known.join(", ")
                ));
            }
            sources.retain(|source| kept.contains(&source.exchange));
        }
        for source in given {
            for before in &mut sources {
                before.queues.retain(|queue| source.queues.iter().all(|it| it.name != queue.name));
            }
            match sources.iter_mut().find(|before| before.exchange == source.exchange) {
                Some(before) => {
                    before.ours |= source.ours;
                    before.queues.extend(source.queues);
                }
                None => sources.push(source),
            }
        }
        sources.retain(|source| !source.queues.is_empty());
        Ok(sources)
    }
}

/// Refuses a queue that is listed twice, as every queue has one source.
fn check_queue_names(sources: &[Source]) -> Result<(), String> {
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

/// Returns the built-in sources: Nova, Ceilometer, and our own exchanges.
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
        source(
            // What the exchange before routes to none of its queues.
            "stackledger.unrouted",
            true,
            vec![queue("stackledger.unrouted", &["#"], None)],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sources {
        #[serde(default)]
        sources: BuiltInSources,
        #[serde(default)]
        source: Vec<Source>,
    }

    fn read(text: &str) -> Result<Vec<Source>, String> {
        let Sources { sources, source } = toml::from_str(text).unwrap();
        sources.with(source)
    }

    fn names(sources: &[Source]) -> Vec<(&str, Vec<&str>)> {
        let mut names = Vec::new();
        for Source { exchange, queues, .. } in sources {
            names.push((exchange.as_str(), queues.iter().map(|queue| &*queue.name).collect()));
        }
        names
    }

    const OURS: [&str; 3] = ["stackledger.recipe", "stackledger.perf", "stackledger.deployment"];

    #[test]
    fn a_source_is_added_to_the_built_in_ones() {
        let sources = read(
            "[[source]]\nexchange = 'heat'\n[[source.queue]]\nname = 'q'\nkeys = ['notifications.*']\ntype = 'quorum'",
        )
        .unwrap();
        assert_eq!(
            names(&sources),
            [
                ("nova", vec!["stackledger.instance"]),
                ("ceilometer", vec!["stackledger.meter"]),
                ("stackledger", OURS.to_vec()),
                ("stackledger.unrouted", vec!["stackledger.unrouted"]),
                ("heat", vec!["q"])
            ]
        );
        assert_eq!(sources[..4], default_sources());
        assert!(!sources[4].ours);
        assert_eq!(sources[4].queues[0].queue_type, QueueType::Quorum);
        assert!(sources[4].queues[0].check_delivery_limit);
    }

    #[test]
    fn a_queue_replaces_the_built_in_one_of_its_name() {
        let queue = "[[source.queue]]\nname = 'stackledger.perf'\nkeys = ['perf.a']";
        let sources = read(&format!("[[source]]\nexchange = 'stackledger'\n{queue}")).unwrap();
        let (recipe, perf, deployment) = (OURS[0], OURS[1], OURS[2]);
        assert_eq!(names(&sources)[2], ("stackledger", vec![recipe, deployment, perf]));
        assert!(sources[2].ours && sources[2].queues[2].keys == ["perf.a"]);
        let sources = read(&format!("[[source]]\nexchange = 'metrics'\n{queue}")).unwrap();
        assert_eq!(names(&sources)[2], ("stackledger", vec![recipe, deployment]));
        assert_eq!(names(&sources)[4], ("metrics", vec![perf]));
    }

    #[test]
    fn built_in_sources_can_be_taken_out() {
        let sources = read("[sources]\nbuilt_in = ['nova']").unwrap();
        assert_eq!(names(&sources), [("nova", vec!["stackledger.instance"])]);
        assert_eq!(read("[sources]\nbuilt_in = []").unwrap(), []);
        assert_eq!(
            read("[sources]\nbuilt_in = ['nova', 'heat']").unwrap_err(),
            "[sources] built_in: \"heat\" is none of the built-in sources, which are nova, ceilometer, stackledger, stackledger.unrouted"
        );
    }

    #[test]
    fn the_default_queues_have_one_source_each() {
        assert_eq!(check_queue_names(&default_sources()), Ok(()));
    }
}
