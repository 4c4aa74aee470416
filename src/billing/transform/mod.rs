//! Usage from readings. A transformer says what was used evenly over which times, and what at one
//! moment (pieces); usage of any span is the sum of what lies in it.
//!
//! Nothing depends on readings at or after the end of the range, nor on how far back before its
//! start readings are given, as long as the last one before it is among them.

mod counter;
mod gauge;
mod image;
mod uptime;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::exact::Volume;
use super::mapping::{Mapping, Transformer};
use super::reading::{Reading, Timeline};
use super::window::Span;

/// What was used of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Which.
    pub service: String,
    /// How much, in the mapping's unit.
    pub volume: Volume,
    /// For how long it is known how things stood, in microseconds.
    pub covered_us: i64,
}

/// A part of what was used.
struct Piece<'t> {
    service: Cow<'t, str>,
    used: Used,
}

enum Used {
    /// Evenly: so many units for as long as the span is.
    Held(Span, Decimal),
    /// As many seconds as the span is long.
    Time(Span),
    /// At one moment.
    Once(Timestamp, Volume),
}

impl Used {
    /// How much of it was used in the span; `None` when it has nothing in common with it.
    fn within(&self, span: Span) -> Option<Volume> {
        match self {
            Used::Held(held, units) => held.clip(span).map(|part| Volume::held(*units, part.us())),
            Used::Time(held) => held.clip(span).map(|part| Volume::seconds(part.us())),
            Used::Once(at, volume) => span.contains(*at).then(|| volume.clone()),
        }
    }
}

/// What a resource used of each service in the range, by the mapping's rule for its windows (the
/// first and the last may be a part of an hour), in the order of services.
///
/// `timeline` holds the resource's readings of the mapping's meter: those in the range and the last
/// one before it.
pub fn usage(mapping: &Mapping, timeline: &Timeline<'_>, range: Span) -> Vec<Usage> {
    usage_of_part(mapping, timeline, range, range)
}

/// The share of a part of the range in its usage: what was used evenly over a window is divided by
/// time, so that parts always add up to the whole. This is how a line is split where a rate
/// changes.
pub fn usage_of_part(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    range: Span,
    part: Span,
) -> Vec<Usage> {
    let Some(part) = part.clip(range) else { return Vec::new() };
    let mut volumes = BTreeMap::<Cow<'_, str>, Volume>::new();
    for piece in pieces(mapping, timeline, range) {
        if let Some(volume) = piece.used.within(part) {
            *volumes.entry(piece.service).or_default() += &volume;
        }
    }
    if volumes.is_empty() {
        return Vec::new();
    }
    let covered_us = timeline.covered_us(part, mapping.max_gap_us());
    volumes
        .into_iter()
        .map(|(service, volume)| Usage { service: service.into_owned(), volume, covered_us })
        .collect()
}

/// What is told about the resource: for each of the mapping's fields the value in the latest sample
/// that has one, of those in the range and the one whose state held at its start.
pub fn description(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    range: Span,
) -> BTreeMap<String, String> {
    let carried = timeline.carried(range, mapping.max_gap_us());
    let latest_first: Vec<&Reading<'_>> = timeline
        .within(range)
        .iter()
        .rev()
        .chain(carried)
        .filter(|reading| mapping.filter.passes(reading.metadata))
        .collect();
    let value = |keys: &[String]| {
        let mut said = latest_first.iter().filter_map(|reading| reading.metadata?.first(keys));
        said.next().map(Cow::into_owned)
    };
    mapping
        .metadata
        .iter()
        .filter_map(|(field, keys)| Some((field.clone(), value(keys)?)))
        .collect()
}

/// Which of [`Timeline::readings`] tell of the window, so that its usage and description are made of
/// them and no others: those in it; the one whose state holds at its start; of a counter the one
/// before. None, where the mapping says nothing of the window.
pub fn told_by(mapping: &Mapping, timeline: &Timeline<'_>, window: Span) -> Range<usize> {
    let within = timeline.indexes(window);
    let carried = timeline.carried(window, mapping.max_gap_us()).is_some();
    let counts_before = if within.is_empty() {
        carried && mapping.carries()
    } else {
        carried || matches!(mapping.transformer, Transformer::Cumulative)
    };
    within.start.saturating_sub(usize::from(counts_before))..within.end
}

fn pieces<'t>(mapping: &'t Mapping, timeline: &'t Timeline<'_>, range: Span) -> Vec<Piece<'t>> {
    let all = All { mapping, timeline, range };
    match &mapping.transformer {
        Transformer::Uptime { tracked_states } => uptime::pieces(&all, tracked_states),
        Transformer::Max { carry_over } => gauge::max(&all, *carry_over),
        Transformer::Average => gauge::average(&all),
        Transformer::Sum => counter::sum(&all),
        Transformer::Cumulative => counter::cumulative(&all),
        Transformer::StorageMax { carry_over, volume_types } => {
            gauge::storage_max(&all, *carry_over, volume_types)
        }
        Transformer::NetworkService { carry_over } => gauge::network_service(&all, *carry_over),
        Transformer::FromImage { carry_over, image_keys, none_values, size_keys } => {
            image::pieces(&all, *carry_over, &image::Keys { image_keys, none_values, size_keys })
        }
        Transformer::Count { carry_over } => gauge::count(&all, *carry_over),
    }
}

/// What a transformer works with.
struct All<'t, 'a> {
    mapping: &'t Mapping,
    timeline: &'t Timeline<'a>,
    range: Span,
}

impl<'t, 'a> All<'t, 'a> {
    /// The mapping's service.
    fn service(&self) -> Cow<'t, str> {
        Cow::Borrowed(&self.mapping.service)
    }

    fn passes(&self, reading: &Reading<'a>) -> bool {
        self.mapping.filter.passes(reading.metadata)
    }

    /// The readings that count in each window that has any, earliest first.
    fn windows(&self, carry_over: bool) -> impl Iterator<Item = (Span, Vec<&'t Reading<'a>>)> {
        let (mapping, timeline) = (self.mapping, self.timeline);
        self.range.windows().filter_map(move |window| {
            let carried = carry_over.then(|| timeline.carried(window, mapping.max_gap_us()));
            let seen: Vec<_> = carried
                .flatten()
                .into_iter()
                .chain(timeline.within(window))
                .filter(|reading| mapping.filter.passes(reading.metadata))
                .collect();
            (!seen.is_empty()).then_some((window, seen))
        })
    }

    /// One piece for each window of whose readings `of` makes a service and a number of units.
    fn per_window(
        &self,
        carry_over: bool,
        of: impl Fn(&[&'t Reading<'a>]) -> Option<(Cow<'t, str>, Decimal)>,
    ) -> Vec<Piece<'t>> {
        let piece = |(window, seen): (Span, Vec<_>)| {
            let (service, units) = of(&seen)?;
            Some(Piece { service, used: Used::Held(window, units) })
        };
        self.windows(carry_over).filter_map(piece).collect()
    }
}
