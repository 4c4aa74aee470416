//! The environment variables. The table below declares each one once: its name, default and help, and
//! the field of [`Config`] that holds its value, with the parser. `--help` prints the table, and a test
//! compares docs/configuration.md with it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::brokers::{parse_clusters, parse_management_apis};
use super::error::ConfigError;
use super::file::File;
use super::variable::{Fallback, Variable};
use crate::broker::Cluster;
use crate::secret::{ConnectionString, Secret};

/// Expands to a constant for each variable, their list [`VARIABLES`], the struct [`Config`] with the
/// fields of all variables that have one, and `Config::parse`.
macro_rules! variables {
    ($(
        $name:ident {
            $kind:ident: $fallback:literal,
            help: $help:literal,
            secret: $is_secret:literal,
            $( $(#[$doc:meta])+ $field:ident: $type:ty = $parse:expr, )?
        }
    )+) => {
        $(
            #[doc = concat!("`", stringify!($name), "`: ", $help, ".")]
            pub(crate) const $name: Variable = Variable {
                name: stringify!($name),
                fallback: Fallback::$kind($fallback),
                help: $help,
                is_secret: $is_secret,
            };
        )+

        /// All environment variables, in the order in which they are documented.
        pub const VARIABLES: &[Variable] = &[$($name),+];

        /// The process's configuration: a field for each environment variable.
        #[derive(Clone, Debug)]
        pub struct Config {
            $( $( $(#[$doc])+ pub $field: $type, )? )+
        }

        impl Config {
            /// Parses each variable, without checking one against another.
            fn parse(given: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
                Ok(Config { $( $( $field: $name.parse(given, $parse)?, )? )+ })
            }
        }
    };
}

variables! {
    DATABASE_URL {
        NoDefault: "none; `scripts/up` starts a server of its own",
        help: "PostgreSQL 15 or newer, as postgresql://user:password@host:port/database",
        secret: true,
        /// The database; `None` if the variable is not set.
        database_url: Option<ConnectionString> = |raw| Ok(raw.given().map(ConnectionString::new)),
    }
    READ_DATABASE_URL {
        NoDefault: "DATABASE_URL",
        help: "a streaming standby of the database, which answers the queries of read models, a moment \
               later than the database itself; that answers while the standby is away",
        secret: true,
        /// A standby that answers the queries of read models; `None`: the database does.
        read_database_url: Option<ConnectionString> = |raw| Ok(raw.given().map(ConnectionString::new)),
    }
    DATABASE_CAPACITY {
        NoDefault: "not known",
        help: "size that the database may take, e.g. that of its disk, as bytes or like 500GB or 2TiB; \
               `status` then tells when it is full",
        secret: false,
        /// The size that the database may take, in bytes; `None`: not known.
        database_capacity: Option<u64> = |raw| raw.given().map(|_| raw.parse_bytes()).transpose(),
    }
    AMQP_URL {
        Default: "amqp://guest:guest@127.0.0.1:5672/%2f",
        help: "RabbitMQ; several URLs, separated by commas, are all consumed; of several nodes of a \
               cluster, separated by semicolons, any one is",
        secret: true,
        /// The brokers or clusters: a cloud has one per cell. At least one, none twice.
        amqp_urls: Vec<Cluster> = parse_clusters,
    }
    AMQP_MANAGEMENT_URL {
        NoDefault: "port 15672 of the broker's host, with the broker's user",
        help: "RabbitMQ's management API, as http://user:password@host:port, one for each cluster of \
               AMQP_URL; asked for the delivery limits of quorum queues",
        secret: true,
        /// The management APIs of the brokers, in their order; none if the variable is not set.
        amqp_management_urls: Vec<ConnectionString> = parse_management_apis,
    }
    LISTEN {
        Default: "127.0.0.1:8080",
        help: "address of the HTTP server; any but a loopback address needs TOKENS or INSECURE_LISTEN",
        secret: false,
        /// Address of the HTTP server.
        listen: SocketAddr = |raw| raw.parse("an address and a port are expected, like 127.0.0.1:8080"),
    }
    TOKENS {
        NoDefault: "none, requests need no token",
        help: "bearer tokens, separated by commas; if set, every route except /healthz and /readyz \
               requires one of them",
        secret: true,
        /// Bearer tokens; the HTTP server requires one of them, or none if the list is empty.
        tokens: Vec<Secret> = |raw| Ok(raw.items().map(Secret::new).collect()),
    }
    INSECURE_LISTEN {
        NoDefault: "refuse such an address",
        help: "1: listen on an address that is not loopback although TOKENS is not set",
        secret: false,
        /// Whether to serve an address that is not loopback without tokens.
        insecure_listen: bool = |raw| Ok(raw.text == "1"),
    }
    HEALTH_LISTEN {
        NoDefault: "none",
        help: "another address, in every role, of /healthz, /readyz and /metrics alone, which need no \
               token there",
        secret: false,
        /// Address of health and metrics alone; `None`: only the HTTP server has them.
        health_listen: Option<SocketAddr> = |raw| {
            let parse = |_| raw.parse("an address and a port are expected, like 127.0.0.1:8081");
            raw.given().map(parse).transpose()
        },
    }
    STACKLEDGER_CONFIG {
        NoDefault: "the built-in configuration",
        help: "path of a TOML file: queues, trusted sources, export, billing, retention and reports",
        secret: false,
        /// The TOML file's sections; a section that the file does not have keeps its default.
        file: Arc<File> = |raw| match raw.given() {
            Some(path) => Ok(Arc::new(File::read(Path::new(path))?)),
            None => Ok(Arc::default()),
        },
    }
    METERING_SECRET {
        NoDefault: "none, signatures are not checked",
        help: "the key that samples are signed with (Ceilometer's telemetry_secret); if set, samples \
               with a wrong signature are set aside, and the other samples of their message count",
        secret: true,
        /// The key that publishers sign samples with; `None`: signatures are not checked.
        metering_secret: Option<Secret> = |raw| Ok(raw.given().map(Secret::new)),
    }
    PREFETCH {
        Default: "3000",
        // With fewer the broker waits for acks; more gain nothing.
        help: "unacknowledged messages that a broker may send ahead, per queue (stackledger.meter: \
               300); fewer while bodies are large, so that about 48 MiB are in flight",
        secret: false,
        /// Unacknowledged messages that a broker may send ahead, per queue; fewer while they are large.
        prefetch: u16 = |raw| raw.parse_number(1..=u16::MAX),
    }
    BATCH_SIZE {
        Default: "500",
        help: "maximum number of messages in one append (1 to 10000)",
        secret: false,
        /// Maximum number of messages in one append.
        batch_size: usize = |raw| raw.parse_number(1..=10_000),
    }
    LINGER_MS {
        Default: "20",
        help: "milliseconds for which the first message of a batch waits for more (0 to 60000)",
        secret: false,
        /// How long the first message of a batch waits for more.
        linger: Duration = |raw| raw.parse_number(0..=60_000).map(Duration::from_millis),
    }
    EXPORT_URL {
        NoDefault: "`url` in `[export]` of the TOML file",
        help: "the database that `export` writes to, as postgresql://…, mysql://… or mariadb://…",
        secret: true,
        /// The database that samples are exported to; takes precedence over the TOML file's.
        export_url: Option<ConnectionString> = |raw| Ok(raw.given().map(ConnectionString::new)),
    }
    LOG {
        Default: "info",
        help: "filter of log lines: error, warn, info, debug or trace, or target=level,…",
        secret: false,
        /// Filter of log lines, in the syntax of `tracing`.
        log: String = |raw| Ok(raw.text.to_owned()),
    }
    LOG_FORMAT {
        Default: "text",
        help: "text or json; log lines go to stderr",
        secret: false,
        /// Format of log lines.
        log_format: LogFormat = |raw| match raw.text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(raw.refuse("text or json is accepted")),
        },
    }
    // The command line reads the next two: they are the defaults of --url and --token.
    STACKLEDGER_URL {
        NoDefault: "http:// and LISTEN",
        help: "URL of the server that client commands ask; the same as --url",
        secret: false,
    }
    STACKLEDGER_TOKEN {
        NoDefault: "the first of TOKENS, if the server is the one at LISTEN",
        help: "bearer token that client commands and the agent send; the same as --token",
        secret: true,
    }
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// Reads the environment, and the file that `STACKLEDGER_CONFIG` names.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars())
    }

    /// Reads the given variables instead of the environment, as [`Config::from_env`] does.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        // The keys of the map are in lower case: envy matches names without regard to case.
        let given = envy::from_iter(vars.into_iter().filter(|(_, value)| !value.is_empty()))
            .map_err(|error| ConfigError::new("environment", "…", error.to_string()))?;
        let config = Config::parse(&given)?;
        let (apis, brokers) = (&config.amqp_management_urls, config.amqp_urls.len());
        if !apis.is_empty() && apis.len() != brokers {
            let given: Vec<String> = apis.iter().map(ToString::to_string).collect();
            return Err(ConfigError::new(
                AMQP_MANAGEMENT_URL.name,
                given.join(","),
                format!("one URL for each of AMQP_URL is accepted, and there are {brokers}"),
            ));
        }
        let is_open = !config.listen.ip().is_loopback() && config.tokens.is_empty();
        if is_open && !config.insecure_listen {
            return Err(ConfigError::new(
                LISTEN.name,
                config.listen,
                "anybody who reaches this address could read and write: set TOKENS (bearer tokens, \
                 separated by commas), or INSECURE_LISTEN=1",
            ));
        }
        Ok(config)
    }
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
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        let broker = ConnectionString::new("amqp://guest:guest@127.0.0.1:5672/%2f");
        assert_eq!(config.amqp_urls, [Cluster::new([broker]).unwrap()]);
        assert_eq!((config.prefetch, config.batch_size), (3000, 500));
        assert_eq!(config.linger, Duration::from_millis(20));
        assert_eq!(config.file.sources.len(), 4);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let empty: Vec<_> = VARIABLES.iter().map(|variable| (variable.name, "")).collect();
        assert_eq!(format!("{:?}", read(&empty)), format!("{:?}", read(&[])));
    }

    #[test]
    fn a_wrong_value_names_the_variable_the_value_and_what_is_accepted() {
        for (name, given) in [
            ("LISTEN", "8080"),
            ("LISTEN", "0.0.0.0:8080"),
            ("HEALTH_LISTEN", "8081"),
            ("PREFETCH", "many"),
            ("PREFETCH", "0"),
            ("BATCH_SIZE", "20000"),
            ("LINGER_MS", "-1"),
            ("LOG_FORMAT", "xml"),
            ("DATABASE_CAPACITY", "0"),
            ("DATABASE_CAPACITY", "5 lots"),
            ("DATABASE_CAPACITY", "GB"),
            ("AMQP_URL", "http://127.0.0.1"),
            ("AMQP_MANAGEMENT_URL", "amqp://127.0.0.1"),
            ("AMQP_MANAGEMENT_URL", "http://a,http://b"),
            ("STACKLEDGER_CONFIG", "/does/not/exist.toml"),
        ] {
            let error = read(&[(name, given)]).unwrap_err();
            assert!(error.starts_with(&format!("{name}={given}: ")), "{error}");
        }
    }

    #[test]
    fn a_size_has_a_unit_or_none() {
        for (given, bytes) in
            [("7", 7), ("500GB", 500_000_000_000), ("2 TiB", 2 << 40), ("1MiB", 1 << 20)]
        {
            let config = read(&[("DATABASE_CAPACITY", given)]).unwrap();
            assert_eq!(config.database_capacity, Some(bytes));
        }
    }

    #[test]
    fn an_open_address_is_accepted_when_asked_for() {
        assert!(read(&[("LISTEN", "0.0.0.0:8080"), ("INSECURE_LISTEN", "1")]).is_ok());
        assert!(read(&[("LISTEN", "0.0.0.0:8080"), ("TOKENS", "a,b")]).is_ok());
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let config = read(&[("METERING_SECRET", "geheim"), ("TOKENS", "a, ,b")]).unwrap();
        assert_eq!(config.metering_secret.as_ref().map(Secret::expose), Some("geheim"));
        assert_eq!(config.tokens, [Secret::new("a"), Secret::new("b")]);
        assert_eq!(read(&[]).unwrap().metering_secret, None);
        for variable in VARIABLES.iter().filter(|variable| variable.is_secret) {
            let value = match variable.name {
                "AMQP_MANAGEMENT_URL" => "http://u:geheim@h",
                name if name.ends_with("_URL") => "amqp://u:geheim@h",
                _ => "geheim",
            };
            let config = read(&[(variable.name, value)]).unwrap();
            assert!(!format!("{config:?}").contains("geheim"), "{}", variable.name);
        }
    }

    #[test]
    fn the_documentation_lists_every_variable() {
        let header = "| variable | default | secret | meaning |\n|---|---|---|---|\n";
        let rows = VARIABLES.iter().map(|variable| {
            let default = match variable.fallback {
                Fallback::Default(value) => format!("`{value}`"),
                Fallback::NoDefault(text) => text.to_owned(),
            };
            let secret = if variable.is_secret { "yes" } else { "no" };
            format!("| `{}` | {default} | {secret} | {} |\n", variable.name, variable.help)
        });
        let expected = header.to_owned() + &rows.collect::<String>() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains(&expected),
            "docs/configuration.md has to contain this table:\n{expected}"
        );
    }
}
