//! Leaves: the partitions that hold the rows. Which one an event goes to is a function of its
//! family and of the time in its identity.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio_postgres::Client;

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

    /// Its table's name within the schema `log`.
    pub fn name(self) -> String {
        match (self.family.is_by_day(), self.day) {
            (false, _) => format!("event_{}", self.family),
            (true, None) => format!("event_{}_undated", self.family),
            (true, Some(day)) => format!("event_{}_{}", self.family, day.strftime("%Y%m%d")),
        }
    }
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// Whether a name read from the database can stand in a statement.
pub(super) fn is_leaf_name(name: &str) -> bool {
    name.starts_with("event_") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Makes the leaf where it is missing.
pub(super) async fn ensure(client: &Client, leaf: Leaf) -> Result<(), tokio_postgres::Error> {
    if let Some(day) = leaf.day {
        client.execute("SELECT log.ensure_day($1, $2)", &[&leaf.family.as_str(), &day]).await?;
    }
    Ok(())
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
