//! Rows before a horizon. What they were made of is gone, or may be at any time: no projection adds
//! to them, a replay carries them over from the live tables, and a comparison leaves them out.

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio_postgres::{Client, Transaction};

use super::Projection;
use super::checkpoint::{self, Lease, Slot};
use crate::event::Family;
use crate::log::{self, Horizons};

/// The rows of a table that lie before a horizon.
#[derive(Clone, Copy, Debug)]
pub struct Frozen {
    /// The table; its partitions, if it has some, are made along.
    pub table: &'static str,
    /// Whose horizon.
    pub family: Family,
    /// The row's time: a row is frozen when it lies before the horizon.
    pub column: &'static str,
    /// How frozen rows meet those of a replay. `None`: they are in place of them. Otherwise the
    /// clause of an `INSERT INTO … AS t` after `ON CONFLICT`, for rows that tell of both sides of
    /// the horizon, e.g. `(host) DO UPDATE SET last_at = greatest(t.last_at, excluded.last_at)`.
    pub merge: Option<&'static str>,
}

impl Frozen {
    /// The condition that a row of it is frozen, in place of which no replay has one; `None`: there
    /// is no such row. The rows that are merged can be compared.
    pub(super) fn frozen_condition(&self, horizons: Horizons) -> Option<String> {
        let horizon = horizons.of(self.family).filter(|_| self.merge.is_none())?;
        Some(self.lies_before(horizon))
    }

    fn lies_before(&self, horizon: Timestamp) -> String {
        format!("{} < '{horizon}'", self.column)
    }

    /// Puts the frozen rows of one schema's table into another's, but for those that are there since
    /// the horizon stood at `since`.
    async fn copy_rows(
        &self,
        tx: &Transaction<'_>,
        (from, to): (&str, &str),
        horizon: Timestamp,
        since: Option<Timestamp>,
    ) -> Result<u64> {
        let Frozen { table, merge, .. } = self;
        let mut is_frozen = self.lies_before(horizon);
        if let Some(since) = since.filter(|_| merge.is_none()) {
            is_frozen = format!("{is_frozen} AND NOT {}", self.lies_before(since));
        }
        let Some(columns) = columns(tx, table, (from, to)).await? else { return Ok(0) };
        make_partitions(tx, table, (from, to)).await?;
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

/// Carries frozen rows from one schema into another, where there are any. `since`: what
/// [`copy_frozen_ahead`] returned, if it has done the most of it. Returns how many.
pub(super) async fn copy_frozen(
    tx: &Transaction<'_>,
    tables: impl Iterator<Item = &Frozen>,
    (from, to): (&str, &str),
    since: Horizons,
) -> Result<u64> {
    let horizons = log::horizons(tx).await?;
    copy_up_to(tx, tables, (from, to), since, horizons).await
}

/// Carries a replay's frozen rows over while the live tables go on. Only what a horizon passes from
/// now on is left for [`copy_frozen`]. Returns the horizons up to which it is done. However long it takes,
/// the replay keeps its lease.
///
/// # Errors
///
/// [`LeaseLost`](super::LeaseLost) when it has lost it before.
pub(super) async fn copy_frozen_ahead(
    client: &mut Client,
    projection: &Projection,
    held: &Lease,
) -> Result<Horizons> {
    let schemas = (Slot::Live.schema(projection), Slot::Next.schema(projection));
    let horizons = log::horizons(client).await?;
    if projection.frozen.is_empty() || horizons == Horizons::default() {
        return Ok(Horizons::default());
    }
    let mut tx = client.transaction().await?;
    checkpoint::lock(&tx, projection, Slot::Next, held).await?;
    // A step that began before the horizon was there may still add rows before it: it holds this lock.
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
    tables: impl Iterator<Item = &Frozen>,
    (from, to): (&str, &str),
    since: Horizons,
    horizons: Horizons,
) -> Result<u64> {
    let mut carried = 0;
    for frozen in tables {
        if let Some(horizon) = horizons.of(frozen.family) {
            let place = || format!("carrying the rows of {from}.{} before {horizon}", frozen.table);
            let since = since.of(frozen.family);
            carried +=
                frozen.copy_rows(tx, (from, to), horizon, since).await.with_context(place)?;
        }
    }
    Ok(carried)
}

/// The columns that the table has in both schemas, by name; `None` where it is not in both.
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

/// Makes the partitions that the table has in one schema and lacks in the other.
async fn make_partitions(
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
        .with_context(|| format!("making {to}.{name}"))?;
    }
    Ok(())
}
