//! From usage to lines, a total, and adjustments.

mod adjustments;
mod lines;
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::samples::*;
use crate::billing::order::{
    Adjustment, BilledPeriod, ChangedWindows, Charges, DividedSpan, Heading, Reason,
    compute_adjustments,
};
use crate::billing::settings::Settings;
use crate::billing::transform::{compute_usage, describe_resource};
use crate::billing::{Amount, Basis, Bill, Mapping, Metadata, Order, Span, Unit};

/// A mapping for each unit that can be converted, and one for a unit that cannot.
const MAPPINGS: &str = "
[[usage]]
meter = 'vcpus'
transformer = 'uptime'
max_gap_s = 3600
type = 'Virtual Machine'
metadata = { name = ['name'] }
[[usage]]
meter = 'image.size'
transformer = 'max'
service = 'image'
type = 'Image'
unit = 'byte'
[[usage]]
meter = 'packets'
transformer = 'sum'
service = 'packets'
unit = 'packet'
";
const VCPUS: usize = 0;
const IMAGE: usize = 1;
const PACKETS: usize = 2;

fn rate(service: &str, unit: &str, rate: &str, more: &str) -> String {
    format!("[[rate]]\nservice = '{service}'\nunit = '{unit}'\nrate = '{rate}'\n{more}\n")
}

fn basis(more: &str) -> Basis {
    let text = format!("{MAPPINGS}{more}");
    let sections = toml::from_str(&text).unwrap();
    let ever = Span { from: Timestamp::MIN, to: Timestamp::MAX };
    Basis::of(&Settings::read(sections, &text, None).unwrap(), ever)
}

fn bill<'a>(basis: &'a Basis, span: Span, all: &[(usize, &str, &[Sample])]) -> Bill<'a> {
    let mut bill = Bill::new(basis, span);
    for (mapping, resource_id, samples) in all {
        bill.add_readings(*mapping, resource_id, &timeline(samples), span);
    }
    bill
}

/// Returns each line as `resource service volume unit rate amount`.
fn lines(charges: &Charges) -> Vec<String> {
    let shown = charges.lines.iter().map(|line| {
        let (id, service, volume) = (&line.resource_id, &line.service, &line.volume);
        format!("{id} {service} {volume} {} {} {}", line.unit, line.rate, line.amount)
    });
    shown.collect()
}

/// Returns each unrated item as `resource service volume unit reason`.
fn unrated(charges: &Charges) -> Vec<String> {
    let shown = charges.unrated.iter().map(|item| {
        let (id, service, volume) = (&item.resource_id, &item.service, &item.volume);
        format!("{id} {service} {volume} {} {:?}", item.unit, item.reason)
    });
    shown.collect()
}

fn heading(span: Span) -> Heading {
    Heading { order_id: None, tenant_id: "t1".to_owned(), name: None, span, position: 7 }
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn day() -> Span {
    let at = |text: &str| text.parse().unwrap();
    Span::new(at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")).unwrap()
}
