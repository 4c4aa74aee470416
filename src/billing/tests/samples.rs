//! Short notation for samples of one resource and meter.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::billing::mapping::MappingToml;
use crate::billing::reading::{ForeignReading, OtherReading};
use crate::billing::transform::{compute_usage, describe_resource};
use crate::billing::{Mapping, Metadata, Reading, Span, Timeline, Usage};

/// A sample as it was received.
#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Timestamp,
    pub volume: Decimal,
    pub metadata: Option<Metadata>,
    pub message_id: String,
}

/// Returns a time on a day in November, given as `10:30` or `10:30:15`.
pub fn at(time: &str) -> Timestamp {
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("2026-11-20T{time}{seconds}Z").parse().unwrap()
}

pub fn span(from: &str, to: &str) -> Span {
    Span::new(at(from), at(to)).unwrap()
}

pub fn sample(time: &str, volume: &str, metadata: &str) -> Sample {
    Sample {
        at: at(time),
        volume: Decimal::from_str_exact(volume).unwrap(),
        metadata: (!metadata.is_empty()).then(|| Metadata::read(metadata)),
        message_id: String::new(),
    }
}

/// Returns samples without metadata.
pub fn volumes(all: &[(&str, &str)]) -> Vec<Sample> {
    all.iter().map(|(time, volume)| sample(time, volume, "")).collect()
}

/// Returns samples of an instance's states, with one flavor.
pub fn states(all: &[(&str, &str)]) -> Vec<Sample> {
    all.iter().map(|(time, state)| with_flavor(time, state, "m1")).collect()
}

pub fn with_flavor(time: &str, state: &str, flavor: &str) -> Sample {
    sample(time, "1", &format!(r#"{{"status": "{state}", "flavor": {{"name": "{flavor}"}}}}"#))
}

pub fn timeline(samples: &[Sample]) -> Timeline<'_> {
    let readings = samples.iter().map(|sample| Reading {
        at: sample.at,
        volume: sample.volume,
        metadata: sample.metadata.as_ref(),
        is_increase: false,
        message_id: &sample.message_id,
    });
    Timeline::new(readings.collect())
}

/// Returns the timeline of samples with those of another meter of the resource, and with the times of
/// samples of another project.
pub fn timeline_with<'a>(
    samples: &'a [Sample],
    others: &'a [Sample],
    foreign: &[Timestamp],
) -> Timeline<'a> {
    let others = timeline(others);
    let other = |reading: &Reading<'a>| OtherReading { meter: "other", reading: *reading };
    let others = others.readings().iter().map(other).collect();
    let foreign = foreign.iter().map(|at| ForeignReading { at: *at, is_last: true });
    timeline(samples).with_evidence(others, foreign.collect())
}

pub fn mapping(options: &str) -> Mapping {
    let section: MappingToml = toml::from_str(&format!("meter = 'm'\n{options}")).unwrap();
    section.try_into().unwrap()
}

/// Returns the usage in the range, each as `service volume`.
pub fn list_usage(options: &str, samples: &[Sample], range: Span) -> Vec<String> {
    list_usage_by(&mapping(options), samples, range)
}

pub fn list_usage_by(mapping: &Mapping, samples: &[Sample], range: Span) -> Vec<String> {
    let show = |usage: Usage| format!("{} {}", usage.service, usage.volume);
    compute_usage(mapping, &timeline(samples), range).into_iter().map(show).collect()
}

/// As [`list_usage`], with samples of another meter and times of another project's.
pub fn list_usage_with(
    options: &str,
    samples: &[Sample],
    others: &[Sample],
    foreign: &[&str],
    range: Span,
) -> Vec<String> {
    let show = |usage: Usage| format!("{} {}", usage.service, usage.volume);
    let foreign: Vec<Timestamp> = foreign.iter().map(|time| at(time)).collect();
    let line = timeline_with(samples, others, &foreign);
    compute_usage(&mapping(options), &line, range).into_iter().map(show).collect()
}

pub fn describe(options: &str, samples: &[Sample], range: Span) -> BTreeMap<String, String> {
    describe_resource(&mapping(options), &timeline(samples), range)
}
