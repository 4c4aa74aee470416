//! The state that a plan starts from, read from the database.

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use tokio_postgres::Client;

use super::plan::{FAMILY, READ_MODEL, RetentionState};
use crate::config::{Retention, RetentionPeriod};
use crate::log;

/// Reads the present state.
pub(super) async fn read_state(client: &Client, retention: &Retention) -> Result<RetentionState> {
    let date = |at: Timestamp| Offset::UTC.to_datetime(at).date();
    let first_day = match retention.perf.days {
        RetentionPeriod::Forever => None,
        RetentionPeriod::Days(_) => read_first_day(client).await?,
    };
    Ok(RetentionState {
        horizon: log::read_horizon(client, FAMILY).await?.map(date),
        leaves: log::list_days(client, FAMILY).await?,
        minutes: read_partitions(client, "minute", "%Y%m%d", "").await?,
        hours: read_partitions(client, "hour", "%Y%m%d", "01").await?,
        first_day: first_day.map(date),
    })
}

/// Returns the first days of the partitions of a table of the live read model, by their names.
async fn read_partitions(
    client: &Client,
    table: &str,
    format: &str,
    day: &str,
) -> Result<Vec<Date>> {
    let sql = "-- retention::read_partitions
        SELECT relname::text FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = to_regclass($1) ORDER BY 1";
    let rows = client.query(sql, &[&format!("{READ_MODEL}.{table}")]).await?;
    let first_day = |name: &str| {
        let date = name.strip_prefix(table)?.strip_prefix('_')?;
        Date::strptime(format, format!("{date}{day}")).ok()
    };
    Ok(rows.iter().filter_map(|row| first_day(row.get(0))).collect())
}

/// Returns the start of the earliest rollup by day, if the live read model has any.
async fn read_first_day(client: &Client) -> Result<Option<Timestamp>> {
    let table = format!("{READ_MODEL}.day");
    let exists = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = format!("-- retention::read_first_day\nSELECT min(start) FROM {table}");
    Ok(client.query_one(&sql, &[]).await?.get(0))
}
