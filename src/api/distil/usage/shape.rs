//! The answer of `/get_usage`, in Distil's nesting.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::distil::time::distil_time;
use crate::billing::order::Reason;
use crate::billing::{Amount, Bill, Span, Unit};

/// The usage of a tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api::distil) struct Answer {
    usage: UsageOf,
}

/// The usage of a tenant in a span.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct UsageOf {
    /// The latest name that was reported for the tenant; null if none was.
    name: Option<String>,
    /// The tenant's id.
    tenant_id: String,
    /// The start of the span, UTC.
    start: String,
    /// The end of the span, not included, UTC.
    end: String,
    /// By id. A resource also has the fields that the mappings make of the samples'
    /// metadata.
    #[schema(value_type = std::collections::HashMap<String, Resource>)]
    resources: BTreeMap<String, Resource>,
    /// Negative quantities, which no rate can bill. Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    unrated: Vec<NegativeQuantity>,
    /// As `start`, to the µs.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// As `end`, to the µs.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Usage includes all samples up to this position of the log.
    position: i64,
}

/// A resource that used something.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Resource {
    /// The kind of resource, from the mapping.
    r#type: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    metadata: BTreeMap<String, String>,
    /// The services it used.
    services: Vec<Service>,
}

/// The usage of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Service {
    /// The service's name.
    name: String,
    /// A decimal number: exact if it has an end, else with 28 decimals.
    volume: String,
    /// The unit of the volume.
    #[schema(value_type = String)]
    unit: Unit,
    /// The meter it was computed from.
    meter: String,
    /// The number of hours with usage.
    windows: u32,
    /// The share of the time from the first to the last of these hours for which samples are known, from 0
    /// to 1.
    #[schema(value_type = String)]
    coverage: Amount,
}

/// A negative quantity, which is neither usage nor taken off the usage at other times.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct NegativeQuantity {
    /// The resource.
    resource_id: String,
    /// The service's name.
    service: String,
    /// A negative decimal number, as exact as the volumes of services.
    volume: String,
    /// The unit of the volume.
    #[schema(value_type = String)]
    unit: Unit,
    /// The meter it was computed from.
    meter: String,
    /// The number of hours with negative quantities.
    windows: u32,
    /// Always `negative`.
    #[schema(value_type = String)]
    reason: Reason,
}

impl Answer {
    /// Returns the usage that a bill contains, of a tenant with this id and name.
    pub fn new(
        (tenant_id, name): (String, Option<String>),
        span: Span,
        position: i64,
        bill: &Bill<'_>,
    ) -> Self {
        let usage = UsageOf {
            name,
            tenant_id,
            start: distil_time(span.from, ' '),
            end: distil_time(span.to, ' '),
            resources: resources(bill),
            unrated: unrated(bill),
            from: span.from,
            to: span.to,
            position,
        };
        Answer { usage }
    }
}

fn resources(bill: &Bill<'_>) -> BTreeMap<String, Resource> {
    let mut resources = BTreeMap::<String, Resource>::new();
    for used in bill.totals().filter(|used| !used.is_negative) {
        let resource = resources.entry(used.resource_id.to_owned()).or_insert_with(|| Resource {
            r#type: used.resource_type.map(str::to_owned),
            metadata: used.metadata,
            services: Vec::new(),
        });
        resource.services.push(Service {
            name: used.service.to_owned(),
            volume: used.volume.to_string(),
            unit: used.mapping.unit.clone(),
            meter: used.mapping.meter.clone(),
            windows: used.windows,
            coverage: used.coverage,
        });
    }
    resources
}

fn unrated(bill: &Bill<'_>) -> Vec<NegativeQuantity> {
    let negative = bill.totals().filter(|used| used.is_negative);
    let unrated = negative.map(|used| NegativeQuantity {
        resource_id: used.resource_id.to_owned(),
        service: used.service.to_owned(),
        volume: used.volume.to_string(),
        unit: used.mapping.unit.clone(),
        meter: used.mapping.meter.clone(),
        windows: used.windows,
        reason: Reason::Negative,
    });
    unrated.collect()
}
