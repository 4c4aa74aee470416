//! The TOML file, and of it: which exchanges are consumed, through which queues.

use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Export, Metering, Reports, Retention};
use crate::billing::settings::{RatesFile, Sections, Settings, unreadable};
use crate::billing::{mapping, rate, terms};

/// The TOML file. Absent sections keep the built-in default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What is consumed, from every broker.
    pub sources: Vec<Source>,
    /// What is made of samples.
    pub metering: Metering,
    /// Which samples go to which other database.
    pub export: Export,
    /// What is billed, and for how much.
    pub billing: Settings,
    /// How long what is kept.
    pub retention: Retention,
    /// How deployments are reported.
    pub reports: Reports,
}

/// The file's sections, each to be checked by whoever it is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "default_sources", rename = "source")]
    sources: Vec<Source>,
    #[serde(default)]
    metering: Metering,
    #[serde(default)]
    export: Export,
    #[serde(default)]
    retention: Retention,
    #[serde(default)]
    reports: Reports,
    #[serde(default)]
    billing: terms::Written,
    usage: Option<Vec<Spanned<mapping::Written>>>,
    rate: Option<Vec<Spanned<rate::Written>>>,
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
        File {
            sources: default_sources(),
            metering: Metering::default(),
            export: Export::default(),
            billing: Settings::default(),
            retention: Retention::default(),
            reports: Reports::default(),
        }
    }
}

impl File {
    /// Reads the file, and the file of rates that it names.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or says something that is not understood.
    pub fn read(path: &Path) -> Result<File, ConfigError> {
        let wrong = |what: String| ConfigError::new("STACKLEDGER_CONFIG", path.display(), what);
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        File::parse(&text, |name| std::fs::read_to_string(folder.join(name))).map_err(wrong)
    }

    /// Reads the file's text; `rates_file` reads the file of that name, if it is asked for.
    fn parse(
        text: &str,
        rates_file: impl FnOnce(&str) -> std::io::Result<String>,
    ) -> Result<File, String> {
        let Written { sources, metering, export, retention, reports, billing, usage, rate } =
            toml::from_str(text).map_err(|error| unreadable(text, &error).to_string())?;
        check_queues(&sources)?;
        if let Some(fault) = export.fault().or_else(|| reports.fault()) {
            return Err(fault);
        }
        let rates = match billing.rates_file.clone().filter(|name| !name.is_empty()) {
            None => None,
            Some(name) => match rates_file(&name) {
                Ok(rates) => Some((name, rates)),
                Err(error) => return Err(format!("[billing] rates_file = {name:?}: {error}")),
            },
        };
        let rates = rates.as_ref().map(|(name, text)| RatesFile { name, text });
        let billing = Settings::read(Sections { billing, usage, rate }, text, rates);
        let billing = billing.map_err(|error| error.to_string())?;
        Ok(File { sources, metering, export, billing, retention, reports })
    }
}

impl FromStr for File {
    type Err = ConfigError;

    /// The file's text, where it names no other file.
    fn from_str(text: &str) -> Result<File, ConfigError> {
        let none = |_: &str| Err(std::io::Error::other("no other file is read from here"));
        File::parse(text, none).map_err(|what| ConfigError::new("STACKLEDGER_CONFIG", "…", what))
    }
}

fn check_queues(sources: &[Source]) -> Result<(), String> {
    let mut names: Vec<&str> =
        sources.iter().flat_map(|s| &s.queues).map(|q| q.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("queue {:?} stands twice; every queue has one source", pair[0])),
        None => Ok(()),
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

    fn read(text: &str) -> Result<File, String> {
        File::parse(text, |_| Err(std::io::ErrorKind::NotFound.into()))
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
        assert_eq!(
            read("\nexchanges = []").unwrap_err(),
            "line 2: exchanges: unknown field `exchanges`, expected one of `source`, `metering`, \
             `export`, `retention`, `reports`, `billing`, `usage`, `rate`"
        );
    }

    #[test]
    fn what_is_not_understood_is_told_without_its_value() {
        let error = read("[export]\nurl = 'mysql://u:secret@h/d' x").unwrap_err();
        assert!(error.starts_with("line 2: url: ") && !error.contains("secret"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        let error = read("[metering]\ntrust_sources = [\n  'a',\n  '(',\n]").unwrap_err();
        assert!(error.starts_with("line 2: trust_sources: \"(\" is no regular"), "{error}");
    }

    #[test]
    fn a_queue_has_one_source() {
        let source = "[[source]]\nexchange = 'e'\n[[source.queue]]\nname = 'q'\nkeys = []\n";
        assert_eq!(
            read(&format!("{source}{source}")).unwrap_err(),
            "queue \"q\" stands twice; every queue has one source"
        );
    }

    #[test]
    fn billing_is_checked_with_the_rest() {
        let usage = "[[usage]]\nmeter = 'vcpus'\ntransformer = 'uptime'";
        let file = read(usage).unwrap();
        assert_eq!(file.sources, File::default().sources);
        assert_eq!(file.billing.mappings.len(), 1);
        assert_eq!(
            read(&usage.replace("uptime", "max")).unwrap_err(),
            "line 1: usage of the meter \"vcpus\": unit is missing; second, hour, byte, gigabyte \
             or any other text is accepted"
        );
    }

    #[test]
    fn rates_come_from_a_file_of_their_own_where_it_is_named() {
        let named = "[billing]\nrates_file = 'rates.csv'\n";
        let file = File::parse(named, |name| {
            assert_eq!(name, "rates.csv");
            Ok("r | m1.small | hour | 0.02".to_owned())
        });
        assert_eq!(file.unwrap().billing.rates.iter().count(), 1);
        assert_eq!(
            read(named).unwrap_err(),
            "[billing] rates_file = \"rates.csv\": entity not found"
        );
        assert_eq!(
            read("[billing]\nrates_file = ''").unwrap_err(),
            "[billing] rates_file is empty; a text is expected, or no such key"
        );
    }
}
