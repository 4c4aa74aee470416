//! Frozen rows: the rows from before a horizon. The events they were made of are dropped, or may be at any
//! time. So no projection adds to them, a replay copies them from the live tables, and a comparison leaves
//! them out.

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio_postgres::{Client, Transaction};

use super::Projection;
use super::checkpoint::{self, Lease};
use super::slot::Slot;
use crate::event::Family;
use crate::log::{self, Horizons};

/// The rows of a table that a horizon freezes.
#[derive(Clone, Copy, Debug)]
pub struct FrozenRows {
    /// The table. Its partitions, if it has any, are created as needed.
    pub table: &'static str,
    /// The family whose horizon counts.
    pub family: Family,
    /// The column with the row's time: a row is frozen if that lies before the horizon.
    pub column: &'static str,
    /// How frozen rows are combined with those of a replay. `None`: they replace them. Otherwise the clause
    /// after `ON CONFLICT` of an `INSERT INTO … AS t`, for rows that cover both sides of the horizon, e.g.
    /// `(host) DO UPDATE SET last_at = greatest(t.last_at, excluded.last_at)`.
    pub merge: Option<&'static str>,
}

impl FrozenRows {
    /// Returns the SQL condition for a row that is frozen and that no replay can rebuild; `None` if there is
    /// no such row. Rows that are merged can be rebuilt and compared.
    pub(super) fn frozen_condition(&self, horizons: Horizons) -> Option<String> {
        let horizon = horizons.of(self.family).filter(|_| self.merge.is_none())?;
        Some(self.condition_before(horizon))
    }

    fn condition_before(&self, horizon: Timestamp) -> String {
        format!("{} < '{horizon}'", self.column)
    }

    /// Copies the frozen rows of one schema's table to another's, except rows that were copied when the
    /// horizon was at `since`.
    async fn copy_rows(
        &self,
        tx: &Transaction<'_>,
        (from, to): (&str, &str),
        horizon: Timestamp,
        since: Option<Timestamp>,
    ) -> Result<u64> {
        let FrozenRows { table, merge, .. } = self;
        let mut is_frozen = self.condition_before(horizon);
        if let Some(since) = since.filter(|_| merge.is_none()) {
            is_frozen = format!("{is_frozen} AND NOT {}", self.condition_before(since));
        }
        let Some(columns) = columns(tx, table, (from, to)).await? else { return Ok(0) };
        create_partitions(tx, table, (from, to)).await?;
        let conflict = match merge {
            None => {
                tx.execute(&format!("DELETE FROM {to}.{table} WHERE {is_frozen}"), &[]).await?;
                String::new()
            }
            Some(clause) => format!("ON CONFLICT {clause}"),
        };
        let sql = format!(
            "-- frozen::copy
             INSERT INTO {to}.{table} AS t ({columns})
             SELECT {columns} FROM {from}.{table} WHERE {is_frozen} {conflict}"
        );
        Ok(tx.execute(&sql, &[]).await?)
    }
}

/// Copies frozen rows from one schema to another, and returns their number. `since` is the result of
/// [`copy_frozen_ahead`], if it has copied most of them.
pub(super) async fn copy_frozen(
    tx: &Transaction<'_>,
    tables: impl Iterator<Item = &FrozenRows>,
    (from, to): (&str, &str),
    since: Horizons,
) -> Result<u64> {
    let horizons = log::read_horizons(tx).await?;
    copy_up_to(tx, tables, (from, to), since, horizons).await
}

/// Copies a replay's frozen rows while the live tables go on, so that only rows which a horizon passes later
/// are left for [`copy_frozen`]. Returns the horizons up to which it has copied. The replay keeps its lease
/// however long this takes.
///
/// # Errors
///
/// [`LeaseLost`](super::LeaseLost) if the lease was lost before.
pub(super) async fn copy_frozen_ahead(
    client: &mut Client,
    projection: &Projection,
    held: &Lease,
) -> Result<Horizons> {
    let schemas = (Slot::Live.schema(projection), Slot::Next.schema(projection));
    let horizons = log::read_horizons(client).await?;
    if projection.frozen.is_empty() || horizons == Horizons::default() {
        return Ok(Horizons::default());
    }
    let mut tx = client.transaction().await?;
    checkpoint::lock(&tx, projection, Slot::Next, held).await?;
    // A step that began before the horizon moved may still add rows from before it, and holds this lock.
    // Rolled back, so that the live tables go on at once.
    let wait = "-- frozen::wait
        SELECT FROM projection.checkpoint WHERE name = $1 AND slot = 'live' FOR UPDATE";
    let waiting = tx.transaction().await?;
    waiting.execute(wait, &[&projection.name]).await?;
    waiting.rollback().await?;
    let schemas = (schemas.0.as_str(), schemas.1.as_str());
    let none = Horizons::default();
    copy_up_to(&tx, projection.frozen.iter(), schemas, none, horizons).await?;
    checkpoint::extend(&tx, projection, Slot::Next, held).await?;
    tx.commit().await?;
    Ok(horizons)
}

async fn copy_up_to(
    tx: &Transaction<'_>,
    tables: impl Iterator<Item = &FrozenRows>,
    (from, to): (&str, &str),
    since: Horizons,
    horizons: Horizons,
) -> Result<u64> {
    let mut copied = 0;
    for frozen in tables {
        if let Some(horizon) = horizons.of(frozen.family) {
            let place = || format!("copying the rows of {from}.{} before {horizon}", frozen.table);
            let since = since.of(frozen.family);
            copied += frozen.copy_rows(tx, (from, to), horizon, since).await.with_context(place)?;
        }
    }
    Ok(copied)
}

/// Returns the names of the columns that the table has in both schemas; `None` unless it is in both.
async fn columns(
    tx: &Transaction<'_>,
    table: &str,
    (from, to): (&str, &str),
) -> Result<Option<String>> {
    let sql = "-- frozen::columns
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_attribute AS a JOIN pg_attribute AS b USING (attname)
        WHERE a.attrelid = to_regclass($1) AND b.attrelid = to_regclass($2)
          AND a.attnum > 0 AND NOT a.attisdropped AND NOT b.attisdropped";
    let row = tx.query_one(sql, &[&format!("{from}.{table}"), &format!("{to}.{table}")]).await?;
    Ok(row.get(0))
}

/// Creates the partitions that the table has in one schema and lacks in the other.
async fn create_partitions(
    tx: &Transaction<'_>,
    table: &str,
    (from, to): (&str, &str),
) -> Result<()> {
    let sql = "-- frozen::partitions
        SELECT quote_ident(relname), pg_get_expr(relpartbound, oid)
        FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = to_regclass($1) AND to_regclass($2 || '.' || quote_ident(relname)) IS NULL
        ORDER BY 1";
    for row in tx.query(sql, &[&format!("{from}.{table}"), &to]).await? {
        let (name, bounds): (&str, &str) = (row.get(0), row.get(1));
        tx.batch_execute(&format!(
            "CREATE TABLE {to}.{name} (LIKE {to}.{table} INCLUDING ALL);
             ALTER TABLE {to}.{table} ATTACH PARTITION {to}.{name} {bounds}"
        ))
        .await
        .with_context(|| format!("creating {to}.{name}"))?;
    }
    Ok(())
}
