//! Horizons: what a family that is partitioned by day has before its horizon is not accepted any
//! more, and may be dropped. A horizon is the beginning of a UTC day, only moves forward, and
//! moves by an event of our own, so that the chain proves it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, GenericClient, Row};

use super::leaf::{self, Leaf, day_of};
use crate::event::ours::{Layout, OwnEvent};
use crate::event::{Event, Family};

/// The type of the event that moves a horizon. Nobody but the log itself may say it.
pub const HORIZON_MOVED: &str = "stackledger.horizon.moved";

/// Who says so: the source of no other event.
pub const SOURCE: &str = "stackledger";

/// The horizons as they stand on the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizons {
    /// Of the family `perf`; `None`: it never had one.
    pub perf: Option<Timestamp>,
    /// Of the family `meter`.
    pub meter: Option<Timestamp>,
}

/// Their columns of `log.head`.
pub(super) const COLUMNS: &str = "perf_horizon, meter_horizon";

impl Horizons {
    /// From the columns [`COLUMNS`].
    pub(super) fn of_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Horizons { perf: row.try_get("perf_horizon")?, meter: row.try_get("meter_horizon")? })
    }

    /// The family's; `None` where it has none.
    pub fn of(self, family: Family) -> Option<Timestamp> {
        match family {
            Family::Perf => self.perf,
            Family::Meter => self.meter,
            _ => None,
        }
    }

    /// Moves the family's forward; never back.
    pub(super) fn advance(&mut self, family: Family, before: Timestamp) {
        match family {
            Family::Perf => self.perf = self.perf.max(Some(before)),
            Family::Meter => self.meter = self.meter.max(Some(before)),
            _ => {}
        }
    }

    /// Whether all that the leaf holds, or could hold, lies before its family's horizon.
    pub(super) fn are_past(self, leaf: Leaf) -> bool {
        leaf.day.zip(self.of(leaf.family)).is_some_and(|(day, horizon)| day < day_of(horizon))
    }
}

/// The horizons, as this client's transaction sees them.
///
/// # Errors
///
/// When the database is away.
pub async fn horizons(client: &impl GenericClient) -> Result<Horizons, tokio_postgres::Error> {
    let sql = format!("-- log::horizons\nSELECT {COLUMNS} FROM log.head");
    match client.query_opt(&sql, &[]).await? {
        Some(row) => Horizons::of_row(&row),
        None => Ok(Horizons::default()),
    }
}

/// The family's horizon, as this client's transaction sees it: a projection leaves out what lies
/// before it, for its rows there are frozen. `None` where the family has none.
///
/// # Errors
///
/// When the database is away.
pub async fn horizon(
    client: &impl GenericClient,
    family: Family,
) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    Ok(horizons(client).await?.of(family))
}

/// The horizon that is wanted for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Of `perf` or `meter`.
    pub family: Family,
    /// What is before this day (UTC) is to go.
    pub day: Date,
    /// Up to which position everybody has read the family.
    pub read_to: i64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The horizon stands there now.
    Now,
    /// It stood there, or beyond, before.
    Already,
    /// Somebody has still to read an event before it, at this position.
    NotYet(i64),
}

impl Target {
    /// The horizon as a time.
    pub fn before(&self) -> Timestamp {
        leaf::start_of(self.day)
    }

    /// The event that says it. The same horizon is the same event.
    pub(super) fn event(&self, now: Timestamp) -> Event {
        let before = self.before();
        let data = Said { family: self.family.as_str().to_owned(), before };
        let event = OwnEvent {
            layout: Layout::Specification,
            id: &format!("{}/{before}", self.family),
            source: SOURCE,
            kind: HORIZON_MOVED,
            time: &now.to_string(),
            data: &serde_json::to_vec(&data).expect("texts and times are written as JSON"),
        };
        event.to_event().expect("an event of our own has a header")
    }

    /// An event before the horizon that somebody has still to read. The head is locked: no more of
    /// them come.
    pub(super) async fn unread(
        &self,
        client: &Client,
    ) -> Result<Option<i64>, tokio_postgres::Error> {
        let days = leaf::days(client, self.family).await?;
        for day in days.into_iter().filter(|day| *day < self.day) {
            let last = leaf::last_of_day(client, self.family, day).await?;
            if let Some(last) = last.filter(|last| *last > self.read_to) {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }
}

/// What the event says: its `data`.
#[derive(Serialize, Deserialize)]
struct Said {
    family: String,
    before: Timestamp,
}

/// Which horizon an event moved, and to where; `None`: it is no such event.
pub(super) fn said(event: &Event) -> Option<(Family, Timestamp)> {
    #[derive(Deserialize)]
    struct Heard {
        data: Said,
    }
    if event.kind != HORIZON_MOVED {
        return None;
    }
    let heard: Heard = serde_json::from_slice(&event.body).ok()?;
    Some((Family::parse(&heard.data.family)?, heard.data.before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(day: &str) -> Target {
        Target { family: Family::Perf, day: day.parse().unwrap(), read_to: 0 }
    }

    #[test]
    fn the_same_horizon_is_the_same_event_whenever_it_is_said() {
        let at = |time: &str| target("2026-11-18").event(time.parse().unwrap());
        let (one, other) = (at("2026-11-20T11:00:00Z"), at("2026-11-20T12:00:00Z"));
        assert_eq!((one.id, one.key_at, one.family), (other.id, None, Family::Other));
        assert_ne!(one.id, target("2026-11-19").event(Timestamp::UNIX_EPOCH).id);
        assert_eq!(said(&one), Some((Family::Perf, "2026-11-18T00:00:00Z".parse().unwrap())));
        assert_eq!(said(&Event { kind: "other".to_owned(), ..one }), None);
    }

    #[test]
    fn a_leaf_is_past_when_its_whole_day_is() {
        let mut horizons = Horizons::default();
        let leaf = |day: Option<&str>| Leaf {
            family: Family::Perf,
            day: day.map(|day| day.parse().unwrap()),
        };
        assert!(!horizons.are_past(leaf(Some("2026-11-17"))));
        horizons.advance(Family::Perf, target("2026-11-18").before());
        horizons.advance(Family::Perf, target("2026-11-10").before());
        assert!(horizons.are_past(leaf(Some("2026-11-17"))));
        assert!(!horizons.are_past(leaf(Some("2026-11-18"))));
        assert!(!horizons.are_past(leaf(None)));
        assert!(!horizons.are_past(Leaf { family: Family::Meter, ..leaf(Some("2026-11-17")) }));
    }

    #[test]
    fn the_bytes_of_the_body_never_change() {
        let event = target("2026-11-18").event("2026-11-20T11:00:00.000125Z".parse().unwrap());
        let expected = r#"{"specversion":"1.0","id":"perf/2026-11-18T00:00:00Z","source":"stackledger","type":"stackledger.horizon.moved","time":"2026-11-20T11:00:00.000125Z","data":{"family":"perf","before":"2026-11-18T00:00:00Z"}}"#;
        assert_eq!(String::from_utf8(event.body).unwrap(), expected);
    }
}
