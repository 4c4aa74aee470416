//! The TOML file: which exchanges are consumed, through which queues.

use std::path::Path;

use serde::Deserialize;

use super::ConfigError;

/// The TOML file. Absent sections keep the built-in default.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What is consumed, from every broker.
    #[serde(default = "default_sources", rename = "source")]
    pub sources: Vec<Source>,
}

/// One exchange and the queues of ours that are bound to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the exchange.
    pub exchange: String,
    /// Whether it is ours to declare (topic, durable). The cloud's are only ever looked at: whoever
    /// declares them with other flags breaks the cloud's publishing.
    #[serde(default)]
    pub ours: bool,
    /// Our queues bound to it.
    #[serde(rename = "queue")]
    pub queues: Vec<Queue>,
}

/// A durable queue of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Routing keys it is bound by.
    pub keys: Vec<String>,
    /// Classic (default) or quorum.
    #[serde(default, rename = "type")]
    pub queue_type: QueueType,
    /// Unacked messages sent ahead; `PREFETCH` where it is not given.
    pub prefetch: Option<u16>,
    /// The broker drops the oldest messages beyond this many bytes; unlimited where not given.
    pub max_length_bytes: Option<i64>,
}

/// RabbitMQ's queue types that make sense here.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// On one node.
    #[default]
    Classic,
    /// Replicated over a cluster.
    Quorum,
}

impl Default for File {
    fn default() -> Self {
        File { sources: default_sources() }
    }
}

impl File {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or says something that is not understood.
    pub fn read(path: &Path) -> Result<File, ConfigError> {
        let wrong = |what: String| ConfigError::new("STACKLEDGER_CONFIG", path.display(), what);
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut names: Vec<&str> =
            file.sources.iter().flat_map(|s| &s.queues).map(|q| q.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(wrong(format!(
                "queue {:?} stands twice; every queue has one source",
                pair[0]
            )));
        }
        Ok(file)
    }
}

/// Nova, Ceilometer, and our own exchange.
fn default_sources() -> Vec<Source> {
    let queue = |name: &str, keys: &[&str], prefetch| Queue {
        name: name.to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        queue_type: QueueType::Classic,
        prefetch,
        max_length_bytes: None,
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
            // A batch of 50 samples is 65 to 80 kB: fewer of them are held at once.
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

    fn read(text: &str) -> Result<File, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn further_exchanges_can_be_named() {
        let file = read(
            "[[source]]\nexchange = 'heat'\n[[source.queue]]\nname = 'q'\nkeys = ['notifications.*']\ntype = 'quorum'",
        )
        .unwrap();
        assert_eq!(file.sources[0].exchange, "heat");
        assert!(!file.sources[0].ours);
        assert_eq!(file.sources[0].queues[0].queue_type, QueueType::Quorum);
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(read("").unwrap(), File::default());
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(read("exchanges = []").unwrap_err().to_string().contains("exchanges"));
    }
}
