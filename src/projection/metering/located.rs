//! Rows with their place in the table, so that replacing them needs no second look-up. Only the
//! projection writes to its tables, so a row keeps its place until the transaction that read it ends.

use anyhow::{Context, Result};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::projection::engine::table::{TableRow, copy, delete};

/// A row, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocatedRow<T> {
    /// Its `ctid`, as text.
    pub ctid: String,
    /// The row.
    pub row: T,
}

/// How the rows of a table change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowChanges<T> {
    /// The `ctid`s of the rows to delete.
    pub gone: Vec<String>,
    /// The rows to insert.
    pub new: Vec<T>,
}

impl<T> Default for RowChanges<T> {
    fn default() -> Self {
        RowChanges { gone: Vec::new(), new: Vec::new() }
    }
}

impl<T: PartialEq> RowChanges<T> {
    /// Replaces a row by another one, unless they are equal.
    pub fn replace(&mut self, stored: &LocatedRow<T>, row: T) {
        if stored.row != row {
            self.gone.push(stored.ctid.clone());
            self.new.push(row);
        }
    }
}

/// Reads rows and their places. `source` is the rest of the statement from `FROM` on. It names the table
/// without an alias, and no other item has a column of the same name.
pub(super) async fn select_located<T: TableRow>(
    tx: &Transaction<'_>,
    source: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<LocatedRow<T>>> {
    let (owner, table, columns) = (T::OWNER, T::TABLE, T::COLUMNS.join(", "));
    let statement =
        format!("-- {owner}::load_{table}\nSELECT {columns}, {table}.ctid::text {source}");
    let rows = tx.query(&statement, params).await.with_context(|| format!("reading {table}"))?;
    let located = |row| LocatedRow { row: T::read(row), ctid: row.get(T::COLUMNS.len()) };
    Ok(rows.iter().map(located).collect())
}

/// Writes the changes of a table.
pub(super) async fn write_changes<T: TableRow>(
    tx: &Transaction<'_>,
    changes: &RowChanges<T>,
) -> Result<()> {
    if !changes.gone.is_empty() {
        delete::<T>(tx, "ctid = ANY($1::text[]::tid[])", &[&changes.gone]).await?;
    }
    copy(tx, &changes.new).await
}
