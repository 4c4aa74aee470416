//! Columns and keys of the exported table.

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};
use sha2::{Digest, Sha256};

pub use crate::projection::metering::read::export::Sample;

/// The nine columns, in the order of the proposal for Ceilometer.
pub(super) const COLUMNS: [&str; 9] = [
    "counter_name",
    "counter_type",
    "counter_unit",
    "counter_volume",
    "message_id",
    "project_id",
    "resource_id",
    "source",
    "timestamp",
];

/// The identity of the sample whose row has a key in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub counter_name: String,
    pub project_id: Option<String>,
    pub resource_id: String,
    /// To the precision of the target's column; `None` if it cannot be read as a time.
    pub timestamp: Option<Timestamp>,
    /// The volume of an increase, to the precision of the target's column; `None` if it is none.
    pub increase: Option<Decimal>,
}

impl Owner {
    /// Returns the identity of a sample.
    pub fn of(sample: &Sample) -> Owner {
        Owner {
            counter_name: sample.counter_name.clone(),
            project_id: sample.project_id.clone(),
            resource_id: sample.resource_id.clone(),
            timestamp: Some(sample.timestamp),
            increase: increase(sample.counter_type.as_deref(), Some(&sample.counter_volume)),
        }
    }

    /// Whether the row is this sample's. Times that differ by less than a second are equal: a column that
    /// somebody else created may store whole seconds only. It may round volumes, too.
    pub fn is(&self, sample: &Sample) -> bool {
        let is_equal = |time: Timestamp| {
            let micros = time.as_microsecond() - sample.timestamp.as_microsecond();
            micros.abs() < 1_000_000
        };
        self.counter_name == sample.counter_name
            && self.resource_id == sample.resource_id
            && self.project_id == sample.project_id
            && self.timestamp.is_none_or(is_equal)
            && self.is_increase_of(sample)
    }

    fn is_increase_of(&self, sample: &Sample) -> bool {
        match (self.increase, Owner::of(sample).increase) {
            (Some(stored), Some(sent)) => {
                let half = RoundingStrategy::MidpointAwayFromZero;
                stored == sent.round_dp_with_strategy(stored.scale(), half)
            }
            (stored, sent) => stored == sent,
        }
    }
}

/// Returns the volume of a sample that is an increase, whose identity it is a part of.
pub(super) fn increase(counter_type: Option<&str>, volume: Option<&str>) -> Option<Decimal> {
    counter_type.filter(|counter_type| *counter_type == "delta").and(volume)?.parse().ok()
}

/// Returns the key of a sample whose message id is taken by another sample: the id, `#`, and 24 hexadecimal
/// digits made from the sample's identity.
pub(super) fn second_key(sample: &Sample) -> String {
    const ID_MAX: usize = 200;
    let mut hash = Sha256::new();
    let parts = [
        Some(sample.message_id.as_str()),
        Some(&sample.counter_name),
        Some(&sample.resource_id),
        sample.project_id.as_deref(),
    ];
    for part in parts {
        // The length before each part: no two lists of parts give one text.
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.update(sample.timestamp.as_microsecond().to_be_bytes());
    if let Some(increase) = Owner::of(sample).increase {
        hash.update(increase.normalize().to_string());
    }
    let id = &sample.message_id[..sample.message_id.floor_char_boundary(ID_MAX)];
    format!("{id}#{}", hex::encode(&hash.finalize()[..12]))
}
