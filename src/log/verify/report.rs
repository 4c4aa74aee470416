//! The result of `verify`, and the heads it checks the chain against.

use crate::log::chain::Hash;

/// A head that was noted earlier, outside the database. It parses from `POSITION:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The log's last position at that time.
    pub position: i64,
    /// The chain's hash at that position.
    pub hash: Hash,
}

impl std::str::FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let accepted = "POSITION:HASH is expected, as `stackledger status` prints it";
        let (position, hash) = text.split_once(':').ok_or(accepted)?;
        let position = position.parse().map_err(|_| accepted)?;
        let mut bytes = Hash::default();
        hex::decode_to_slice(hash, &mut bytes).map_err(|_| accepted)?;
        Ok(Anchor { position, hash: bytes })
    }
}

/// The first place where the log differs from what was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first position that is wrong.
    pub position: i64,
    /// A description of the fault.
    pub what: String,
}

/// The result of `verify`.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of events whose hash was computed again.
    pub events: u64,
    /// Number of links of the chain.
    pub batches: u64,
    /// The head's position.
    pub position: i64,
    /// The chain's hash at the head, in hexadecimal.
    pub hash: String,
    /// Leaves that were dropped after their family's horizon had passed them, as the chain proves.
    pub dropped: Vec<DroppedLeaf>,
    /// The first fault; `None` if the log is exactly what was appended.
    pub fault: Option<Fault>,
}

/// A leaf that was dropped. The digests in the chain still prove its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedLeaf {
    /// Its name within the schema `log`.
    pub leaf: String,
    /// Number of events it held.
    pub events: i64,
    /// Position of the first of them.
    pub first: i64,
    /// Position of the last of them.
    pub last: i64,
}

impl Report {
    /// Notes a fault, unless one at an earlier position is known.
    pub(super) fn note_fault(&mut self, position: i64, what: impl Into<String>) {
        if self.fault.as_ref().is_none_or(|known| position < known.position) {
            self.fault = Some(Fault { position, what: what.into() });
        }
    }
}

/// One link of the chain: the rows that an append put into a leaf.
pub(super) struct Batch {
    pub first: i64,
    pub last: i64,
    pub digest: Vec<u8>,
}
