//! Months, by which `sample` and `usage_window` are partitioned.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::Offset;
use tokio_postgres::Transaction;

/// A UTC month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month in which a time lies.
    pub fn of(time: Timestamp) -> Self {
        let date = Offset::UTC.to_datetime(time).date();
        Month { year: date.year(), month: date.month() }
    }

    /// The partition of the table that holds its rows.
    pub fn of_table(self, table: &str) -> String {
        format!("{table}_{:04}{:02}", self.year, self.month)
    }

    /// The partition that holds its samples.
    pub fn table(self) -> String {
        self.of_table("sample")
    }

    fn next(self) -> Self {
        match self.month {
            12 => Month { year: self.year + 1, month: 1 },
            month => Month { year: self.year, month: month + 1 },
        }
    }

    /// Its first moment, for PostgreSQL.
    fn start(self) -> String {
        format!("{:04}-{:02}-01 00:00:00+00", self.year, self.month)
    }
}

/// Makes the table's partitions that are missing. Readers go on meanwhile.
pub(super) async fn ensure(
    tx: &Transaction<'_>,
    table: &str,
    months: &BTreeSet<Month>,
) -> Result<()> {
    let tables: Vec<String> = months.iter().map(|month| month.of_table(table)).collect();
    let statement = "-- metering::missing_months
        SELECT to_regclass(t) IS NULL FROM unnest($1::text[]) WITH ORDINALITY AS m (t, n) ORDER BY n";
    let missing = tx.query(statement, &[&tables]).await.context("looking for partitions")?;
    for (month, row) in months.iter().zip(&missing) {
        if row.get(0) {
            make(tx, table, *month).await?;
        }
    }
    Ok(())
}

async fn make(tx: &Transaction<'_>, table: &str, month: Month) -> Result<()> {
    let (name, start, end) = (month.of_table(table), month.start(), month.next().start());
    // Made aside and attached: PARTITION OF would wait for readers and lock them out.
    tx.batch_execute(&format!(
        "CREATE TABLE {name} (LIKE {table} INCLUDING ALL);
         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"
    ))
    .await
    .with_context(|| format!("making {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_of_utc_and_half_open() {
        let month = |text: &str| Month::of(text.parse().unwrap());
        let december = month("2026-12-31T23:59:59.999999Z");
        assert_eq!(december.table(), "sample_202612");
        assert_eq!(december.next(), month("2027-01-01T00:00:00Z"));
        assert_eq!(december.next().start(), "2027-01-01 00:00:00+00");
        assert_eq!(month("2026-02-28T00:00:00+02:00").next().table(), "sample_202603");
    }
}
