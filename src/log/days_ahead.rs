//! Partitions of the days to come, so that the first message of a day does not wait for its table.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;

use super::leaf::{self, Leaf, day_of};
use crate::event::Family;

/// Number of days after today that have their leaves already.
const DAYS_AHEAD: i64 = 2;

/// Creates the leaves of today and of the next two days.
///
/// # Errors
///
/// When the database is away.
pub async fn ensure_days_ahead(
    client: &Client,
    now: Timestamp,
) -> Result<(), tokio_postgres::Error> {
    for family in Family::ALL.into_iter().filter(|family| family.is_by_day()) {
        for days in 0..=DAYS_AHEAD {
            let day = day_of(now + SignedDuration::from_hours(24 * days));
            leaf::ensure(client, Leaf { family, day: Some(day) }).await?;
        }
    }
    Ok(())
}
