//! Leaves: the partitions that hold the rows. An event's family and the time in its identity determine its
//! leaf.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::db;
use crate::event::{Event, Family};

/// A partition of `log.event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Leaf {
    pub family: Family,
    /// The UTC day it holds; `None` for the only leaf of a family, and for events without a time.
    pub day: Option<Date>,
}

impl Leaf {
    /// Returns the leaf that the event belongs to.
    pub fn of(event: &Event) -> Leaf {
        let day = event.key_at.filter(|_| event.family.is_by_day()).map(day_of);
        Leaf { family: event.family, day }
    }

    /// Parses the name of a day's leaf; `None` for any other table.
    pub fn of_day(name: &str) -> Option<Leaf> {
        let (family, day) = name.strip_prefix("event_")?.split_once('_')?;
        let family = Family::parse(family).filter(|family| family.is_by_day())?;
        let day = Date::strptime("%Y%m%d", day).ok()?;
        let leaf = Leaf { family, day: Some(day) };
        // Each leaf has exactly one name; tables with other spellings of a day are not ours.
        (leaf.name() == name).then_some(leaf)
    }

    /// The name of its table within the schema `log`.
    pub fn name(self) -> String {
        match (self.family.is_by_day(), self.day) {
            (false, _) => format!("event_{}", self.family),
            (true, None) => format!("event_{}_undated", self.family),
            (true, Some(day)) => format!("event_{}_{}", self.family, day.strftime("%Y%m%d")),
        }
    }
}

/// The UTC day that contains the time.
pub(super) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The first moment of the UTC day.
pub(super) fn start_of(day: Date) -> Timestamp {
    Offset::UTC.to_timestamp(day.into()).unwrap_or(Timestamp::MAX)
}

/// Whether a name that was read from the database is safe to put into a statement.
pub(super) fn is_leaf_name(name: &str) -> bool {
    name.starts_with("event_") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Creates the leaf partition if it does not exist. Returns `false` if its day lies before the horizon: it
/// was dropped on purpose.
pub(super) async fn ensure(client: &Client, leaf: Leaf) -> Result<bool, tokio_postgres::Error> {
    let Some(day) = leaf.day else { return Ok(true) };
    let row =
        client.query_one("SELECT log.ensure_day($1, $2)", &[&leaf.family.as_str(), &day]).await?;
    Ok(row.get(0))
}

/// Returns the days for which the family has leaves, earliest first.
///
/// # Errors
///
/// When the database is away.
pub async fn list_days(
    client: &Client,
    family: Family,
) -> Result<Vec<Date>, tokio_postgres::Error> {
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

/// Reads the size of each family's events with their indexes, in bytes.
///
/// # Errors
///
/// When the database is away.
pub async fn read_sizes(client: &Client) -> Result<Vec<(Family, i64)>, tokio_postgres::Error> {
    let tables = db::read_table_sizes(client, "log").await?;
    let family_of = |table: &str| {
        let rest = table.strip_prefix("event_")?;
        Family::parse(rest.split('_').next()?)
    };
    let mut sizes = Family::ALL.map(|family| (family, 0));
    for (table, bytes) in tables {
        let family = family_of(&table);
        if let Some((_, sum)) = sizes.iter_mut().find(|(known, _)| Some(*known) == family) {
            *sum += bytes;
        }
    }
    Ok(sizes.into())
}

/// Returns the last position in the family's leaf of that day; `None` if the leaf is empty.
///
/// # Errors
///
/// When the database is away, or there is no such leaf.
pub async fn last_position_of_day(
    client: &impl GenericClient,
    family: Family,
    day: Date,
) -> Result<Option<i64>, tokio_postgres::Error> {
    let leaf = Leaf { family, day: Some(day) };
    let sql = format!("-- log::last_of_day\nSELECT max(position) FROM log.{}", leaf.name());
    Ok(client.query_one(&sql, &[]).await?.get(0))
}

/// Drops the family's leaf of that day; returns `false` if there is none. If the leaf is in use, this fails
/// within a second instead of making other sessions queue up behind it.
///
/// # Errors
///
/// When the day does not lie before the family's horizon, or the leaf or the log is in use (SQLSTATE
/// 55P03: a later attempt succeeds).
pub async fn drop_day(
    transaction: &Transaction<'_>,
    family: Family,
    day: Date,
) -> Result<bool, tokio_postgres::Error> {
    transaction.batch_execute("SET LOCAL lock_timeout = '1s'").await?;
    let sql = "-- log::drop_day\nSELECT log.drop_day($1, $2)";
    Ok(transaction.query_one(sql, &[&family.as_str(), &day]).await?.get(0))
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
