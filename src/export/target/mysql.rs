//! A table in MariaDB or MySQL.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder, Row, Transaction, TxOpts, Value};

use super::super::plan::{Chunk, plan};
use super::super::refusal::Refusal;
use super::super::sample::{COLUMNS, Owner, Sample, increase};
use super::super::source::Origin;
use super::{Names, SyncPoint, SyncPointConflict};
use crate::config::ConfigError;
use crate::event::ID_MAX;
use crate::secret::ConnectionString;

/// Rows of one statement: fewer than the 65535 values that a statement may have, and smaller than the 4 MB
/// that older servers accept at once, whatever the rows contain.
const ROWS_MAX: usize = 500;

/// The address of a MariaDB or MySQL database.
#[derive(Clone, Debug)]
pub struct Address {
    opts: Opts,
    shown: String,
}

impl Address {
    pub(super) fn new(name: &'static str, url: &ConnectionString) -> Result<Self, ConfigError> {
        let accepted = "mysql://user:password@host:port/database is accepted";
        let wrong = |why: &str| ConfigError::new(name, url, format!("{accepted}{why}"));
        let text = url.expose();
        let text = text
            .strip_prefix("mariadb://")
            .map_or(text.to_owned(), |rest| format!("mysql://{rest}"));
        let opts = Opts::from_url(&text).map_err(|error| wrong(&format!(": {error}")))?;
        if opts.db_name().is_none_or(str::is_empty) {
            return Err(wrong(": no database is named"));
        }
        let opts = OptsBuilder::from_opts(opts)
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(30)))
            // A value that does not fit is an error, not another value.
            .setup(vec![
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
                "SET SESSION time_zone = '+00:00'",
            ]);
        Ok(Address { opts: opts.into(), shown: url.to_string() })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A connection to the other database. The names in `table` and `sync` are quoted.
pub(in crate::export) struct Target {
    conn: Conn,
    names: Names,
    table: String,
    sync: String,
}

impl Target {
    pub async fn connect(address: &Address, names: Names) -> Result<Self> {
        let connecting = Conn::new(address.opts.clone());
        let conn = match tokio::time::timeout(Duration::from_secs(10), connecting).await {
            Ok(conn) => conn?,
            Err(_) => bail!("no answer within 10 s"),
        };
        let (table, sync) = (Names::quote(&names.table, '`'), Names::quote(&names.sync, '`'));
        Ok(Target { conn, names, table, sync })
    }

    pub async fn claim(&mut self) -> Result<bool> {
        // Names of locks belong to the whole server and are short.
        let lock = "SELECT GET_LOCK(CONCAT('stackledger.', MD5(CONCAT(DATABASE(), ' ', ?))), 0)";
        let taken: Option<Option<i64>> = self.conn.exec_first(lock, (&self.names.table,)).await?;
        Ok(taken.flatten() == Some(1))
    }

    /// Checks for each table before creating it: the user may have no right to create tables.
    pub async fn create(&mut self) -> Result<()> {
        if !self.exists(&self.names.table.clone()).await? {
            let texts = self.collation().await?;
            let table = &self.table;
            self.conn
                .query_drop(format!(
                    "CREATE TABLE {table} (
                         counter_name varchar(255) NOT NULL, counter_type varchar(255),
                         counter_unit varchar(255), counter_volume decimal(57, 28) NOT NULL,
                         message_id varchar(255) NOT NULL PRIMARY KEY, project_id varchar({ID_MAX}),
                         resource_id varchar({ID_MAX}) NOT NULL, source varchar(255),
                         `timestamp` datetime(6) NOT NULL COMMENT 'UTC',
                         KEY meter_time (counter_name, `timestamp`),
                         KEY project_time (project_id(255), `timestamp`)
                     ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = {texts}
                       COMMENT = 'Written by stackledger export: do not change'"
                ))
                .await?;
        }
        if !self.exists(&self.names.sync.clone()).await? {
            let sync = &self.sync;
            self.conn
                .query_drop(format!(
                    "CREATE TABLE {sync} (
                         name varchar(128) NOT NULL PRIMARY KEY, position bigint NOT NULL,
                         selection longtext NOT NULL, log varchar(64) NOT NULL,
                         made longtext NOT NULL, moved_at datetime(6) NOT NULL COMMENT 'UTC'
                     ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
                       COMMENT = 'Up to which position of the log, and with which selection'"
                ))
                .await?;
        }
        Ok(())
    }

