//! The TOML file: its sections, read and checked together.

use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::export::Export;
use super::metering::Metering;
use super::queues::{BuiltInSources, Source, default_sources};
use super::reports::Reports;
use super::retention::Retention;
use crate::billing::mapping::MappingToml;
use crate::billing::rate::RateToml;
use crate::billing::settings::{RatesFile, Sections, Settings, parse_error};
use crate::billing::terms::TermsToml;

/// The defaults as a file, with every key that has one.
pub const DEFAULTS: &str = include_str!("default.toml");

/// The TOML file's sections. A section that the file does not have keeps its built-in default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The exchanges and queues that are consumed, the same on every broker.
    pub sources: Vec<Source>,
    /// Which samples are trusted.
    pub metering: Metering,
    /// The samples that are exported, and the database they are exported to.
    pub export: Export,
    /// What is billed, and at which rates.
    pub billing: Settings,
    /// Retention, per kind of data.
    pub retention: Retention,
    /// How deployments are reported.
    pub reports: Reports,
}

/// The file's sections before those on billing are checked against each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    sources: BuiltInSources,
    #[serde(default)]
    source: Vec<Source>,
    #[serde(default)]
    metering: Metering,
    #[serde(default)]
    export: Export,
    #[serde(default)]
    retention: Retention,
    #[serde(default)]
    reports: Reports,
    #[serde(default)]
    billing: TermsToml,
    usage: Option<Vec<Spanned<MappingToml>>>,
    rate: Option<Vec<Spanned<RateToml>>>,
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
    /// Reads the file, and the file of rates that it names, relative to its folder.
    ///
    /// # Errors
    ///
    /// If either file cannot be read, or contains a key or value that is not accepted.
    pub fn read(path: &Path) -> Result<File, ConfigError> {
        let error = |reason: String| ConfigError::new("STACKLEDGER_CONFIG", path.display(), reason);
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        File::parse(&text, |name| std::fs::read_to_string(folder.join(name))).map_err(error)
    }

    /// Parses the file's text. `read_rates` reads the file of rates, given its name; it is called only
    /// if the text names one.
    fn parse(
        text: &str,
        read_rates: impl FnOnce(&str) -> std::io::Result<String>,
    ) -> Result<File, String> {
        let RawFile { sources, source, metering, export, retention, reports, billing, usage, rate } =
            toml::from_str(text).map_err(|error| parse_error(text, &error).to_string())?;
        let sources = sources.with(source)?;
        export.check()?;
        reports.check()?;
        let rates = match billing.rates_file.clone().filter(|name| !name.is_empty()) {
            None => None,
            Some(name) => match read_rates(&name) {
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

    /// Parses the file's text, which must not name a file of rates.
    fn from_str(text: &str) -> Result<File, ConfigError> {
        let none = |_: &str| Err(std::io::Error::other("a text without a folder names no file"));
        File::parse(text, none)
            .map_err(|reason| ConfigError::new("STACKLEDGER_CONFIG", "…", reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<File, String> {
        File::parse(text, |_| Err(std::io::ErrorKind::NotFound.into()))
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(read("").unwrap(), File::default());
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("```toml\n{DEFAULTS}```")), "{DEFAULTS}");
        assert!(DEFAULTS.matches(" = ").count() > 20, "{DEFAULTS}");
        assert_eq!(read(DEFAULTS).unwrap(), File::default());
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert_eq!(
            read("\nexchanges = []").unwrap_err(),
            "line 2: exchanges: unknown field `exchanges`, expected one of `sources`, `source`, `metering`, \
             `export`, `retention`, `reports`, `billing`, `usage`, `rate`"
        );
    }

    #[test]
    fn a_syntax_error_is_reported_without_the_value() {
        let error = read("[export]\nurl = 'mysql://u:secret@h/d' x").unwrap_err();
        assert!(error.starts_with("line 2: url: ") && !error.contains("secret"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        let error = read("[metering]\ntrust_sources = [\n  'a',\n  '(',\n]").unwrap_err();
        assert!(error.starts_with("line 2: trust_sources: \"(\" is not a regular"), "{error}");
    }

    #[test]
    fn a_queue_has_one_source() {
        let source = "[[source]]\nexchange = 'e'\n[[source.queue]]\nname = 'q'\nkeys = []\n";
        assert_eq!(
            read(&format!("{source}{source}")).unwrap_err(),
            "queue \"q\" is listed twice; every queue has one source"
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
            "line 1: usage of the meter \"vcpus\": unit is missing; it must be second, hour, byte, \
             gigabyte or a name of your own"
        );
    }

    #[test]
    fn rates_are_read_from_the_file_that_is_named() {
        let text = "[billing]\nrates_file = 'rates.csv'\n";
        let file = File::parse(text, |name| {
            assert_eq!(name, "rates.csv");
            Ok("r | m1.small | hour | 0.02".to_owned())
        });
        assert_eq!(file.unwrap().billing.rates.iter().count(), 1);
        assert_eq!(
            read(text).unwrap_err(),
            "[billing] rates_file = \"rates.csv\": entity not found"
        );
        assert_eq!(
            read("[billing]\nrates_file = ''").unwrap_err(),
            "[billing] rates_file is empty; give it a value or remove the key"
        );
    }
}
