//! What the environment and the TOML file say, read once at start into typed sections. What is
//! wrong is refused with the variable's name, what was given and what is accepted.

mod export;
mod metering;
mod reports;
mod retention;
mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

pub use export::{Export, Scalar, Select};
pub use metering::{BadPattern, Metering, Pattern};
pub use reports::Reports;
pub use retention::{Keep, PerfRetention, Retention};
pub use sources::{File, Queue, QueueType, Source};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A wrong value: which variable, what was given, what is accepted.
#[derive(Debug, thiserror::Error)]
#[error("{name}{given}: {accepted}")]
pub struct ConfigError {
    name: &'static str,
    given: String,
    accepted: String,
}

impl ConfigError {
    pub(crate) fn new(
        name: &'static str,
        given: impl std::fmt::Display,
        accepted: impl Into<String>,
    ) -> Self {
        ConfigError { name, given: format!("={given}"), accepted: accepted.into() }
    }

    /// A variable that has no default is missing.
    pub(crate) fn not_set(name: &'static str, accepted: impl Into<String>) -> Self {
        ConfigError { name, given: " is not set".to_owned(), accepted: accepted.into() }
    }
}

/// Everything the commands need to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the database is; `None` when `DATABASE_URL` is not set.
    pub database_url: Option<Secret>,
    /// One broker a URL (a cloud has one per cell).
    pub amqp_urls: Vec<Secret>,
    /// Address of the HTTP server.
    pub listen: SocketAddr,
    /// Bearer tokens the HTTP server asks for; none: it asks for nothing.
    pub tokens: Vec<Secret>,
    /// What the publishers of samples sign them with; none: signatures are not checked.
    pub metering_secret: Option<Hidden>,
    /// Unacked messages a broker may send ahead at most, per queue; fewer while they are large.
    pub prefetch: u16,
    /// Messages in one append at most.
    pub batch_size: usize,
    /// How long the first message of a batch waits for others.
    pub linger: std::time::Duration,
    /// The database that samples are exported to; before the file's.
    pub export_url: Option<Secret>,
    /// Tracing filter.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What the TOML file holds, over the built-in default.
    pub file: Arc<File>,
}

/// A text that is not shown: connection strings hold passwords.
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Secret {
    /// The text with the password of a URL or `key=value` string replaced by `***`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A text of which nothing at all is shown: a secret that is shared with others.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Wraps it.
    pub fn new(text: impl Into<String>) -> Self {
        Hidden(text.into())
    }

    /// The text itself, for the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// `scheme://user:password@host` and `password=…` without the password, also where the rest is
/// malformed: it is the wrong strings that are shown most.
fn redact(text: &str) -> String {
    let is_scheme = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (&text[..scheme.len() + 3], rest),
        _ => ("", text),
    };
    let rest = match rest.rsplit_once('@') {
        Some((user_info, host)) => match user_info.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let (mut shown, mut rest) = (scheme.to_owned(), rest.as_str());
    // Also `passwd`, and what else is not accepted but may hold one.
    while let Some(at) = rest.to_ascii_lowercase().find("pass") {
        let key = at + rest[at..].find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len() - at);
        let Some(value) = rest[key..].trim_start().strip_prefix('=') else {
            shown.push_str(&rest[..key]);
            rest = &rest[key..];
            continue;
        };
        shown.push_str(&rest[..key]);
        shown.push_str("=***");
        rest = after_value(value, !scheme.is_empty());
    }
    shown + rest
}

/// What follows the value of a parameter of a URL, or of a `key=value` string.
fn after_value(value: &str, is_url: bool) -> &str {
    if is_url {
        return &value[value.find('&').unwrap_or(value.len())..];
    }
    let value = value.trim_start();
    let (value, is_quoted) =
        value.strip_prefix('\'').map_or((value, false), |quoted| (quoted, true));
    let mut chars = value.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '\'' if is_quoted => return &value[at + 1..],
            _ if char.is_whitespace() && !is_quoted => return &value[at..],
            _ => {}
        }
    }
    ""
}

