//! The JSON document of an order: Stackledger's fields, beside the nesting that users of Distil know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::Order;
use super::adjust::Adjustment;
use super::line::{Line, UnratedUsage};
use crate::billing::exact::Amount;
use crate::billing::unit::Unit;

/// The members of the document, Distil's first.
#[derive(Serialize)]
struct Document<'a> {
    name: Option<&'a str>,
    tenant_id: &'a str,
    start: String,
    end: String,
    total_cost: &'a Amount,
    resources: BTreeMap<&'a str, Resource<'a>>,
    order_id: Option<Uuid>,
    from: Timestamp,
    to: Timestamp,
    position: i64,
    calculation: u32,
    currency: &'a str,
    total: &'a Amount,
    lines: &'a [Line],
    unrated: &'a [UnratedUsage],
    adjustments: &'a [Adjustment],
}

/// A resource. The fields that describe it are members beside these.
#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    resource_type: Option<&'a str>,
    #[serde(flatten)]
    metadata: &'a BTreeMap<String, String>,
    total_cost: Amount,
    services: Vec<Service<'a>>,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
    volume: &'a str,
    unit: &'a Unit,
    rate: String,
    cost: &'a Amount,
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document {
            name: self.name.as_deref(),
            tenant_id: &self.tenant_id,
            start: format_distil_time(self.from),
            end: format_distil_time(self.to),
            total_cost: &self.total,
            resources: group_by_resource(&self.lines),
            order_id: self.order_id,
            from: self.from,
            to: self.to,
            position: self.position,
            calculation: self.calculation,
            currency: &self.currency,
            total: &self.total,
            lines: &self.lines,
            unrated: &self.unrated,
            adjustments: &self.adjustments,
        }
        .serialize(serializer)
    }
}

/// Groups the lines by resource.
fn group_by_resource(lines: &[Line]) -> BTreeMap<&str, Resource<'_>> {
    let mut resources = BTreeMap::new();
    for line in lines {
        let resource = resources.entry(line.resource_id.as_str()).or_insert_with(|| Resource {
            resource_type: line.resource_type.as_deref(),
            metadata: &line.metadata,
            total_cost: Amount::default(),
            services: Vec::new(),
        });
        resource.total_cost = resource.total_cost.plus(&line.amount);
        resource.services.push(Service {
            name: &line.service,
            volume: &line.volume,
            unit: &line.unit,
            rate: line.rate.to_string(),
            cost: &line.amount,
        });
    }
    resources
}

/// Formats a time as Distil does: in UTC, without a zone.
fn format_distil_time(at: Timestamp) -> String {
    let civil = TimeZone::UTC.to_datetime(at);
    format!("{} {}", civil.date(), civil.time())
}
