//! Leaves: the partitions that hold the rows. Which one an event goes to is a function of its
//! family and of the time in its identity.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::event::{Event, Family};

/// A partition of `log.event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Leaf {
    pub family: Family,
    /// The day it holds; `None` for a family's only leaf, or for what has no time.
    pub day: Option<Date>,
}

impl Leaf {
    pub fn of(event: &Event) -> Leaf {
        let day = event.key_at.filter(|_| event.family.is_by_day()).map(day_of);
        Leaf { family: event.family, day }
    }

    /// The leaf of a day by its table's name; `None` for any other table.
    pub fn of_day(name: &str) -> Option<Leaf> {
        let (family, day) = name.strip_prefix("event_")?.split_once('_')?;
        let family = Family::parse(family).filter(|family| family.is_by_day())?;
        let day = Date::strptime("%Y%m%d", day).ok()?;
        let leaf = Leaf { family, day: Some(day) };
        // One name, one leaf: other spellings of a day are not ours.
        (leaf.name() == name).then_some(leaf)
    }

    /// Its table's name within the schema `log`.
    pub fn name(self) -> String {
        match (self.family.is_by_day(), self.day) {
            (false, _) => format!("event_{}", self.family),
            (true, None) => format!("event_{}_undated", self.family),
            (true, Some(day)) => format!("event_{}_{}", self.family, day.strftime("%Y%m%d")),
        }
    }
}

/// The UTC day that holds the time.
pub(super) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The UTC day's first moment.
pub(super) fn start_of(day: Date) -> Timestamp {
    Offset::UTC.to_timestamp(day.into()).unwrap_or(Timestamp::MAX)
}

/// Whether a name read from the database can stand in a statement.
pub(super) fn is_leaf_name(name: &str) -> bool {
    name.starts_with("event_") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Makes the leaf where it is missing. `false`: it lies before the horizon and is not to be had.
pub(super) async fn ensure(client: &Client, leaf: Leaf) -> Result<bool, tokio_postgres::Error> {
    let Some(day) = leaf.day else { return Ok(true) };
    let row =
        client.query_one("SELECT log.ensure_day($1, $2)", &[&leaf.family.as_str(), &day]).await?;
    Ok(row.get(0))
}

/// The days of which the family has leaves, earliest first.
///
/// # Errors
///
/// When the database is away.
pub async fn days(client: &Client, family: Family) -> Result<Vec<Date>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- log::days
             SELECT relname::text FROM pg_inherits JOIN pg_class ON oid = inhrelid
             WHERE inhparent = to_regclass('log.event_' || $1) AND relnamespace = 'log'::regnamespace
             ORDER BY 1",
            &[&family.as_str()],
        )
        .await?;
    Ok(rows.iter().filter_map(|row| Leaf::of_day(row.get(0))?.day).collect())
}

/// The last position in the family's leaf of that day; `None` where it is empty.
///
/// # Errors
///
/// When the database is away, or there is no such leaf.
pub async fn last_of_day(
    client: &impl GenericClient,
    family: Family,
    day: Date,
) -> Result<Option<i64>, tokio_postgres::Error> {
    let leaf = Leaf { family, day: Some(day) };
    let sql = format!("-- log::last_of_day\nSELECT max(position) FROM log.{}", leaf.name());
    Ok(client.query_one(&sql, &[]).await?.get(0))
}

/// Drops the family's leaf of that day; `false` when there is none. Nobody has to wait long for
/// it: where the leaf is being read, it fails instead.
///
/// # Errors
///
/// When the day does not lie before the family's horizon, or the leaf or the log is being read
/// (SQLSTATE 55P03: later it will succeed).
pub async fn drop_day(
    transaction: &Transaction<'_>,
    family: Family,
    day: Date,
) -> Result<bool, tokio_postgres::Error> {
    transaction.batch_execute("SET LOCAL lock_timeout = '1s'").await?;
    let sql = "-- log::drop_day\nSELECT log.drop_day($1, $2)";
    Ok(transaction.query_one(sql, &[&family.as_str(), &day]).await?.get(0))
}

/// Makes the leaves of today and the next days, so that the first message of a day does not wait
/// for its table.
///
/// # Errors
///
/// When the database is away.
pub async fn ensure_days_ahead(
    client: &Client,
    now: Timestamp,
) -> Result<(), tokio_postgres::Error> {
    const DAYS_AHEAD: i64 = 2;
    for family in Family::ALL.into_iter().filter(|family| family.is_by_day()) {
        for days in 0..=DAYS_AHEAD {
            let day = day_of(now + jiff::SignedDuration::from_hours(24 * days));
            ensure(client, Leaf { family, day: Some(day) }).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_leaf_is_known_by_its_name() {
        let leaf = Leaf { family: Family::Perf, day: Some(jiff::civil::date(2026, 11, 1)) };
        assert_eq!(leaf.name(), "event_perf_20261101");
        assert_eq!(Leaf::of_day("event_perf_20261101"), Some(leaf));
        for other in
            ["event_perf", "event_perf_undated", "event_other_20261101", "event_perf_2026111"]
        {
            assert_eq!(Leaf::of_day(other), None, "{other}");
        }
    }

    #[test]
    fn days_are_of_utc() {
        let at = start_of(jiff::civil::date(2026, 11, 1));
        assert_eq!(at.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(day_of(at), jiff::civil::date(2026, 11, 1));
    }
}
