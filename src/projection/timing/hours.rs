//! Hourly sums of operations. They follow the operations' rows: what a row that changed had added
//! is taken out again, so the sums are those of the rows that stand.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::rows::Keyed;
use super::rows::{Hour, Operation, Status};
use crate::sketch;

const HOUR_US: i64 = 3_600_000_000;

/// What tells an hour's row from others: operation, dimension, hour, value.
pub(super) type HourKey<'a> = (&'a str, &'a str, Timestamp, &'a str);

/// What is to be added to a row; negative where it is taken out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Delta {
    count: i64,
    failed: i64,
    open: i64,
    sum_us: Decimal,
    bins: BTreeMap<i32, i64>,
}

/// What the sums change by, when the rows of operations in `gone` are replaced by those in `new`.
pub(super) fn deltas<'a>(
    gone: &'a [Operation],
    new: &'a [Operation],
) -> HashMap<HourKey<'a>, Delta> {
    let mut deltas = HashMap::<HourKey<'_>, Delta>::new();
    for (operations, sign) in [(gone, -1), (new, 1)] {
        for operation in operations {
            let (name, hour) = (operation.operation.as_str(), hour(operation.at));
            for (dimension, value) in dimensions(operation) {
                let key = (name, dimension, hour, value.unwrap_or_default());
                deltas.entry(key).or_default().add(operation, sign);
            }
        }
    }
    deltas.retain(|_, delta| !delta.is_nothing());
    deltas
}

/// The rows after the change of those there were, in the order of their keys. Where the last
/// operation is taken out there is no row.
pub(super) fn fold<'a>(rows: &'a [Hour], mut deltas: HashMap<HourKey<'a>, Delta>) -> Vec<Hour> {
    let mut after = Vec::with_capacity(deltas.len());
    for row in rows {
        if let Some(delta) = deltas.remove(&key(row)) {
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

pub(super) fn key(row: &Hour) -> HourKey<'_> {
    (&row.operation, &row.dimension, row.hour, &row.value)
}

/// Each operation counts once as a whole and once per dimension, where its value is not known with
/// the empty one, so that every dimension adds up to the whole.
fn dimensions(operation: &Operation) -> [(&'static str, Option<&str>); 5] {
    [
        ("", None),
        ("host", operation.host.as_deref()),
        ("flavor", operation.flavor.as_deref()),
        ("image", operation.image.as_deref()),
        ("project_id", operation.project_id.as_deref()),
    ]
}

/// The UTC hour that holds the time.
pub(super) fn hour(at: Timestamp) -> Timestamp {
    let us = at.as_microsecond();
    Timestamp::from_microsecond(us - us.rem_euclid(HOUR_US)).unwrap_or(at)
}

impl Delta {
    fn add(&mut self, operation: &Operation, sign: i64) {
        self.count += sign;
        match operation.status {
            Status::Failed => self.failed += sign,
            Status::Open => self.open += sign,
            Status::Complete | Status::StartMissing => {}
        }
        if let (Status::Complete, Some(us)) = (operation.status, operation.duration_us) {
            self.sum_us += Decimal::from(sign * us);
            *self.bins.entry(sketch::bin(us.unsigned_abs())).or_default() += sign;
        }
    }

    fn is_nothing(&self) -> bool {
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