/// The environment's variables as they are; flat, because envy cannot flatten numbers.
#[derive(Debug, Deserialize)]
struct Variables {
    database_url: Option<String>,
    amqp_url: Option<String>,
    listen: Option<String>,
    stackledger_config: Option<PathBuf>,
    prefetch: Option<String>,
    batch_size: Option<String>,
    linger_ms: Option<String>,
    export_url: Option<String>,
    log: Option<String>,
    log_format: Option<String>,
    insecure_listen: Option<String>,
    tokens: Option<String>,
    metering_secret: Option<String>,
}

/// `AMQP_URL` when it is not set.
pub const DEFAULT_AMQP_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";
/// `LISTEN` when it is not set.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// `PREFETCH` when it is not set. With fewer the broker waits for acks; with more nothing is gained.
pub const DEFAULT_PREFETCH: u16 = 3000;
/// `BATCH_SIZE` when it is not set.
pub const DEFAULT_BATCH_SIZE: usize = 500;
/// `LINGER_MS` when it is not set.
pub const DEFAULT_LINGER_MS: u64 = 20;

impl Config {
    /// Reads the environment and the file that `STACKLEDGER_CONFIG` names.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        // An empty variable is one that is not set: compose files and shells make them.
        Self::from_vars(std::env::vars().filter(|(_, value)| !value.is_empty()))
    }

    /// As [`Config::from_env`], from the given variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let vars: Variables = envy::from_iter(vars)
            .map_err(|error| ConfigError::new("environment", "…", error.to_string()))?;
        let listen: SocketAddr = parse(
            "LISTEN",
            vars.listen.as_deref().unwrap_or(DEFAULT_LISTEN),
            "an address and a port are expected, like 127.0.0.1:8080",
        )?;
        let tokens: Vec<Secret> = vars
            .tokens
            .iter()
            .flat_map(|tokens| tokens.split(','))
            .map(str::trim)
            .filter(|token| !token.is_empty())
            .map(Secret::new)
            .collect();
        if !listen.ip().is_loopback()
            && tokens.is_empty()
            && vars.insecure_listen.as_deref() != Some("1")
        {
            return Err(ConfigError::new(
                "LISTEN",
                listen,
                "anybody who reaches this address could read and write: set TOKENS (bearer tokens, \
                 separated by commas), or INSECURE_LISTEN=1",
            ));
        }
        let config = Config {
            database_url: vars.database_url.map(Secret::new),
            amqp_urls: amqp_urls(vars.amqp_url.as_deref().unwrap_or(DEFAULT_AMQP_URL))?,
            listen,
            tokens,
            metering_secret: vars.metering_secret.map(Hidden::new),
            prefetch: number("PREFETCH", vars.prefetch, DEFAULT_PREFETCH, 1..=u16::MAX)?,
            batch_size: number("BATCH_SIZE", vars.batch_size, DEFAULT_BATCH_SIZE, 1..=10_000)?,
            linger: std::time::Duration::from_millis(number(
                "LINGER_MS",
                vars.linger_ms,
                DEFAULT_LINGER_MS,
                0..=60_000,
            )?),
            export_url: vars.export_url.map(Secret::new),
            log: vars.log.unwrap_or_else(|| "info".into()),
            log_format: match vars.log_format.as_deref() {
                None | Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(other) => {
                    return Err(ConfigError::new("LOG_FORMAT", other, "text or json is accepted"));
                }
            },
            file: match &vars.stackledger_config {
                None => Arc::default(),
                Some(path) => Arc::new(File::read(path)?),
            },
        };
        Ok(config)
    }
}

