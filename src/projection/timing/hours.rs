//! Hourly sums of operations. They follow the operations' rows: when a row changes, its old contribution is
//! subtracted and its new one added, so the sums are always those of the present rows.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::rows::{Hour, KeyedRow, Operation, OperationStatus};
use crate::sketch;

const HOUR_US: i64 = 3_600_000_000;

/// The primary key of a row of sums: operation, dimension, hour, value.
pub(super) type HourKey<'a> = (&'a str, &'a str, Timestamp, &'a str);

/// The amounts to add to a row; negative to subtract.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Delta {
    count: i64,
    failed: i64,
    open: i64,
    sum_us: Decimal,
    bins: BTreeMap<i32, i64>,
}

/// Returns how the sums change when the operations in `removed` are replaced by the ones in `added`.
pub(super) fn compute_deltas<'a>(
    removed: &'a [Operation],
    added: &'a [Operation],
) -> HashMap<HourKey<'a>, Delta> {
    let mut deltas = HashMap::<HourKey<'_>, Delta>::new();
    for (operations, sign) in [(removed, -1), (added, 1)] {
        for operation in operations {
            let (name, hour) = (operation.operation.as_str(), floor_to_hour(operation.at));
            for (dimension, value) in dimension_values(operation) {
                let key = (name, dimension, hour, value.unwrap_or_default());
                deltas.entry(key).or_default().add(operation, sign);
            }
        }
    }
    deltas.retain(|_, delta| !delta.is_zero());
    deltas
}

/// Adds deltas to the rows of their keys; `rows` contains the existing ones. Returns the new rows in the order
/// of their keys; a row without any operation left is dropped.
pub(super) fn fold<'a>(rows: &'a [Hour], mut deltas: HashMap<HourKey<'a>, Delta>) -> Vec<Hour> {
    let mut after = Vec::with_capacity(deltas.len());
    for row in rows {
        if let Some(delta) = deltas.remove(&hour_key(row)) {
            let mut row = row.clone();
            delta.add_to(&mut row);
            after.push(row);
        }
    }
    for ((operation, dimension, hour, value), delta) in deltas {
        let mut row = Hour {
            operation: operation.to_owned(),
            dimension: dimension.to_owned(),
            hour,
            value: value.to_owned(),
            count: 0,
            failed: 0,
            open: 0,
            sum_us: Decimal::ZERO,
            bins: Vec::new(),
            bin_counts: Vec::new(),
        };
        delta.add_to(&mut row);
        after.push(row);
    }
    after.retain(|row| row.count != 0);
    after.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    after
}

/// Returns the row's primary key.
pub(super) fn hour_key(row: &Hour) -> HourKey<'_> {
    (&row.operation, &row.dimension, row.hour, &row.value)
}

/// Returns the dimensions and values that an operation is counted under: once as a whole, and once per
/// dimension. An unknown value counts as the empty one, so that every dimension adds up to the whole.
fn dimension_values(operation: &Operation) -> [(&'static str, Option<&str>); 5] {
    [
        ("", None),
        ("host", operation.host.as_deref()),
        ("flavor", operation.flavor.as_deref()),
        ("image", operation.image.as_deref()),
        ("project_id", operation.project_id.as_deref()),
    ]
}

/// Rounds a time down to the beginning of its UTC hour.
pub(super) fn floor_to_hour(at: Timestamp) -> Timestamp {
    let us = at.as_microsecond();
    Timestamp::from_microsecond(us - us.rem_euclid(HOUR_US)).unwrap_or(at)
}

impl Delta {
    fn add(&mut self, operation: &Operation, sign: i64) {
        self.count += sign;
        match operation.status {
            OperationStatus::Failed => self.failed += sign,
            OperationStatus::Open => self.open += sign,
            OperationStatus::Complete | OperationStatus::StartMissing => {}
        }
        if let (OperationStatus::Complete, Some(us)) = (operation.status, operation.duration_us) {
            self.sum_us += Decimal::from(sign * us);
            *self.bins.entry(sketch::bin(us.unsigned_abs())).or_default() += sign;
        }
    }

    fn is_zero(&self) -> bool {
        let counts = [self.count, self.failed, self.open];
        counts == [0; 3] && self.sum_us.is_zero() && self.bins.values().all(|count| *count == 0)
    }

    fn add_to(self, row: &mut Hour) {
        row.count += self.count;
        row.failed += self.failed;
        row.open += self.open;
        row.sum_us += self.sum_us;
        let mut bins: BTreeMap<i32, i64> =
            row.bins.iter().copied().zip(row.bin_counts.iter().copied()).collect();
        for (bin, count) in self.bins {
            *bins.entry(bin).or_default() += count;
        }
        bins.retain(|_, count| *count != 0);
        (row.bins, row.bin_counts) = bins.into_iter().unzip();
    }
}
