//! `[[usage]]` of the configuration: which meters are billed, as what, and how.

mod filter;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use filter::Filter;
pub use written::Written;

use super::unit::Unit;

/// How the readings of one meter become usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Mapping {
    /// The meter whose readings are used.
    pub meter: String,
    /// What is made of them.
    pub transformer: Transformer,
    /// The service used; of [`Transformer::Uptime`] the one where no flavor is told, of
    /// [`Transformer::StorageMax`] what stands before the volume's type.
    pub service: String,
    /// What kind of thing is billed, e.g. `Virtual Machine`.
    pub resource_type: Option<String>,
    /// What the volumes count.
    pub unit: Unit,
    /// The resource that is billed, made of the samples' one: `{}` stands for it.
    pub resource_id: String,
    /// What is told about a resource on its bill: for each field the keys of the metadata, of which
    /// the first that has a value counts.
    pub metadata: BTreeMap<String, Vec<String>>,
    /// Which readings count. The others still end the state before them.
    pub filter: Filter,
    /// How long a state holds without another reading, in seconds.
    pub max_gap_s: u32,
}

/// What is made of readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transformer {
    /// Seconds in certain states, per flavor.
    Uptime {
        /// In small letters.
        tracked_states: BTreeSet<String>,
    },
    /// The greatest volume of a window, for as long as the window is.
    Max {
        /// Whether the volume at the window's start counts too.
        carry_over: bool,
    },
    /// The volume weighted by the time it held: what was unknown counts nothing.
    Average,
    /// The sum of volumes, of meters that tell increases.
    Sum,
    /// The increase of a counter.
    Cumulative,
    /// As [`Transformer::Max`], per type of volume.
    StorageMax {
        /// Whether the volume at the window's start counts too.
        carry_over: bool,
        /// Services of volume types, where they are not `{service}.{volume_type}`.
        volume_types: BTreeMap<String, String>,
    },
    /// The time of windows in which the status was seen active.
    NetworkService {
        /// Whether the status at the window's start counts too.
        carry_over: bool,
    },
    /// The size of the root disk of instances booted from an image.
    FromImage {
        /// Whether what was told before the window's start counts too.
        carry_over: bool,
        /// Metadata that names the image.
        image_keys: Vec<String>,
        /// Names that mean that there is none.
        none_values: Vec<String>,
        /// Metadata that holds sizes.
        size_keys: Vec<String>,
    },
    /// The time of windows in which there is a reading that passes the filter.
    Count {
        /// Whether the last reading before the window counts too.
        carry_over: bool,
    },
}

impl Mapping {
    /// How long a state holds without another reading, in microseconds.
    pub fn max_gap_us(&self) -> i64 {
        i64::from(self.max_gap_s) * 1_000_000
    }

    /// Whether something can be used in a window without a reading, because the state before it
    /// holds on.
    pub(super) fn carries(&self) -> bool {
        match self.transformer {
            Transformer::Uptime { .. } | Transformer::Average => true,
            Transformer::Max { carry_over }
            | Transformer::StorageMax { carry_over, .. }
            | Transformer::NetworkService { carry_over }
            | Transformer::FromImage { carry_over, .. }
            | Transformer::Count { carry_over } => carry_over,
            Transformer::Sum | Transformer::Cumulative => false,
        }
    }

    /// The resource that usage of the samples' resource is billed to.
    pub fn billed_resource(&self, resource_id: &str) -> String {
        self.resource_id.replace("{}", resource_id)
    }

    /// The samples' resource whose usage is billed to that resource; `None` when none is.
    pub fn sampled_resource<'r>(&self, billed: &'r str) -> Option<&'r str> {
        let (before, after) = self.resource_id.split_once("{}")?;
        billed.strip_prefix(before)?.strip_suffix(after)
    }

    /// Whether all of its usage is of one service, [`Mapping::service`].
    pub(super) fn has_one_service(&self) -> bool {
        !matches!(self.transformer, Transformer::Uptime { .. } | Transformer::StorageMax { .. })
    }

    /// Whether it can yield usage of the service, as far as the configuration tells.
    pub(super) fn may_yield(&self, service: &str) -> bool {
        matches!(self.transformer, Transformer::Uptime { .. }) || self.names(service)
    }

    /// Whether the service is named in it; any other can only be a flavor's.
    pub(super) fn names(&self, service: &str) -> bool {
        let is_of_type = match &self.transformer {
            Transformer::StorageMax { volume_types, .. } => {
                volume_types.values().any(|named| named == service)
                    || service.strip_prefix(&self.service).is_some_and(|rest| rest.starts_with('.'))
            }
            _ => false,
        };
        is_of_type || self.service == service
    }

    #[cfg(test)]
    pub(super) fn example(options: &str) -> Self {
        let written: Written = toml::from_str(&format!("meter = 'm'\n{options}")).unwrap();
        written.try_into().unwrap()
    }
}

/// Why two mappings cannot stand beside each other; `None` when they can.
pub(super) fn collision(a: &Mapping, b: &Mapping) -> Option<String> {
    let same = a.has_one_service()
        && b.has_one_service()
        && a.service == b.service
        && a.resource_type == b.resource_type
        && a.resource_id == b.resource_id;
    same.then(|| {
        let kind = match &a.resource_type {
            Some(kind) => format!("resources of type {kind:?}"),
            None => "resources of no type".to_owned(),
        };
        format!(
            "service {:?} of {kind} is told by the meter {:?} already; each service of a resource \
             has one mapping",
            a.service, a.meter
        )
    })
}