    async fn exists(&mut self, name: &str) -> Result<bool> {
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, name),
        };
        let found: Option<bool> = self
            .conn
            .exec_first(
                "SELECT table_type LIKE '%VIEW' FROM information_schema.tables
                 WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?",
                (schema, table),
            )
            .await?;
        match found {
            Some(true) => Err(Refusal::View.into()),
            found => Ok(found.is_some()),
        }
    }

    /// Returns the collation that compares texts by their bytes, trailing blanks included: each kind of server
    /// has its own name for it.
    async fn collation(&mut self) -> Result<String> {
        let known: Vec<String> = self
            .conn
            .query(
                "SELECT collation_name FROM information_schema.collations
                 WHERE collation_name IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')
                 ORDER BY collation_name DESC",
            )
            .await?;
        Ok(known.into_iter().next().unwrap_or_else(|| "utf8mb4_bin".to_owned()))
    }

    pub async fn sync_point(&mut self) -> Result<Option<SyncPoint>> {
        let statement =
            format!("SELECT position, selection, log, made FROM {} WHERE name = ?", self.sync);
        let row: Option<(i64, String, String, String)> =
            self.conn.exec_first(statement, (&self.names.table,)).await?;
        Ok(row.map(|(position, selection, log, made)| SyncPoint {
            position,
            selection,
            origin: Origin { log, rows_version: made },
        }))
    }

    pub async fn is_empty(&mut self) -> Result<bool> {
        let row: Option<i64> =
            self.conn.query_first(format!("SELECT 1 FROM {} LIMIT 1", self.table)).await?;
        Ok(row.is_none())
    }

    pub async fn begin(&mut self, point: &SyncPoint) -> Result<()> {
        let mut transaction = self.conn.start_transaction(TxOpts::default()).await?;
        // Not TRUNCATE: that is a transaction of its own.
        transaction.query_drop(format!("DELETE FROM {}", self.table)).await?;
        transaction
            .exec_drop(
                format!(
                    "REPLACE INTO {} (name, position, selection, log, made, moved_at)
                     VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(6))",
                    self.sync
                ),
                (
                    &self.names.table,
                    point.position,
                    &point.selection,
                    &point.origin.log,
                    &point.origin.rows_version,
                ),
            )
            .await?;
        Ok(transaction.commit().await?)
    }

    pub async fn write(&mut self, from: i64, chunk: &Chunk) -> Result<()> {
        let mut transaction = self.conn.start_transaction(TxOpts::default()).await?;
        let ids: Vec<&str> = chunk.message_ids().into_iter().collect();
        let mut owners = Vec::new();
        for ids in ids.chunks(ROWS_MAX) {
            let statement = format!(
                "SELECT message_id, counter_name, project_id, resource_id, `timestamp`, counter_type,
                        CAST(counter_volume AS char)
                 FROM {} WHERE message_id IN ({})",
                self.table,
                placeholders(ids.len())
            );
            let rows: Vec<Row> =
                transaction.exec(statement, ids.to_vec()).await.context("looking up the ids")?;
            owners.extend(rows.into_iter().map(read_owner));
        }
        let plan = plan(chunk, owners);
        for keys in plan.delete.chunks(ROWS_MAX) {
            let statement = format!(
                "DELETE FROM {} WHERE message_id IN ({})",
                self.table,
                placeholders(keys.len())
            );
            transaction.exec_drop(statement, keys.to_vec()).await?;
        }
        for rows in plan.put.chunks(ROWS_MAX) {
            put(&mut transaction, &self.table, rows).await?;
        }
        let moved = format!(
            "UPDATE {} SET position = ?, moved_at = UTC_TIMESTAMP(6) WHERE name = ? AND position = ?",
            self.sync
        );
        transaction.exec_drop(moved, (chunk.to, &self.names.table, from)).await?;
        if transaction.affected_rows() != 1 {
            transaction.rollback().await?;
            return Err(SyncPointConflict.into());
        }
        Ok(transaction.commit().await?)
    }
}

