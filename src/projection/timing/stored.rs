//! How rows travel: read by column, written by COPY in its binary format.

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use crate::db::{CopyRows, copy_in};

/// What tells a row from all others of its table; parts that a table's key does not have are empty.
pub(super) type Key<'a> = ([&'a str; 3], Timestamp, Uuid);

/// A row of one of the tables.
pub(super) trait Stored: Sized + Send + Sync {
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];
    const TYPES: &'static [Type];

    /// The row's primary key.
    fn key(&self) -> Key<'_>;
    /// From a row that holds [`Stored::COLUMNS`].
    fn read(row: &Row) -> Self;
    /// Its columns, as COPY wants them.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;
}

/// The rows for which `condition` holds.
pub(super) async fn select<T: Stored>(
    tx: &Transaction<'_>,
    condition: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<T>> {
    let (table, columns) = (T::TABLE, T::COLUMNS.join(", "));
    let statement =
        format!("-- timing::load_{table}\nSELECT {columns} FROM {table} WHERE {condition}");
    let rows = tx.query(&statement, params).await.with_context(|| format!("reading {table}"))?;
    Ok(rows.iter().map(T::read).collect())
}

/// Adds rows that are not there.
pub(super) async fn copy<T: Stored>(tx: &Transaction<'_>, rows: &[T]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (table, columns) = (T::TABLE, T::COLUMNS.join(", "));
    let statement = format!("-- timing::copy_{table}\nCOPY {table} ({columns}) FROM STDIN BINARY");
    let mut laid_out = CopyRows::with_capacity(rows.len() * 400);
    for row in rows {
        laid_out.row(T::TYPES.len() as i16);
        for (value, sql) in row.values().into_iter().zip(T::TYPES) {
            laid_out.value(value, sql).map_err(|error| anyhow!("writing {table}: {error}"))?;
        }
    }
    copy_in(tx, &statement, laid_out).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}

/// Takes the columns of a row one after the other.
pub(super) struct Columns<'a> {
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

/// Declares the row of a table: the fields are its columns, each with its type in SQL.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident in $table:literal by $key:expr;
     $($(#[$field_doc:meta])* $field:ident: $type:ty = $sql:ident,)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Stored for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];
            const TYPES: &'static [Type] = &[$(Type::$sql),*];

            fn key(&self) -> Key<'_> {
                let key: fn(&Self) -> Key<'_> = $key;
                key(self)
            }

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
pub(super) use table;

/// Lets an enum stand in a column of type text.
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
pub(super) use text_enum;
