//! What a bill has gathered, whatever it costs.

use std::collections::BTreeMap;

use super::bill::Bill;
use crate::billing::exact::{Amount, Volume};
use crate::billing::mapping::Mapping;

/// What was used of one service of one resource, by one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summed<'b> {
    /// The resource that is billed.
    pub resource_id: &'b str,
    /// What kind of thing it is.
    pub resource_type: Option<&'b str>,
    /// What is told about it.
    pub metadata: BTreeMap<String, String>,
    /// The service.
    pub service: &'b str,
    /// What told it.
    pub mapping: &'b Mapping,
    /// How much, in the mapping's unit.
    pub volume: Volume,
    /// In how many windows.
    pub windows: u32,
    /// The share of the time from the first to the last of them for which samples say how things
    /// stood, from 0 to 1.
    pub coverage: Amount,
}

impl Bill<'_> {
    /// What was used, by resource, service and mapping.
    pub fn summed(&self) -> impl Iterator<Item = Summed<'_>> {
        self.used.iter().flat_map(move |((resource_id, service), used)| {
            used.iter().filter_map(move |(mapping, parts)| {
                let described = self.resources.get(resource_id);
                let mut parts = parts.values();
                let first = parts.next()?.clone();
                let sum = parts.fold(first, |sum, part| sum.plus(part));
                Some(Summed {
                    resource_id,
                    resource_type: described
                        .and_then(|it| Some(it.resource_type.as_ref()?.1.as_str())),
                    metadata: described.map(|it| it.metadata()).unwrap_or_default(),
                    service,
                    mapping: self.basis.mappings.get(*mapping)?,
                    windows: sum.windows,
                    coverage: sum.coverage(),
                    volume: sum.volume,
                })
            })
        })
    }
}