/// Inserts rows, or replaces those of the same key.
async fn put(
    transaction: &mut Transaction<'_>,
    table: &str,
    rows: &[(String, &Sample)],
) -> Result<()> {
    let names: Vec<String> = COLUMNS.iter().map(|name| format!("`{name}`")).collect();
    let renewed: Vec<String> = names
        .iter()
        .filter(|name| *name != "`message_id`")
        .map(|name| format!("{name} = VALUES({name})"))
        .collect();
    let row = format!("({})", placeholders(COLUMNS.len()));
    let statement = format!(
        "INSERT INTO {table} ({}) VALUES {} ON DUPLICATE KEY UPDATE {}",
        names.join(", "),
        vec![row.as_str(); rows.len()].join(", "),
        renewed.join(", ")
    );
    let mut values: Vec<Value> = Vec::with_capacity(rows.len() * COLUMNS.len());
    for (key, sample) in rows {
        values.extend([
            Value::from(&sample.counter_name),
            Value::from(sample.counter_type.as_ref()),
            Value::from(sample.counter_unit.as_ref()),
            Value::from(&sample.counter_volume),
            Value::from(key),
            Value::from(sample.project_id.as_ref()),
            Value::from(&sample.resource_id),
            Value::from(sample.source.as_ref()),
            to_value(sample.timestamp),
        ]);
    }
    Ok(transaction.exec_drop(statement, values).await?)
}

/// Returns `?, ?, …`.
fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Converts a time to a value of a column, in UTC. Its year is from 2000 to 2099.
fn to_value(at: Timestamp) -> Value {
    let at = at.to_zoned(TimeZone::UTC).datetime();
    Value::Date(
        at.year().unsigned_abs(),
        at.month().unsigned_abs(),
        at.day().unsigned_abs(),
        at.hour().unsigned_abs(),
        at.minute().unsigned_abs(),
        at.second().unsigned_abs(),
        at.subsec_nanosecond().unsigned_abs() / 1000,
    )
}

/// Converts a value of a column to a time; `None` if it is not one.
fn from_value(value: Option<Value>) -> Option<Timestamp> {
    let Some(Value::Date(year, month, day, hour, minute, second, micros)) = value else {
        return None;
    };
    let at = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        i32::try_from(micros).ok()?.checked_mul(1000)?,
    );
    Some(at.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn read_owner(mut row: Row) -> (String, Owner) {
    fn text(row: &mut Row, column: usize) -> Option<String> {
        row.take::<Value, _>(column).and_then(|value| String::from_value_opt(value).ok())
    }
    let key = text(&mut row, 0).unwrap_or_default();
    let owner = Owner {
        counter_name: text(&mut row, 1).unwrap_or_default(),
        project_id: text(&mut row, 2),
        resource_id: text(&mut row, 3).unwrap_or_default(),
        timestamp: from_value(row.take::<Value, _>(4)),
        increase: increase(text(&mut row, 5).as_deref(), text(&mut row, 6).as_deref()),
    };
    (key, owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_to_the_microsecond() {
        for text in
            ["2000-01-01T00:00:00Z", "2026-11-20T03:05:54.580807Z", "2099-12-31T23:59:59.999999Z"]
        {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(from_value(Some(to_value(at))), Some(at));
        }
        assert_eq!(from_value(Some(Value::NULL)), None);
        assert_eq!(from_value(Some(Value::Date(0, 0, 0, 0, 0, 0, 0))), None);
    }

    #[test]
    fn addresses_name_a_database() {
        let address = |url: &str| Address::new("EXPORT_URL", &ConnectionString::new(url));
        for url in ["mysql://u:p@h:3306/d", "mariadb://h/d"] {
            assert!(address(url).is_ok(), "{url}");
        }
        for url in
            ["mysql://u:p@h", "mysql://u:p@h/", "mysql://u:p@h:x/d", "mysql://h/d?nonsense=1"]
        {
            let error = address(url).unwrap_err().to_string();
            assert!(error.starts_with("EXPORT_URL=mysql://") && !error.contains(":p@"), "{error}");
        }
    }
}
