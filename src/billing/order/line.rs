//! Lines of an order, and usage that cannot be billed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::billing::exact::Amount;
use crate::billing::unit::Unit;

/// The charge for one service of one resource at one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The resource that is billed.
    pub resource_id: String,
    /// The kind of resource.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The fields that describe the resource.
    pub metadata: BTreeMap<String, String>,
    /// The service.
    pub service: String,
    /// The meter whose samples the usage is computed from.
    pub meter: String,
    /// The index of its mapping in the basis.
    pub mapping: usize,
    /// The beginning of the part of the order's span for which the rate applies.
    pub from: Timestamp,
    /// The end of that part.
    pub to: Timestamp,
    /// The usage as it was measured.
    pub usage: String,
    /// The unit of the usage.
    pub usage_unit: Unit,
    /// The usage in the rate's unit, with hours rounded as configured: the quantity that is paid for. All
    /// digits if it has a finite decimal form, else 28 decimal places; the amount is computed from the
    /// exact volume.
    pub volume: String,
    /// The rate's unit.
    pub unit: Unit,
    /// The price of one unit.
    #[serde(with = "crate::billing::exact::as_text")]
    pub rate: Decimal,
    /// Volume × rate, rounded half up.
    pub amount: Amount,
    /// The number of windows with usage.
    pub windows: u32,
    /// The share of the time from the first to the last of these windows for which samples report a
    /// state, from 0 to 1.
    pub coverage: Amount,
}

/// Usage that cannot be billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnratedUsage {
    /// The resource.
    pub resource_id: String,
    /// The kind of resource.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The fields that describe the resource.
    pub metadata: BTreeMap<String, String>,
    /// The service.
    pub service: String,
    /// The meter whose samples the usage is computed from.
    pub meter: String,
    /// The index of its mapping in the basis.
    pub mapping: usize,
    /// The beginning of the part of the order's span that is not billed.
    pub from: Timestamp,
    /// The end of that part.
    pub to: Timestamp,
    /// The usage.
    pub volume: String,
    /// The unit of the usage.
    pub unit: Unit,
    /// Always `None`.
    pub rate: Option<Amount>,
    /// Why it is not billed.
    pub reason: Reason,
    /// The number of windows with usage.
    pub windows: u32,
    /// The start of the first of these windows, or of its part in the order. Orders of version 1 of the rules have
    /// none.
    #[serde(default)]
    pub used_from: Option<Timestamp>,
    /// The end of the last of these windows, or of its part in the order.
    #[serde(default)]
    pub used_to: Option<Timestamp>,
}

/// Why usage cannot be billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The service has no rate at that time.
    NoRate,
    /// The rate is for another unit, into which the usage cannot be converted.
    OtherUnit,
    /// Another mapping yields usage of the same service of this resource.
    Collision,
    /// The quantity is negative: no rate could bill it, and it is no credit.
    Negative,
    /// The instance was there, and its state is unknown. The service names the word that its samples
    /// report; a rate of that service bills it.
    UnknownState,
}

/// The charges of a bill: its lines, and the usage that cannot be billed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// The lines, by resource, service and time.
    pub lines: Vec<Line>,
    /// The usage that cannot be billed, in the same order.
    pub unrated: Vec<UnratedUsage>,
}
