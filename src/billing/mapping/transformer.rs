//! Transformers: the rules by which the readings of a window become usage.

use std::collections::{BTreeMap, BTreeSet};

/// The rule by which the readings of a window become usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transformer {
    /// Seconds in certain states, per flavor.
    Uptime {
        /// The states that are billed, as `vm_state` names them.
        tracked_states: BTreeSet<String>,
        /// How long a reading that reports no state is evidence, in seconds.
        audit_gap_s: u32,
    },
    /// The greatest volume of a window, held for the length of the window.
    Max {
        /// Whether the volume at the window's start counts too.
        carry_over: bool,
    },
    /// The volume weighted by the time it held; unknown time counts as zero.
    Average,
    /// The sum of volumes, for meters that report increases.
    Sum,
    /// The increase of a counter.
    Cumulative,
    /// As [`Transformer::Max`], per volume type.
    StorageMax {
        /// Whether the volume at the window's start counts too.
        carry_over: bool,
        /// Services of volume types, where they are not `{service}.{volume_type}`.
        volume_types: BTreeMap<String, String>,
    },
    /// The time of windows in which a sample has the status active.
    NetworkService {
        /// Whether the status at the window's start counts too.
        carry_over: bool,
    },
    /// The size of the root disk of instances booted from an image.
    FromImage {
        /// Whether the last sample before the window's start counts too.
        carry_over: bool,
        /// Keys of the metadata that name the image.
        image_keys: Vec<String>,
        /// Names that mean that there is no image.
        none_values: Vec<String>,
        /// Keys of the metadata that contain sizes.
        size_keys: Vec<String>,
    },
    /// The time of windows in which a reading passes the filter.
    Count {
        /// Whether the last reading before the window counts too.
        carry_over: bool,
    },
}

impl Transformer {
    /// Whether a window without a reading can have usage, because the state before it still holds.
    pub(super) fn carries_state(&self) -> bool {
        match self {
            Transformer::Uptime { .. } | Transformer::Average => true,
            Transformer::Max { carry_over }
            | Transformer::StorageMax { carry_over, .. }
            | Transformer::NetworkService { carry_over }
            | Transformer::FromImage { carry_over, .. }
            | Transformer::Count { carry_over } => *carry_over,
            Transformer::Sum | Transformer::Cumulative => false,
        }
    }
}
