//! Meters: names of measurements with their types and units, and how many samples each has.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::fold::Changes;
use super::located::{LocatedRow, RowChanges};
use super::sample::{MeterKey, Sample};
use crate::projection::engine::table::{Columns, TableRow, table};

table! {
    /// A meter in one type and unit.
    Meter in metering.meter;
    counter_name: String = TEXT,
    counter_type: Option<String> = TEXT,
    counter_unit: Option<String> = TEXT,
    samples: i64 = INT8,
    first_at: Timestamp = TIMESTAMPTZ,
    last_at: Timestamp = TIMESTAMPTZ,
}

impl Meter {
    /// Returns the meter's key.
    pub fn key(&self) -> MeterKey<'_> {
        (&self.counter_name, self.counter_type.as_deref(), self.counter_unit.as_deref())
    }
}

/// Returns the meters of the samples with the first and last of their times. The counts are 0: how many
/// of the samples count is not known yet.
pub(super) fn meters_of(samples: &[Sample]) -> Vec<Meter> {
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

/// Folds the meters of a stretch of the log into the stored ones. `rows` are the stored meters of the
/// same names, `meters` those of the stretch, and `changes` how its samples change the table `sample`.
pub(super) fn fold(
    rows: Vec<LocatedRow<Meter>>,
    meters: Vec<Meter>,
    changes: &Changes,
) -> RowChanges<Meter> {
    let mut counts = counts(changes);
    let mut meters: HashMap<MeterKey<'_>, &Meter> =
        meters.iter().map(|meter| (meter.key(), meter)).collect();
    let mut row_changes = RowChanges::default();
    for stored in &rows {
        let mut row = stored.row.clone();
        if let Some(meter) = meters.remove(&stored.row.key()) {
            row.first_at = row.first_at.min(meter.first_at);
            row.last_at = row.last_at.max(meter.last_at);
        }
        // A sample of this meter may have been superseded by one of another unit; the stretch then has
        // no sample of this meter.
        row.samples += counts.remove(&stored.row.key()).unwrap_or(0);
        row_changes.replace(stored, row);
    }
    for (key, meter) in meters {
        let samples = counts.remove(&key).unwrap_or(0);
        row_changes.new.push(Meter { samples, ..meter.clone() });
    }
    row_changes
}

/// Returns by how many the rows of `sample` grow, by meter.
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
