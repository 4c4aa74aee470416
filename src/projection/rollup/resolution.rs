//! The three resolutions of buckets, with their tables and partitions.

use anyhow::{Context, Result};
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use tokio_postgres::Transaction;

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
}

impl Resolution {
    /// All resolutions, the shortest first: each is rolled up from the one before.
    pub const ALL: [Resolution; 3] = [Resolution::Minute, Resolution::Hour, Resolution::Day];

    /// Returns its word in parameters and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Resolution::Minute => "1m",
            Resolution::Hour => "1h",
            Resolution::Day => "1d",
        }
    }

    /// Returns the length of a bucket in µs.
    pub const fn width(self) -> i64 {
        match self {
            Resolution::Minute => 60_000_000,
            Resolution::Hour => 3_600_000_000,
            Resolution::Day => 86_400_000_000,
        }
    }

    /// Returns the table of its buckets.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Resolution::Minute => "minute",
            Resolution::Hour => "hour",
            Resolution::Day => "day",
        }
    }

    /// Returns the start of the bucket that contains a time.
    pub(super) fn start(self, at: Timestamp) -> Timestamp {
        let us = at.as_microsecond();
        Timestamp::from_microsecond(us - us.rem_euclid(self.width())).unwrap_or(at)
    }

    /// Returns the partition that contains the row of a bucket.
    pub(super) fn partition(self, start: Timestamp) -> Partition {
        let date = Offset::UTC.to_datetime(start).date();
        Partition { resolution: self, first_day: self.first_day(date) }
    }

    /// Returns the first day of the partition that contains a date.
    fn first_day(self, date: Date) -> Option<Date> {
        match self {
            Resolution::Minute => Some(date),
            Resolution::Hour => Some(date.first_of_month()),
            Resolution::Day => None,
        }
    }
}

/// A table that contains rows: a partition, or the whole table if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    pub resolution: Resolution,
    /// Its first day.
    first_day: Option<Date>,
}

impl Partition {
    /// Returns the partition that begins with a day; the whole table of days, which has no partitions.
    pub fn beginning_with(resolution: Resolution, first_day: Date) -> Self {
        Partition { resolution, first_day: resolution.first_day(first_day) }
    }

    /// Returns the partition of that name; `None` if it is no partition of the resolution.
    pub fn from_table(resolution: Resolution, name: &str) -> Option<Self> {
        let date = name.strip_prefix(resolution.table())?.strip_prefix('_')?;
        let first_day = match resolution {
            Resolution::Minute => Date::strptime("%Y%m%d", date),
            Resolution::Hour => Date::strptime("%Y%m%d", format!("{date}01")),
            Resolution::Day => return None,
        };
        Some(Partition { resolution, first_day: Some(first_day.ok()?) })
    }

    /// Returns its first day; `None` for a whole table.
    pub fn first_day(&self) -> Option<Date> {
        self.first_day
    }

    /// Returns its name.
    pub fn table(&self) -> String {
        let parent = self.resolution.table();
        match (self.resolution, self.first_day) {
            (Resolution::Hour, Some(first)) => format!("{parent}_{}", first.strftime("%Y%m")),
            (_, Some(first)) => format!("{parent}_{}", first.strftime("%Y%m%d")),
            (_, None) => parent.to_owned(),
        }
    }

    /// Returns the first day of the partition after the one that begins with `first`.
    fn next_first_day(&self, first: Date) -> Date {
        match self.resolution {
            Resolution::Hour => first.saturating_add(1.month()),
            Resolution::Minute | Resolution::Day => first.saturating_add(1.day()),
        }
    }
}

/// Creates the partition if it does not exist. Readers are not blocked.
pub(super) async fn ensure_partition(tx: &Transaction<'_>, partition: &Partition) -> Result<()> {
    let Some(first) = partition.first_day else { return Ok(()) };
    let name = partition.table();
    let statement = "-- rollup::missing_partition\nSELECT to_regclass($1) IS NULL";
    let row = tx.query_one(statement, &[&name]).await.context("looking for partitions")?;
    if !row.get::<_, bool>(0) {
        return Ok(());
    }
    let (parent, next) = (partition.resolution.table(), partition.next_first_day(first));
    // Created alone and attached: PARTITION OF would wait for readers and lock them out. A bucket is
    // written several times; the fill factor leaves room for the next version of its row on the same page.
    tx.batch_execute(&format!(
        "CREATE TABLE {name} (LIKE {parent} INCLUDING ALL) WITH (fillfactor = 70);
         ALTER TABLE {parent} ATTACH PARTITION {name}
             FOR VALUES FROM ('{first} 00:00:00+00') TO ('{next} 00:00:00+00')"
    ))
    .await
    .with_context(|| format!("creating {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_of_utc_and_half_open() {
        let of = |resolution: Resolution, at: &str| resolution.partition(at.parse().unwrap());
        let minute = of(Resolution::Minute, "2026-12-31T23:59:00Z");
        assert_eq!(minute.table(), "minute_20261231");
        let next = minute.next_first_day(minute.first_day.unwrap());
        assert_eq!(next.to_string(), "2027-01-01");
        let hour = of(Resolution::Hour, "2026-12-31T23:00:00Z");
        assert_eq!(hour.table(), "hour_202612");
        assert_eq!(hour.next_first_day(hour.first_day.unwrap()).to_string(), "2027-01-01");
        assert_eq!(of(Resolution::Hour, "2026-02-28T00:00:00+02:00").table(), "hour_202602");
        assert_eq!(of(Resolution::Day, "2026-02-28T00:00:00Z").table(), "day");
    }

    #[test]
    fn buckets_begin_at_whole_minutes_hours_and_days() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let at = time("2026-11-20T03:05:59.999999Z");
        for (resolution, start) in Resolution::ALL.into_iter().zip([
            "2026-11-20T03:05:00Z",
            "2026-11-20T03:00:00Z",
            "2026-11-20T00:00:00Z",
        ]) {
            assert_eq!(resolution.start(at), time(start));
            assert_eq!(resolution.start(time(start)), time(start));
        }
    }
}
