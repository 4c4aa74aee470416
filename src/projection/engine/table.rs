//! Small tables: a row is a struct that [`table!`] declares with the columns of its table; rows are read
//! by column, written by COPY and deleted by a condition. Tables that take most of the rows lay out their
//! COPY by hand.

use anyhow::{Context, Result};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Row, Transaction};

use crate::db::{CopyRows, copy_in};

/// A row of a read model's table. The search path names the schema, so that a replay writes aside.
pub(in crate::projection) trait TableRow: Sized + Send + Sync {
    /// The read model, for the names of statements.
    const OWNER: &'static str;
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];
    const TYPES: &'static [Type];

    /// Reads a row that contains [`TableRow::COLUMNS`] in their order.
    fn read(row: &Row) -> Self;
    /// Returns the columns in their order.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;
}

/// Reads the rows that fulfil `condition`.
pub(in crate::projection) async fn select<T: TableRow>(
    tx: &Transaction<'_>,
    condition: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<T>> {
    let (owner, table, columns) = (T::OWNER, T::TABLE, T::COLUMNS.join(", "));
    let statement =
        format!("-- {owner}::load_{table}\nSELECT {columns} FROM {table} WHERE {condition}");
    let rows = tx.query(&statement, params).await.with_context(|| format!("reading {table}"))?;
    Ok(rows.iter().map(T::read).collect())
}

/// Inserts rows whose keys are not in the table.
pub(in crate::projection) async fn copy<T: TableRow>(
    tx: &Transaction<'_>,
    rows: &[T],
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (owner, table, columns) = (T::OWNER, T::TABLE, T::COLUMNS.join(", "));
    let statement = format!("-- {owner}::copy_{table}\nCOPY {table} ({columns}) FROM STDIN BINARY");
    let mut laid_out = CopyRows::with_capacity(rows.len() * 400);
    for row in rows {
        laid_out.row(T::TYPES.len() as i16);
        for (value, sql) in row.values().into_iter().zip(T::TYPES) {
            laid_out.value(value, sql).with_context(|| format!("writing {table}"))?;
        }
    }
    copy_in(tx, &statement, laid_out).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}

/// Deletes the rows that fulfil `condition`.
pub(in crate::projection) async fn delete<T: TableRow>(
    tx: &Transaction<'_>,
    condition: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<()> {
    let (owner, table) = (T::OWNER, T::TABLE);
    let statement = format!("-- {owner}::delete_{table}\nDELETE FROM {table} WHERE {condition}");
    tx.execute(&statement, params).await.with_context(|| format!("replacing {table}"))?;
    Ok(())
}

/// Reads the columns of a row, one after the other.
pub(in crate::projection) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub fn of(row: &'a Row) -> Self {
        Columns { row, next: 0 }
    }

    pub fn take<T: FromSql<'a>>(&mut self) -> T {
        self.next += 1;
        self.row.get(self.next - 1)
    }
}

/// Declares the row of a table: the fields are its columns, each with its SQL type.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident in $owner:ident.$table:ident;
     $($(#[$field_doc:meta])* $field:ident: $type:ty = $sql:ident,)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::projection) struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl TableRow for $name {
            const OWNER: &'static str = stringify!($owner);
            const TABLE: &'static str = stringify!($table);
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];
            const TYPES: &'static [Type] = &[$(Type::$sql),*];

            fn read(row: &Row) -> Self {
                let mut columns = Columns::of(row);
                $name { $($field: columns.take()),* }
            }

            fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
                vec![$(&self.$field),*]
            }
        }
    };
}
pub(in crate::projection) use table;

/// Stores an enum in a column of type text.
macro_rules! text_enum {
    ($name:ty: $($variant:ident = $text:literal),*) => {
        impl ToSql for $name {
            fn to_sql(
                &self,
                sql: &Type,
                out: &mut BytesMut,
            ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
                let text = match self { $(Self::$variant => $text),* };
                text.to_sql(sql, out)
            }
            accepts!(TEXT);
            to_sql_checked!();
        }

        impl<'a> FromSql<'a> for $name {
            fn from_sql(sql: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
                match <&str>::from_sql(sql, raw)? {
                    $($text => Ok(Self::$variant),)*
                    other => Err(format!("{other} is not expected here").into()),
                }
            }
            accepts!(TEXT);
        }
    };
}
pub(in crate::projection) use text_enum;
