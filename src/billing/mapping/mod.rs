//! Mappings: `[[usage]]` of the configuration, the rules by which the readings of a meter become usage.

mod check;
mod filter;
mod section;
#[cfg(test)]
mod tests;
mod transformer;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use filter::Filter;
pub use section::MappingToml;
pub use transformer::Transformer;

use super::unit::Unit;

/// The rule by which the readings of one meter become usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MappingToml", into = "MappingToml")]
pub struct Mapping {
    /// The meter whose readings are used.
    pub meter: String,
    /// The rule for a window of readings.
    pub transformer: Transformer,
    /// The service used. For [`Transformer::Uptime`] the service of samples without a flavor, for
    /// [`Transformer::StorageMax`] the part of the name before the volume type.
    pub service: String,
    /// The kind of resource that is billed, e.g. `Virtual Machine`.
    pub resource_type: Option<String>,
    /// The unit of the volumes.
    pub unit: Unit,
    /// The resource that is billed: a template in which `{}` is replaced by the samples' resource.
    pub resource_id: String,
    /// The fields that describe a resource on its bill: for each of them the keys of the samples'
    /// metadata; the first key that has a value counts.
    pub metadata: BTreeMap<String, Vec<String>>,
    /// The readings that count. Any other reading still ends the state before it.
    pub filter: Filter,
    /// How long a state holds without another reading, in seconds.
    pub max_gap_s: u32,
}

impl Mapping {
    /// How long a state holds without another reading, in microseconds.
    pub fn max_gap_us(&self) -> i64 {
        i64::from(self.max_gap_s) * 1_000_000
    }

    /// How long a reading that reports no state is evidence of the state reported before, or that the
    /// instance runs, in microseconds; of other transformers than `uptime`, as [`Mapping::max_gap_us`].
    pub(super) fn audit_gap_us(&self) -> i64 {
        match &self.transformer {
            Transformer::Uptime { audit_gap_s, .. } => {
                self.max_gap_us().max(i64::from(*audit_gap_s) * 1_000_000)
            }
            _ => self.max_gap_us(),
        }
    }

    /// How far a reading can matter after its time, in microseconds. Of `uptime` twice as far as a reading
    /// without a state is evidence: the state that it repeats may be as old.
    pub fn reach_us(&self) -> i64 {
        match &self.transformer {
            Transformer::Uptime { .. } => 2 * self.audit_gap_us(),
            _ => self.max_gap_us(),
        }
    }

    /// Whether states of other meters of the resource matter.
    pub fn uses_other_meters(&self) -> bool {
        matches!(self.transformer, Transformer::Uptime { .. })
    }

    /// Whether its readings are increases, which belong to no state.
    pub fn is_counter(&self) -> bool {
        matches!(self.transformer, Transformer::Sum | Transformer::Cumulative)
    }

    /// Whether a window without a reading can have usage, because the state before it still holds.
    pub(super) fn carries_state(&self) -> bool {
        self.transformer.carries_state()
    }

    /// Returns the resource that usage of the samples' resource is billed to.
    pub fn billed_resource(&self, resource_id: &str) -> String {
        self.resource_id.replace("{}", resource_id)
    }

    /// Returns the samples' resource whose usage is billed to the resource `billed`; `None` if the
    /// template cannot give that name.
    pub fn sampled_resource<'r>(&self, billed: &'r str) -> Option<&'r str> {
        let (before, after) = self.resource_id.split_once("{}")?;
        billed.strip_prefix(before)?.strip_suffix(after)
    }

    /// Returns the service of volumes of a type, which the configuration may name by the type's id or name.
    pub(super) fn service_of_volume_type(&self, id: Option<&str>, name: &str) -> Cow<'_, str> {
        let Transformer::StorageMax { volume_types, .. } = &self.transformer else {
            return Cow::Borrowed(&self.service);
        };
        let configured = id.and_then(|id| volume_types.get(id)).or_else(|| volume_types.get(name));
        match configured {
            Some(service) => Cow::Borrowed(service),
            None => Cow::Owned(format!("{}.{name}", self.service)),
        }
    }

    /// Whether all of its usage is of one service, [`Mapping::service`].
    pub(super) fn has_one_service(&self) -> bool {
        !matches!(self.transformer, Transformer::Uptime { .. } | Transformer::StorageMax { .. })
    }

    /// Whether it can yield usage of the service, as far as the configuration shows: a flavor may
    /// have any name.
    pub(super) fn may_yield(&self, service: &str) -> bool {
        matches!(self.transformer, Transformer::Uptime { .. }) || self.names(service)
    }

    /// Whether it names the service itself; any other service could only be a flavor's.
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
        let section: MappingToml = toml::from_str(&format!("meter = 'm'\n{options}")).unwrap();
        section.try_into().unwrap()
    }
}

/// Explains why a mapping may not be used beside one listed before it; `None` if it may.
pub(super) fn explain_collision(before: &Mapping, mapping: &Mapping) -> Option<String> {
    let collides = before.has_one_service()
        && mapping.has_one_service()
        && before.service == mapping.service
        && before.resource_type == mapping.resource_type
        && before.resource_id == mapping.resource_id;
    collides.then(|| {
        let resources = match &before.resource_type {
            Some(resource_type) => format!("resources of type {resource_type:?}"),
            None => "resources without a type".to_owned(),
        };
        format!(
            "service {:?} of {resources} is already measured by the meter {:?}; each service of a \
             resource must have exactly one mapping",
            before.service, before.meter
        )
    })
}
