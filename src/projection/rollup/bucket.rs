//! What the samples of one host and metric within some time come to.

use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::sum::Sum;
use crate::sketch::numbers::Sketch;

/// A bucket that holds something. Two are added up by adding all that they hold: in which order makes
/// no difference.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub count: i64,
    pub sum: Sum,
    pub min: Decimal,
    pub max: Decimal,
    pub last: Last,
    /// Of the samples that lie exactly on its start.
    pub edge_count: i64,
    pub edge_sum: Sum,
    pub sketch: Sketch,
}

/// The latest sample: of several at one time the one of the largest event id and index. Two events may
/// have one id at different times, and tell of the same time: then the larger value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Last {
    pub at: Timestamp,
    /// The event that told it.
    pub id: Uuid,
    /// Its place among the event's values.
    pub index: i32,
    pub value: Decimal,
}

impl Bucket {
    /// That of one sample, which is in no sketch yet. `is_edge`: it lies exactly on the start.
    pub fn of(last: Last, is_edge: bool) -> Self {
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

    /// Adds one of the same start.
    pub fn add(&mut self, other: &Bucket) {
        self.add_later(other);
        self.edge_count += other.edge_count;
        self.edge_sum += &other.edge_sum;
    }

    /// The same within a longer bucket, which begins with it or earlier.
    pub fn within(&self, begins: bool) -> Self {
        let mut longer = self.clone();
        if !begins {
            (longer.edge_count, longer.edge_sum) = (0, Sum::default());
        }
        longer
    }

    /// Adds one that begins later: nothing of it lies on this one's start.
    pub fn add_later(&mut self, other: &Bucket) {
        self.count += other.count;
        self.sum += &other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.last = self.last.max(other.last);
        self.sketch.add(&other.sketch);
    }
}

/// The `f64` that is nearest to a number.
pub(super) fn nearest(number: Decimal) -> f64 {
    /// Powers of ten that an `f64` holds exactly.
    const TENS: u32 = 22;
    /// Whole numbers up to here are exact, too.
    const WHOLE: u128 = 1 << 53;
    if number.scale() <= TENS && number.mantissa().unsigned_abs() <= WHOLE {
        // Of two exact numbers the quotient is the nearest there is.
        return number.mantissa() as f64 / 10_f64.powi(number.scale() as i32);
    }
    // A Decimal's text is always a number.
    number.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_nearest_is_what_the_text_is_read_as(units: i64, shift in 0..64_u32, scale in 0..29_u32) {
            let number = Decimal::from_i128_with_scale((units >> shift).into(), scale);
            let expected: f64 = number.to_string().parse().unwrap();
            prop_assert_eq!(nearest(number), expected);
        }
    }
}
