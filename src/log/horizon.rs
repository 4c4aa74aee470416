//! Horizons: events of a family that is partitioned by day are not accepted any more if they lie before its
//! horizon, and those in the log may be dropped. A horizon is the beginning of a UTC day and only moves
//! forward. Each move is an event of our own, so that the chain proves it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, GenericClient, Row};

use super::leaf::{self, Leaf, day_of};
use crate::event::ours::{Layout, OwnEvent};
use crate::event::{Event, Family};

/// The type of the event that moves a horizon. Only the log itself creates such events.
pub const HORIZON_MOVED: &str = "stackledger.horizon.moved";

/// The source of the events that move horizons, and of no others.
pub const SOURCE: &str = "stackledger";

/// The horizons that the head row contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizons {
    /// The horizon of `perf`; `None` if it was never moved.
    pub perf: Option<Timestamp>,
    /// The horizon of `meter`; `None` if it was never moved.
    pub meter: Option<Timestamp>,
}

/// The columns of `log.head` that [`Horizons::of_row`] reads.
pub(super) const COLUMNS: &str = "perf_horizon, meter_horizon";

impl Horizons {
    /// Reads the columns [`COLUMNS`].
    pub(super) fn of_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Horizons { perf: row.try_get("perf_horizon")?, meter: row.try_get("meter_horizon")? })
    }

    /// The horizon of the family; `None` if it has none.
    pub fn of(self, family: Family) -> Option<Timestamp> {
        match family {
            Family::Perf => self.perf,
            Family::Meter => self.meter,
            _ => None,
        }
    }

    /// Moves the family's horizon forward, never back.
    pub(super) fn advance(&mut self, family: Family, before: Timestamp) {
        match family {
            Family::Perf => self.perf = self.perf.max(Some(before)),
            Family::Meter => self.meter = self.meter.max(Some(before)),
            _ => {}
        }
    }

    /// Whether the horizon of the leaf's family has passed the leaf: its whole day lies before the horizon.
    pub(super) fn have_passed(self, leaf: Leaf) -> bool {
        leaf.day.zip(self.of(leaf.family)).is_some_and(|(day, horizon)| day < day_of(horizon))
    }
}

/// Reads the horizons, as this client's transaction sees them.
///
/// # Errors
///
/// When the database is away.
pub async fn read_horizons(client: &impl GenericClient) -> Result<Horizons, tokio_postgres::Error> {
    let sql = format!("-- log::horizons\nSELECT {COLUMNS} FROM log.head");
    match client.query_opt(&sql, &[]).await? {
        Some(row) => Horizons::of_row(&row),
        None => Ok(Horizons::default()),
    }
}

/// Reads the family's horizon, as this client's transaction sees it; `None` if the family has none. A
/// projection ignores events before it, because its rows there are frozen.
///
/// # Errors
///
/// When the database is away.
pub async fn read_horizon(
    client: &impl GenericClient,
    family: Family,
) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    Ok(read_horizons(client).await?.of(family))
}

/// The horizon to be set for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The family: `perf` or `meter`.
    pub family: Family,
    /// The UTC day before which events are to go.
    pub day: Date,
    /// The position up to which every reader has read the family.
    pub read_to: i64,
}

/// The outcome of moving a horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HorizonMove {
    /// The horizon was moved now.
    Now,
    /// The horizon was there, or beyond, before.
    Already,
    /// The horizon was not moved: a reader has not read the event at this position, which lies before it.
    NotYet(i64),
}

impl Target {
    /// The horizon as a time.
    pub fn horizon(&self) -> Timestamp {
        leaf::start_of(self.day)
    }

    /// Returns the event that moves the horizon. The same horizon is the same event.
    pub(super) fn event(&self, now: Timestamp) -> Event {
        let before = self.horizon();
        let data = HorizonPayload { family: self.family.as_str().to_owned(), before };
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

    /// Returns the position of an event before the horizon that a reader has not read yet. The head is locked,
    /// so no more such events arrive.
    pub(super) async fn find_unread(
        &self,
        client: &Client,
    ) -> Result<Option<i64>, tokio_postgres::Error> {
        let days = leaf::list_days(client, self.family).await?;
        for day in days.into_iter().filter(|day| *day < self.day) {
            let last = leaf::last_position_of_day(client, self.family, day).await?;
            if let Some(last) = last.filter(|last| *last > self.read_to) {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }
}

/// The `data` of the event.
#[derive(Serialize, Deserialize)]
struct HorizonPayload {
    family: String,
    before: Timestamp,
}

/// Returns the family whose horizon the event moves, and the new horizon; `None` for any other event.
pub(super) fn parse_move(event: &Event) -> Option<(Family, Timestamp)> {
    #[derive(Deserialize)]
    struct Move {
        data: HorizonPayload,
    }
    if event.kind != HORIZON_MOVED {
        return None;
    }
    let parsed: Move = serde_json::from_slice(&event.body).ok()?;
    Some((Family::parse(&parsed.data.family)?, parsed.data.before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(day: &str) -> Target {
        Target { family: Family::Perf, day: day.parse().unwrap(), read_to: 0 }
    }

    #[test]
    fn the_same_horizon_is_the_same_event_whenever_it_is_moved() {
        let at = |time: &str| target("2026-11-18").event(time.parse().unwrap());
        let (one, other) = (at("2026-11-20T11:00:00Z"), at("2026-11-20T12:00:00Z"));
        assert_eq!((one.id, one.key_at, one.family), (other.id, None, Family::Other));
        assert_ne!(one.id, target("2026-11-19").event(Timestamp::UNIX_EPOCH).id);
        assert_eq!(parse_move(&one), Some((Family::Perf, "2026-11-18T00:00:00Z".parse().unwrap())));
        assert_eq!(parse_move(&Event { kind: "other".to_owned(), ..one }), None);
    }

    #[test]
    fn a_leaf_is_past_when_its_whole_day_is() {
        let mut horizons = Horizons::default();
        let leaf = |day: Option<&str>| Leaf {
            family: Family::Perf,
            day: day.map(|day| day.parse().unwrap()),
        };
        assert!(!horizons.have_passed(leaf(Some("2026-11-17"))));
        horizons.advance(Family::Perf, target("2026-11-18").horizon());
        horizons.advance(Family::Perf, target("2026-11-10").horizon());
        assert!(horizons.have_passed(leaf(Some("2026-11-17"))));
        assert!(!horizons.have_passed(leaf(Some("2026-11-18"))));
        assert!(!horizons.have_passed(leaf(None)));
        assert!(!horizons.have_passed(Leaf { family: Family::Meter, ..leaf(Some("2026-11-17")) }));
    }

    #[test]
    fn the_bytes_of_the_body_never_change() {
        let event = target("2026-11-18").event("2026-11-20T11:00:00.000125Z".parse().unwrap());
        let expected = r#"{"specversion":"1.0","id":"perf/2026-11-18T00:00:00Z","source":"stackledger","type":"stackledger.horizon.moved","time":"2026-11-20T11:00:00.000125Z","data":{"family":"perf","before":"2026-11-18T00:00:00Z"}}"#;
        assert_eq!(String::from_utf8(event.body).unwrap(), expected);
    }
}