fn amqp_urls(given: &str) -> Result<Vec<Secret>, ConfigError> {
    let accepted = "amqp://user:password@host:port/vhost is accepted, several separated by commas";
    let mut urls: Vec<Secret> = Vec::new();
    for url in given.split(',').map(str::trim) {
        if !url.starts_with("amqp://") || url.parse::<lapin::uri::AMQPUri>().is_err() {
            return Err(ConfigError::new("AMQP_URL", redact(url), accepted));
        }
        // A URL given twice would be two consumers of one queue in one process: no use, no harm.
        if !urls.iter().any(|known| known.expose() == url) {
            urls.push(Secret::new(url));
        }
    }
    Ok(urls)
}

fn parse<T: std::str::FromStr>(
    name: &'static str,
    given: &str,
    accepted: &str,
) -> Result<T, ConfigError> {
    given.trim().parse().map_err(|_| ConfigError::new(name, given, accepted))
}

fn number<T>(
    name: &'static str,
    given: Option<String>,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, ConfigError>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(given) = given else { return Ok(default) };
    let accepted = format!("a whole number from {} to {} is accepted", range.start(), range.end());
    let value: T = parse(name, &given, &accepted)?;
    if range.contains(&value) { Ok(value) } else { Err(ConfigError::new(name, given, accepted)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_vars(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_cover_everything() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), DEFAULT_LISTEN);
        assert_eq!(config.amqp_urls, [Secret::new(DEFAULT_AMQP_URL)]);
        assert_eq!(config.file.sources.len(), 3);
    }

    #[test]
    fn a_wrong_value_names_the_variable_the_value_and_what_is_accepted() {
        for (name, given) in [
            ("LISTEN", "8080"),
            ("LISTEN", "0.0.0.0:8080"),
            ("PREFETCH", "many"),
            ("PREFETCH", "0"),
            ("BATCH_SIZE", "20000"),
            ("LINGER_MS", "-1"),
            ("LOG_FORMAT", "xml"),
            ("AMQP_URL", "http://127.0.0.1"),
            ("STACKLEDGER_CONFIG", "/does/not/exist.toml"),
        ] {
            let error = read(&[(name, given)]).unwrap_err();
            assert!(error.starts_with(&format!("{name}={given}: ")), "{error}");
        }
    }

    #[test]
    fn an_open_address_is_accepted_when_asked_for() {
        assert!(read(&[("LISTEN", "0.0.0.0:8080"), ("INSECURE_LISTEN", "1")]).is_ok());
        assert!(read(&[("LISTEN", "0.0.0.0:8080"), ("TOKENS", "a,b")]).is_ok());
    }

    #[test]
    fn passwords_are_not_shown() {
        for (given, shown) in [
            ("amqp://u:p@ss@h:1/v", "amqp://u:***@h:1/v"),
            ("postgresql://u@h/d", "postgresql://u@h/d"),
            ("host=h password=x user=u", "host=h password=*** user=u"),
            ("postgresql://h/d?password=x&user=u", "postgresql://h/d?password=***&user=u"),
            ("postgresql://u:p q@h/d", "postgresql://u:***@h/d"),
            ("u:p@h/d", "u:***@h/d"),
            ("host=h password = x user=u", "host=h password=*** user=u"),
            ("password='x y\\' z' user=u", "password=*** user=u"),
            ("password=x\\ y user=u", "password=*** user=u"),
            ("password='x y", "password=***"),
            ("password=a://b:c@d user=u", "password=*** user=u"),
            ("PASSWD=x&y pass", "PASSWD=*** pass"),
        ] {
            assert_eq!(Secret::new(given).to_string(), shown);
        }
    }

    #[test]
    fn nothing_of_a_shared_secret_is_shown() {
        let config = read(&[("METERING_SECRET", "s3cr3t")]).unwrap();
        assert_eq!(config.metering_secret.as_ref().map(Hidden::expose), Some("s3cr3t"));
        assert!(!format!("{config:?}").contains("s3cr3t"));
        assert_eq!(read(&[]).unwrap().metering_secret, None);
    }

    #[test]
    fn several_brokers_are_separated_by_commas() {
        let config = read(&[("AMQP_URL", "amqp://a, amqp://b ,amqp://a")]).unwrap();
        assert_eq!(config.amqp_urls.len(), 2);
    }
}
