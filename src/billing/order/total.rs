//! Totals of a bill's usage, without prices.

use std::collections::BTreeMap;

use super::bill::{Bill, Description};
use crate::billing::exact::{Amount, Volume};
use crate::billing::mapping::Mapping;

/// The usage of one service of one resource, by one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total<'b> {
    /// The resource that is billed.
    pub resource_id: &'b str,
    /// The kind of resource.
    pub resource_type: Option<&'b str>,
    /// The fields that describe the resource.
    pub metadata: BTreeMap<String, String>,
    /// The service.
    pub service: &'b str,
    /// The mapping that yields the usage.
    pub mapping: &'b Mapping,
    /// Whether it is the sum of the negative quantities, which no rate can bill.
    pub is_negative: bool,
    /// The quantity used, in the mapping's unit.
    pub volume: Volume,
    /// The number of windows with usage.
    pub windows: u32,
    /// The share of the time from the first to the last of these windows for which samples report a
    /// state, from 0 to 1.
    pub coverage: Amount,
}

impl Bill<'_> {
    /// Returns the usage by resource, service and mapping; negative quantities are separate.
    pub fn totals(&self) -> impl Iterator<Item = Total<'_>> {
        self.usage.iter().flat_map(move |((resource_id, service), usage)| {
            usage.iter().filter_map(move |((mapping, is_negative), parts)| {
                let description = self.resources.get(resource_id);
                let mut parts = parts.values();
                let first = parts.next()?.clone();
                let sum = parts.fold(first, |sum, part| sum.plus(part));
                Some(Total {
                    resource_id,
                    resource_type: description.and_then(Description::resource_type),
                    metadata: description.map(Description::metadata).unwrap_or_default(),
                    service,
                    mapping: self.basis.mappings.get(*mapping)?,
                    is_negative: *is_negative,
                    windows: sum.windows,
                    coverage: sum.coverage(),
                    volume: sum.volume,
                })
            })
        })
    }
}
