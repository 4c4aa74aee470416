//! Buckets: the samples of one host and metric within a minute, an hour or a day, summed up.

use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::sum::Sum;
use crate::sketch::numbers::Sketch;

/// A bucket with at least one sample. Buckets are merged by adding their parts, in any order.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub count: i64,
    pub sum: Sum,
    pub min: Decimal,
    pub max: Decimal,
    pub last: LatestSample,
    /// The number of samples that lie exactly on its start.
    pub edge_count: i64,
    /// The sum of those samples.
    pub edge_sum: Sum,
    pub sketch: Sketch,
}

/// The latest sample. Of several at one time, the one with the largest event id and index is the latest. Two
/// events of different times may share an id and contain samples of the same time: then the larger value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LatestSample {
    pub at: Timestamp,
    /// The event that contains it.
    pub id: Uuid,
    /// Its place among the event's values.
    pub index: i32,
    pub value: Decimal,
}

impl Bucket {
    /// Creates the bucket of one sample, with an empty sketch. `is_edge`: the sample lies exactly on the
    /// start.
    pub fn of(last: LatestSample, is_edge: bool) -> Self {
        let sum = Sum::from(last.value);
        Bucket {
            count: 1,
            min: last.value,
            max: last.value,
            last,
            edge_count: i64::from(is_edge),
            edge_sum: if is_edge { sum.clone() } else { Sum::default() },
            sum,
            sketch: Sketch::default(),
        }
    }

    /// Merges a bucket with the same start.
    pub fn add(&mut self, other: &Bucket) {
        self.add_later(other);
        self.edge_count += other.edge_count;
        self.edge_sum += &other.edge_sum;
    }

    /// Returns the bucket as part of a longer one. `is_first`: both have the same start.
    pub fn widened(&self, is_first: bool) -> Self {
        let mut longer = self.clone();
        if !is_first {
            (longer.edge_count, longer.edge_sum) = (0, Sum::default());
        }
        longer
    }

    /// Merges a bucket with a later start, whose samples do not lie on this one's start.
    pub fn add_later(&mut self, other: &Bucket) {
        self.count += other.count;
        self.sum += &other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.last = self.last.max(other.last);
        self.sketch.add(&other.sketch);
    }
}

/// Returns the `f64` that is nearest to a number.
pub(super) fn nearest_f64(number: Decimal) -> f64 {
    /// The largest power of ten that an `f64` represents exactly.
    const EXPONENT_MAX: u32 = 22;
    /// Whole numbers up to this one are exact, too.
    const WHOLE_MAX: u128 = 1 << 53;
    if number.scale() <= EXPONENT_MAX && number.mantissa().unsigned_abs() <= WHOLE_MAX {
        // The quotient of two exact numbers is rounded to the nearest.
        return number.mantissa() as f64 / 10_f64.powi(number.scale() as i32);
    }
    // The text of a Decimal is always a number.
    number.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_nearest_is_the_one_that_the_text_is_parsed_as(units: i64, shift in 0..64_u32, scale in 0..29_u32) {
            let number = Decimal::from_i128_with_scale((units >> shift).into(), scale);
            let expected: f64 = number.to_string().parse().unwrap();
            prop_assert_eq!(nearest_f64(number), expected);
        }
    }
}
