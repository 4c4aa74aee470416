//! A row of the exported table, and what says whether two rows are of the same sample.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The nine columns, in the proposal's order.
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

/// A sample as the read model has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The meter.
    pub counter_name: String,
    /// gauge, delta, cumulative, or what was sent.
    pub counter_type: Option<String>,
    /// The unit.
    pub counter_unit: Option<String>,
    /// The volume, digit for digit, never with an exponent.
    pub counter_volume: String,
    /// The sender's id of it.
    pub message_id: String,
    /// The tenant.
    pub project_id: Option<String>,
    /// What was metered.
    pub resource_id: String,
    /// Who metered it.
    pub source: Option<String>,
    /// When.
    pub timestamp: Timestamp,
}

/// Who holds a key in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub counter_name: String,
    pub project_id: Option<String>,
    pub resource_id: String,
    /// To the precision of the target's column; `None` where it cannot be read as a time.
    pub timestamp: Option<Timestamp>,
}

impl Owner {
    /// Whether the row is this sample's. A column made by somebody else may hold whole seconds only.
    pub fn is(&self, sample: &Sample) -> bool {
        let is_then = |then: Timestamp| {
            let apart = then.as_microsecond() - sample.timestamp.as_microsecond();
            apart.abs() < 1_000_000
        };
        self.counter_name == sample.counter_name
            && self.resource_id == sample.resource_id
            && self.project_id == sample.project_id
            && self.timestamp.is_none_or(is_then)
    }
}

impl Sample {
    /// Its row's identity, as in the target.
    pub(super) fn owner(&self) -> Owner {
        Owner {
            counter_name: self.counter_name.clone(),
            project_id: self.project_id.clone(),
            resource_id: self.resource_id.clone(),
            timestamp: Some(self.timestamp),
        }
    }

    /// The key it gets where its message id is another sample's: the id, and what tells it apart.
    pub(super) fn second_key(&self) -> String {
        const ID_MAX: usize = 200;
        let mut hash = Sha256::new();
        let parts = [
            Some(self.message_id.as_str()),
            Some(&self.counter_name),
            Some(&self.resource_id),
            self.project_id.as_deref(),
        ];
        for part in parts {
            // The length before each: no two lists of parts are one text.
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hash.update(part.unwrap_or_default());
        }
        hash.update(self.timestamp.as_microsecond().to_be_bytes());
        let mut key =
            self.message_id[..self.message_id.floor_char_boundary(ID_MAX)].to_owned() + "#";
        key.push_str(&hex::encode(&hash.finalize()[..12]));
        key
    }
}
