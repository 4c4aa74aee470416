//! How large the log, the read models and the database are, how fast they grow, and how long there is room.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;

use crate::event::Family;
use crate::{db, log, projection};

/// The database as a whole, among the names of sizes.
const DATABASE: &str = "database";

/// The shortest time from which growth is concluded.
const GROWTH_MIN: SignedDuration = SignedDuration::from_hours(1);

/// The longest time over which growth is averaged: a week, so that working days and weekends both count.
const GROWTH_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long sizes are kept.
const KEEP: SignedDuration = SignedDuration::from_hours(35 * 24);

/// How long after a noted size the next one is noted.
const INTERVAL: SignedDuration = SignedDuration::from_mins(50);

/// Sizes in bytes, of tables with their indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Size of the whole database.
    pub database: i64,
    /// Sizes of the log's families.
    pub log: Vec<(Family, i64)>,
    /// Sizes of the read models' live tables.
    pub projections: Vec<(&'static str, i64)>,
}

impl Sizes {
    /// Reads the sizes as they are now. The server looks at every file.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn read(client: &Client) -> Result<Sizes, tokio_postgres::Error> {
        Ok(Sizes {
            database: db::read_size(client).await?,
            log: log::read_sizes(client).await?,
            projections: projection::read_sizes(client, projection::ALL).await?,
        })
    }

    /// Lists the sizes by name, without families of which nothing is stored.
    pub fn by_name(&self) -> Vec<(String, i64)> {
        let log = self.log.iter().filter(|(_, bytes)| *bytes > 0);
        let log = log.map(|(family, bytes)| (format!("log of {family}"), *bytes));
        let projections = self.projections.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes));
        log.chain(projections).chain([(DATABASE.to_owned(), self.database)]).collect()
    }

    /// Returns the growth of each of [`Sizes::by_name`] since an earlier size of at most a week ago, in bytes a day,
    /// negative where retention drops more than comes in. Without such a size, and for new names, there is none.
    pub fn growth(&self, history: &[PastSize], now: Timestamp) -> BTreeMap<String, f64> {
        let mut growth = BTreeMap::new();
        for (name, bytes) in self.by_name() {
            let earlier = history.iter().filter(|size| size.name == name);
            let earlier = earlier.filter(|size| {
                let age = now.duration_since(size.at);
                (GROWTH_MIN..=GROWTH_MAX).contains(&age)
            });
            if let Some(first) = earlier.min_by_key(|size| size.at) {
                let days = now.duration_since(first.at).as_secs_f64() / 86_400.0;
                growth.insert(name, (bytes - first.bytes) as f64 / days);
            }
        }
        growth
    }

    /// Returns the number of days until the database takes `capacity` bytes; `None` if it does not grow, or nothing is
    /// known of that yet. 0 if it takes more already.
    pub fn days_until_full(&self, growth: &BTreeMap<String, f64>, capacity: u64) -> Option<f64> {
        let room = capacity as f64 - self.database as f64;
        if room <= 0.0 {
            return Some(0.0);
        }
        growth.get(DATABASE).filter(|rate| **rate > 0.0).map(|rate| room / rate)
    }
}

/// A size that was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSize {
    /// As in [`Sizes::by_name`].
    pub name: String,
    /// When it was read.
    pub at: Timestamp,
    /// The size in bytes.
    pub bytes: i64,
}

/// Notes the sizes, unless some were noted within the hour, and forgets old ones.
///
/// # Errors
///
/// When the database does not answer.
pub async fn note_sizes(client: &Client, now: Timestamp) -> Result<(), tokio_postgres::Error> {
    let row = client
        .query_one(
            "-- capacity::last
             SELECT max(at) FROM projection.size WHERE name = $1",
            &[&DATABASE],
        )
        .await?;
    let last: Option<Timestamp> = row.get(0);
    if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
        return Ok(());
    }
    let (names, bytes): (Vec<String>, Vec<i64>) =
        Sizes::read(client).await?.by_name().into_iter().unzip();
    client
        .execute(
            "-- capacity::note
             INSERT INTO projection.size (name, at, bytes)
             SELECT name, $2, bytes FROM unnest($1::text[], $3::bigint[]) AS u (name, bytes)
             ON CONFLICT DO NOTHING",
            &[&names, &now, &bytes],
        )
        .await?;
    client
        .execute(
            "-- capacity::forget
             DELETE FROM projection.size WHERE at < $1",
            &[&(now - KEEP)],
        )
        .await?;
    Ok(())
}

/// Reads the sizes that growth is concluded from.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_history(
    client: &Client,
    now: Timestamp,
) -> Result<Vec<PastSize>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- capacity::history
             SELECT name, at, bytes FROM projection.size WHERE at BETWEEN $1 AND $2 ORDER BY at, name",
            &[&(now - GROWTH_MAX), &now],
        )
        .await?;
    let size = |row: &tokio_postgres::Row| PastSize {
        name: row.get(0),
        at: row.get(1),
        bytes: row.get(2),
    };
    Ok(rows.iter().map(size).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn sizes(database: i64) -> Sizes {
        Sizes {
            database,
            log: vec![(Family::Perf, 100), (Family::Meter, 0)],
            projections: vec![("timing", 0)],
        }
    }

    fn past(name: &str, at: &str, bytes: i64) -> PastSize {
        PastSize { name: name.to_owned(), at: at.parse().unwrap(), bytes }
    }

    #[test]
    fn growth_is_that_since_the_earliest_size_of_the_week() {
        let now = NOW.parse().unwrap();
        let history = [
            // Older than a week.
            past("database", "2026-11-13T11:00:00Z", 0),
            past("database", "2026-11-18T12:00:00Z", 1000),
            past("database", "2026-11-19T12:00:00Z", 5000),
            past("log of perf", "2026-11-19T12:00:00Z", 700),
            // Too short ago.
            past("timing", "2026-11-20T11:30:00Z", 10),
        ];
        let growth = sizes(3000).growth(&history, now);
        assert_eq!(
            growth,
            BTreeMap::from([("database".to_owned(), 1000.0), ("log of perf".to_owned(), -600.0)])
        );
    }

    #[test]
    fn the_database_is_full_when_it_has_grown_by_the_room_that_is_left() {
        let growth = BTreeMap::from([("database".to_owned(), 500.0)]);
        assert_eq!(sizes(3000).days_until_full(&growth, 4000), Some(2.0));
        assert_eq!(sizes(3000).days_until_full(&growth, 2000), Some(0.0));
        assert_eq!(sizes(3000).days_until_full(&BTreeMap::new(), 4000), None);
        let shrinking = BTreeMap::from([("database".to_owned(), -500.0)]);
        assert_eq!(sizes(3000).days_until_full(&shrinking, 4000), None);
    }
}
