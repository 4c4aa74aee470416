//! Samples of one resource and meter, as short as they can be written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::billing::mapping::Written;
use crate::billing::transform::{description, usage};
use crate::billing::{Mapping, Metadata, Reading, Span, Timeline, Usage};

/// A sample as it was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Timestamp,
    pub volume: Decimal,
    pub metadata: Option<Metadata>,
    pub message_id: String,
}

/// `10:30`, with seconds where needed, on a day in November.
pub fn at(time: &str) -> Timestamp {
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("2026-11-20T{time}{seconds}Z").parse().unwrap()
}

pub fn span(from: &str, to: &str) -> Span {
    Span::new(at(from), at(to)).unwrap()
}

pub fn told(time: &str, volume: &str, metadata: &str) -> Told {
    Told {
        at: at(time),
        volume: Decimal::from_str_exact(volume).unwrap(),
        metadata: (!metadata.is_empty()).then(|| Metadata::read(metadata)),
        message_id: String::new(),
    }
}

/// Volumes alone.
pub fn volumes(all: &[(&str, &str)]) -> Vec<Told> {
    all.iter().map(|(time, volume)| told(time, volume, "")).collect()
}

/// States of an instance of one flavor.
pub fn states(all: &[(&str, &str)]) -> Vec<Told> {
    all.iter().map(|(time, state)| flavored(time, state, "m1")).collect()
}

pub fn flavored(time: &str, state: &str, flavor: &str) -> Told {
    told(time, "1", &format!(r#"{{"status": "{state}", "flavor": {{"name": "{flavor}"}}}}"#))
}

pub fn timeline(told: &[Told]) -> Timeline<'_> {
    let readings = told.iter().map(|it| Reading {
        at: it.at,
        volume: it.volume,
        metadata: it.metadata.as_ref(),
        message_id: &it.message_id,
    });
    Timeline::new(readings.collect())
}

pub fn mapping(options: &str) -> Mapping {
    let written: Written = toml::from_str(&format!("meter = 'm'\n{options}")).unwrap();
    written.try_into().unwrap()
}

/// `service volume`, of the range.
pub fn used(options: &str, told: &[Told], range: Span) -> Vec<String> {
    used_by(&mapping(options), told, range)
}

pub fn used_by(mapping: &Mapping, told: &[Told], range: Span) -> Vec<String> {
    let of = |it: Usage| format!("{} {}", it.service, it.volume);
    usage(mapping, &timeline(told), range).into_iter().map(of).collect()
}

pub fn described(options: &str, told: &[Told], range: Span) -> BTreeMap<String, String> {
    description(&mapping(options), &timeline(told), range)
}
