//! Meters: what is counted, in which unit, and how many samples of it there are.

use std::collections::HashMap;

use jiff::Timestamp;

use super::fold::Changes;
use super::located::{Placed, Replaced};
use super::sample::{MeterKey, Sample};

/// A row of `meter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meter {
    pub counter_name: String,
    pub counter_type: Option<String>,
    pub counter_unit: Option<String>,
    pub samples: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

impl Meter {
    /// What tells it from others.
    pub fn key(&self) -> MeterKey<'_> {
        (&self.counter_name, self.counter_type.as_deref(), self.counter_unit.as_deref())
    }
}

/// The meters of samples, with the times they were seen; of how many count, nothing is known yet.
pub(super) fn seen(samples: &[Sample]) -> Vec<Meter> {
    let mut times = HashMap::<MeterKey<'_>, (Timestamp, Timestamp)>::new();
    for sample in samples {
        let at = sample.timestamp;
        let (first, last) = times.entry(sample.meter()).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    let row = |((name, kind, unit), (first_at, last_at)): (MeterKey<'_>, _)| Meter {
        counter_name: name.to_owned(),
        counter_type: kind.map(str::to_owned),
        counter_unit: unit.map(str::to_owned),
        samples: 0,
        first_at,
        last_at,
    };
    times.into_iter().map(row).collect()
}

/// What a stretch changes: `rows` are the stored ones of the meters' names, `seen` the stretch's
/// meters, and `changes` what became of its samples.
pub(super) fn fold(
    rows: Vec<Placed<Meter>>,
    seen: Vec<Meter>,
    changes: &Changes,
) -> Replaced<Meter> {
    let mut counts = counts(changes);
    let mut seen: HashMap<MeterKey<'_>, &Meter> =
        seen.iter().map(|meter| (meter.key(), meter)).collect();
    let mut replaced = Replaced::default();
    for placed in &rows {
        let mut row = placed.row.clone();
        if let Some(seen) = seen.remove(&placed.row.key()) {
            row.first_at = row.first_at.min(seen.first_at);
            row.last_at = row.last_at.max(seen.last_at);
        }
        // A sample may have been superseded by one of another unit: its meter is not seen then.
        row.samples += counts.remove(&placed.row.key()).unwrap_or(0);
        replaced.put(placed, row);
    }
    for (key, meter) in seen {
        let samples = counts.remove(&key).unwrap_or(0);
        replaced.new.push(Meter { samples, ..meter.clone() });
    }
    replaced
}

/// How many more rows of `sample` each meter has.
fn counts(changes: &Changes) -> HashMap<MeterKey<'_>, i64> {
    let mut counts = HashMap::new();
    for sample in &changes.new {
        *counts.entry(sample.meter()).or_default() += 1;
    }
    for superseded in changes.superseded.iter().filter(|superseded| superseded.row.is_some()) {
        *counts.entry(superseded.sample.meter()).or_default() -= 1;
    }
    counts
}
