//! The writing side: a table in another SQL database, and beside it the synchronisation point,
//! which moves in the transaction that writes the rows.

mod mysql;
mod postgres;

use anyhow::{Result, bail};

use super::plan::Chunk;
use super::source::Origin;
use crate::config::ConfigError;
use crate::db::Database;
use crate::secret::ConnectionString;

/// Up to where the target's table has the read model's rows, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyncPoint {
    /// Everything up to this position is in the table.
    pub position: i64,
    /// The selection it holds ([`super::Selection::text`]).
    pub selection: String,
    /// What the rows come from.
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

    /// A name as SQL takes it. Names are checked when the configuration is read.
    fn quoted(name: &str, quote: char) -> String {
        let parts: Vec<String> =
            name.split('.').map(|part| format!("{quote}{part}{quote}")).collect();
        parts.join(".")
    }
}

/// Where the table is, before anybody connects.
#[derive(Clone, Debug)]
pub enum Address {
    /// PostgreSQL.
    Postgres(Box<Database>),
    /// MariaDB or MySQL.
    Mysql(mysql::Address),
}

impl Address {
    /// Reads a URL. `name` is where it was given.
    ///
    /// # Errors
    ///
    /// When it is malformed, or of a kind that is not known.
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

    /// Connects.
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

/// How long one transaction, or one question, may take until the target counts as away.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// Calls the method of whichever it is.
macro_rules! either {
    ($target:expr, $method:ident($($argument:expr),*)) => {
        match $target {
            Target::Postgres(target) => target.$method($($argument),*).await,
            Target::Mysql(target) => target.$method($($argument),*).await,
        }
    };
}

impl Target {
    /// Takes the table for this connection alone; `false` while another exporter has it.
    pub async fn claim(&mut self) -> Result<bool> {
        patiently(async { either!(self, claim()) }).await
    }

    /// Makes the two tables where they are missing.
    pub async fn create(&mut self) -> Result<()> {
        patiently(async { either!(self, create()) }).await
    }

    /// Where the table stands; `None` where nothing was exported to it yet.
    pub async fn sync_point(&mut self) -> Result<Option<SyncPoint>> {
        patiently(async { either!(self, sync_point()) }).await
    }

    /// Whether the table holds no row.
    pub async fn is_empty(&mut self) -> Result<bool> {
        patiently(async { either!(self, is_empty()) }).await
    }

    /// Empties the table and sets the point, in one transaction. However long it takes.
    pub async fn begin(&mut self, point: &SyncPoint) -> Result<()> {
        either!(self, begin(point))
    }

    /// Writes a chunk and moves the point from `from` to the chunk's end, in one transaction.
    pub async fn write(&mut self, from: i64, chunk: &Chunk) -> Result<()> {
        patiently(async { either!(self, write(from, chunk)) }).await
    }
}

async fn patiently<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => bail!("no answer within {} s", PATIENCE.as_secs()),
    }
}

/// The point was moved by somebody else: nothing of the chunk is written.
#[derive(Debug, thiserror::Error)]
#[error("another exporter has moved the synchronisation point")]
struct Moved;
