//! The rows of the live tables that a retention can drop: partitions of minutes and hours, rows of days.

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::{Client, Transaction};

use super::resolution::{Partition, Resolution};

/// Returns the first days of the partitions of a resolution; none for [`Resolution::Day`], which has no
/// partitions.
///
/// # Errors
///
/// When the database does not answer.
pub async fn list_partitions(client: &Client, resolution: Resolution) -> Result<Vec<Date>> {
    let sql = "-- rollup::list_partitions
        SELECT relname::text FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = to_regclass($1) ORDER BY 1";
    let table = format!("rollup.{}", resolution.table());
    let rows = client.query(sql, &[&table]).await?;
    let first_days = rows.iter().filter_map(|row| Partition::from_table(resolution, row.get(0)));
    Ok(first_days.filter_map(|partition| partition.first_day()).collect())
}

/// Returns the start of the earliest bucket of a day; `None` if there is none, or no read model yet.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_first_day(client: &Client) -> Result<Option<Timestamp>> {
    let exists = client.query_one("SELECT to_regclass('rollup.day') IS NOT NULL", &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = "-- rollup::read_first_day\nSELECT min(start) FROM rollup.day";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

/// Drops the partition that begins with a day, if it exists.
///
/// # Errors
///
/// When the table is read for longer than the transaction waits for its lock, or the database does not
/// answer.
pub async fn drop_partition(
    tx: &Transaction<'_>,
    resolution: Resolution,
    first_day: Date,
) -> Result<()> {
    let table = Partition::beginning_with(resolution, first_day).table();
    Ok(tx.batch_execute(&format!("DROP TABLE IF EXISTS rollup.{table}")).await?)
}

/// Deletes the buckets of days before a day.
///
/// # Errors
///
/// When the database does not answer.
pub async fn delete_days_before(tx: &Transaction<'_>, day: Date) -> Result<()> {
    let sql = format!("DELETE FROM rollup.day WHERE start < '{day} 00:00:00+00'");
    Ok(tx.batch_execute(&sql).await?)
}
