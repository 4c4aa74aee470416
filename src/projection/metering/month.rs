//! Months: the partitions of `sample` and `usage_window`.

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
    /// Returns the month that contains a time.
    pub fn of(time: Timestamp) -> Self {
        let date = Offset::UTC.to_datetime(time).date();
        Month { year: date.year(), month: date.month() }
    }

    /// Returns the name of the table's partition for this month.
    pub fn of_table(self, table: &str) -> String {
        format!("{table}_{:04}{:02}", self.year, self.month)
    }

    /// Returns the name of the partition of `sample` for this month.
    pub fn table(self) -> String {
        self.of_table("sample")
    }

    fn next(self) -> Self {
        match self.month {
            12 => Month { year: self.year + 1, month: 1 },
            month => Month { year: self.year, month: month + 1 },
        }
    }

    /// Returns the first moment of the month, as PostgreSQL reads it.
    fn start(self) -> String {
        format!("{:04}-{:02}-01 00:00:00+00", self.year, self.month)
    }
}

/// Creates the table's missing partitions. Readers are not blocked meanwhile.
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
            create(tx, table, *month).await?;
        }
    }
    Ok(())
}

async fn create(tx: &Transaction<'_>, table: &str, month: Month) -> Result<()> {
    let (name, start, end) = (month.of_table(table), month.start(), month.next().start());
    // Created by itself and attached: `PARTITION OF` would wait for readers and lock them out.
    tx.batch_execute(&format!(
        "CREATE TABLE {name} (LIKE {table} INCLUDING ALL);
         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"
    ))
    .await
    .with_context(|| format!("creating {name}"))
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
