//! From usage to lines, a total, and adjustments.

mod adjustments;
mod lines;
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::world::*;
use crate::billing::order::{
    Adjustment, Billed, Heading, NotOnePart, Priced, Reason, Touched, adjustments,
};
use crate::billing::settings::Settings;
use crate::billing::transform::{description, usage};
use crate::billing::{Amount, Basis, Bill, Mapping, Metadata, Order, Span, Unit};

/// One mapping of each unit that is converted, and one that is not.
const MAPPINGS: &str = "
[[usage]]
meter = 'vcpus'
transformer = 'uptime'
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

fn bill<'a>(basis: &'a Basis, span: Span, all: &[(usize, &str, &[Told])]) -> Bill<'a> {
    let mut bill = Bill::new(basis, span);
    for (mapping, resource_id, told) in all {
        bill.add_readings(*mapping, resource_id, &timeline(told), span);
    }
    bill
}

/// `resource service volume unit rate amount` of each line.
fn lines(priced: &Priced) -> Vec<String> {
    let shown = priced.lines.iter().map(|line| {
        let (id, service, volume) = (&line.resource_id, &line.service, &line.volume);
        format!("{id} {service} {volume} {} {} {}", line.unit, line.rate, line.amount)
    });
    shown.collect()
}

/// `resource service volume unit reason` of each.
fn unrated(priced: &Priced) -> Vec<String> {
    let shown = priced.unrated.iter().map(|it| {
        let (id, service, volume) = (&it.resource_id, &it.service, &it.volume);
        format!("{id} {service} {volume} {} {:?}", it.unit, it.reason)
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
