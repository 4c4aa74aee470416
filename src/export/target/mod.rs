//! The writing side: a table in another SQL database and, beside it, the synchronisation point, which moves
//! in the transaction that writes the rows.

mod mysql;
mod postgres;

use anyhow::{Result, bail};

use super::plan::Chunk;
use super::source::Origin;
use crate::config::ConfigError;
use crate::db::Database;
use crate::secret::ConnectionString;

/// The position up to which a table is complete, and the rows it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyncPoint {
    /// The position up to which the table is complete.
    pub position: i64,
    /// The selection of its samples ([`super::Selection::text`]).
    pub selection: String,
    /// The log and the rules that its rows are computed from.
    pub origin: Origin,
}

/// A table of another database, and its table of synchronisation points.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// As configured.
    table: String,
    /// As configured, and `_sync`.
    sync: String,
}

impl Names {
    fn new(table: &str) -> Self {
        Names { table: table.to_owned(), sync: format!("{table}_sync") }
    }

    /// Quotes a name for SQL. Names are checked when the configuration is read.
    fn quote(name: &str, quote: char) -> String {
        let parts: Vec<String> =
            name.split('.').map(|part| format!("{quote}{part}{quote}")).collect();
        parts.join(".")
    }
}

/// The address of another database.
#[derive(Clone, Debug)]
pub enum Address {
    /// PostgreSQL.
    Postgres(Box<Database>),
    /// MariaDB or MySQL.
    Mysql(mysql::Address),
}

impl Address {
    /// Reads a URL. `name` is the variable or option that contains it, for errors.
    ///
    /// # Errors
    ///
    /// When it is malformed, or of another kind of database.
    pub fn new(name: &'static str, url: &ConnectionString) -> Result<Self, ConfigError> {
        match url.expose().split_once("://").map(|(scheme, _)| scheme) {
            Some("postgresql" | "postgres") => {
                Ok(Address::Postgres(Box::new(Database::from_url(name, url)?)))
            }
            Some("mysql" | "mariadb") => Ok(Address::Mysql(mysql::Address::new(name, url)?)),
            _ => Err(ConfigError::new(
                name,
                url,
                "postgresql://user:password@host:port/database, mysql://… or mariadb://… is accepted",
            )),
        }
    }

    /// Connects, to write to `table`.
    pub(super) async fn connect(&self, table: &str) -> Result<Target> {
        let names = Names::new(table);
        Ok(match self {
            Address::Postgres(database) => {
                Target::Postgres(Box::new(postgres::Target::connect(database, names).await?))
            }
            Address::Mysql(address) => {
                Target::Mysql(Box::new(mysql::Target::connect(address, names).await?))
            }
        })
    }
}

impl std::fmt::Display for Address {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Postgres(database) => database.fmt(f),
            Address::Mysql(address) => address.fmt(f),
        }
    }
}

/// A connection to the target.
pub(super) enum Target {
    Postgres(Box<postgres::Target>),
    Mysql(Box<mysql::Target>),
}

/// Time for one transaction or query, after which the target counts as away.
const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);

/// Calls the method of the target's kind.
macro_rules! on_target {
    ($target:expr, $method:ident($($argument:expr),*)) => {
        match $target {
            Target::Postgres(target) => target.$method($($argument),*).await,
            Target::Mysql(target) => target.$method($($argument),*).await,
        }
    };
}

impl Target {
    /// Claims the table for this connection; `false` while another exporter has it.
    pub async fn claim(&mut self) -> Result<bool> {
        in_time(async { on_target!(self, claim()) }).await
    }

    /// Creates the two tables if they do not exist.
    pub async fn create(&mut self) -> Result<()> {
        in_time(async { on_target!(self, create()) }).await
    }

    /// Reads the synchronisation point; `None` if nothing was exported to the table yet.
    pub async fn sync_point(&mut self) -> Result<Option<SyncPoint>> {
        in_time(async { on_target!(self, sync_point()) }).await
    }

    /// Whether the table has no row.
    pub async fn is_empty(&mut self) -> Result<bool> {
        in_time(async { on_target!(self, is_empty()) }).await
    }

    /// Empties the table and sets the point, in one transaction and without a timeout.
    pub async fn begin(&mut self, point: &SyncPoint) -> Result<()> {
        on_target!(self, begin(point))
    }

    /// Writes a chunk and moves the point from `from` to the chunk's end, in one transaction.
    pub async fn write(&mut self, from: i64, chunk: &Chunk) -> Result<()> {
        in_time(async { on_target!(self, write(from, chunk)) }).await
    }
}

/// Fails if the work takes too long.
async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(ANSWER_TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => bail!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
    }
}

/// Another exporter has moved the point: nothing of the chunk is written.
#[derive(Debug, thiserror::Error)]
#[error("another exporter has moved the synchronisation point")]
struct SyncPointConflict;
