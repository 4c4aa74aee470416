//! Usage from readings. A transformer returns the pieces of whole windows: quantities used evenly over a
//! time, or at one moment. The usage of any span is the sum of the pieces, or their parts, within it, so
//! the usage of the parts of a span, wherever it is divided, adds up to that of the span.
//!
//! Usage depends only on the readings of the windows that a span has a part of, and on the last one
//! before each (of a counter, of each host); of `uptime` on those within reach ([`Mapping::reach_us`]); and
//! on later ones that report that the resource ended before: not on how far back readings are given.

mod counter;
mod gauge;
mod image;
mod input;
mod piece;
mod uptime;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use input::Input;
use jiff::Timestamp;
use piece::Piece;

use super::exact::Volume;
use super::mapping::{Mapping, Transformer};
use super::reading::{Changes, Reading, Timeline};
use super::volume_type::VolumeTypeNames;
use super::window::{Span, affected_windows, later};
use crate::event::{TEXT_MAX, shorten};

/// The service of the time in which an instance was measured and its state is unknown: alone, or before a
/// dot and the word that the samples report and nobody is known to use.
const UNKNOWN_STATE: &str = "unknown_state";

/// Whether it is the service of times with an unknown state.
pub(super) fn is_unknown_state(service: &str) -> bool {
    service.strip_prefix(UNKNOWN_STATE).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The usage of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The service. Of a volume type that was reported by its id alone, it is the service as far as the readings
    /// show, and the name of `type_id` decides.
    pub service: String,
    /// The id of a volume type whose name no reading contains.
    pub type_id: Option<String>,
    /// Whether it is the sum of the negative quantities. They are kept apart, because they are neither money nor
    /// deducted from the usage of other times.
    pub is_negative: bool,
    /// The quantity used, in the mapping's unit.
    pub volume: Volume,
    /// The time with a known state, in microseconds.
    pub covered_us: i64,
}

impl Usage {
    /// Returns the service by the mapping that the usage was computed with, once the names of ids are known.
    pub fn service_by<'u>(&'u self, mapping: &'u Mapping, names: &VolumeTypeNames) -> Cow<'u, str> {
        let named = self.type_id.as_deref().and_then(|id| Some((id, names.get(id)?)));
        match named {
            Some((id, name)) => {
                shorten(mapping.service_of_volume_type(Some(id), name), TEXT_MAX).into()
            }
            None => Cow::Borrowed(&self.service),
        }
    }
}

/// Computes a resource's usage of each service in the range, by the mapping's rule for windows. Sorted by
/// service; that of negative quantities is separate.
///
/// Of a window of which the range contains a part, the usage is its share of the whole window's: a
/// quantity used evenly over the window is divided by time. So the parts always add up to the whole,
/// wherever an order begins or ends or a rate changes.
///
/// `timeline` contains the resource's readings of the mapping's meter: those in the range's windows
/// ([`Span::whole_windows`]) and the last one before these, for a counter the last one of each host; and
/// the other evidence of the resource within reach of the windows.
pub fn compute_usage(mapping: &Mapping, timeline: &Timeline<'_>, range: Span) -> Vec<Usage> {
    let input = Input::new(mapping, timeline, range.whole_windows());
    let (pieces, covered_us) = pieces(&input, range);
    let mut volumes = BTreeMap::<(Cow<'_, str>, Option<Cow<'_, str>>, bool), Volume>::new();
    for piece in pieces {
        if let Some(volume) = piece.consumption.within(range) {
            let key = (piece.service, piece.type_id, volume.is_negative());
            *volumes.entry(key).or_default() += &volume;
        }
    }
    if volumes.is_empty() {
        return Vec::new();
    }
    let covered_us =
        covered_us.unwrap_or_else(|| input.states(range).map(|state| state.span.us()).sum());
    volumes
        .into_iter()
        .map(|((service, type_id, is_negative), volume)| Usage {
            // It may contain a text of any length from a sample.
            service: shorten(service, TEXT_MAX),
            type_id: type_id.map(Cow::into_owned),
            is_negative,
            volume,
            covered_us,
        })
        .collect()
}

/// Describes the resource: returns for each of the mapping's fields the value in the latest sample that
/// has one, among the samples in the range and the one whose state holds at its start.
pub fn describe_resource(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    range: Span,
) -> BTreeMap<String, String> {
    let carried = timeline.carried_reading(range, mapping.audit_gap_us());
    let latest_first: Vec<&Reading<'_>> = timeline
        .within(range)
        .iter()
        .rev()
        .chain(carried)
        .filter(|reading| mapping.filter.passes(reading.metadata))
        .collect();
    let value = |keys: &[String]| {
        let mut found = latest_first.iter().filter_map(|reading| reading.metadata?.first(keys));
        found.next().map(Cow::into_owned)
    };
    mapping
        .metadata
        .iter()
        .filter_map(|(field, keys)| Some((field.clone(), value(keys)?)))
        .collect()
}

/// The indexes of the readings that a window's usage and description are computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of the [`Timeline::readings`].
    pub readings: BTreeSet<usize>,
    /// Of the [`Timeline::others`].
    pub others: BTreeSet<usize>,
    /// Of the [`Timeline::foreign`].
    pub foreign: BTreeSet<usize>,
}

/// Returns the readings from which the usage and description of a window are computed, and no others: the
/// readings in the window, the one whose state holds at its start, and for a counter the last one before of
/// each host; of `uptime` those of all meters since the state, the flavor and the measurement were last
/// reported before; later ones that report that the resource ended before the window did; and those of other
/// projects since the last own one. Empty if the window has no usage.
pub fn source_readings(mapping: &Mapping, timeline: &Timeline<'_>, window: Span) -> Sources {
    let reach_us = mapping.reach_us();
    // A reading that is exactly as far away as the reach does not matter.
    let from = later(window.from, 1 - reach_us);
    let after = Span { from: window.to, to: later(window.to, reach_us) };
    let is_end = |reading: &Reading<'_>| reading.ended_at().is_some_and(|at| at < window.to);
    let mut sources = Sources::default();
    if mapping.uses_other_meters() {
        let measured = Span { from: later(window.from, 1 - mapping.audit_gap_us()), to: window.to };
        if timeline.within(measured).is_empty() {
            return sources;
        }
        let known = uptime::last_known(mapping, timeline, window.from);
        let near = Span { from: known.unwrap_or(from), to: window.to };
        sources.readings.extend(timeline.index_range(near));
        let is_evidence = |index: &usize| {
            let other = &timeline.others()[*index];
            uptime::is_evidence(mapping, other.meter, &other.reading)
        };
        sources.others.extend(timeline.other_range(near).filter(is_evidence));
        let is_end = |index: &usize| is_end(&timeline.others()[*index].reading);
        sources.others.extend(timeline.other_range(after).filter(is_end));
    } else {
        let within = timeline.index_range(window);
        let is_carried = timeline.carried_reading(window, mapping.max_gap_us()).is_some()
            && (!within.is_empty() || mapping.carries_state());
        let carried = is_carried.then(|| within.start.checked_sub(1)).flatten();
        let is_of_host = matches!(mapping.transformer, Transformer::Cumulative);
        let counted = within.clone().filter(|_| is_of_host);
        let starts = counted.filter_map(|index| timeline.index_before_of_host(index));
        sources.readings.extend(starts.chain(carried).chain(within));
        if sources.readings.is_empty() {
            return sources;
        }
    }
    if !mapping.is_counter() {
        let ends = timeline.index_range(after);
        sources.readings.extend(ends.filter(|index| is_end(&timeline.readings()[*index])));
        let own = timeline.last_owned(later(window.from, 1));
        let near = Span { from: own.map_or(from, |own| own.max(from)), to: window.to };
        sources.foreign.extend(timeline.foreign_range(near));
    }
    sources
}

/// Whether a reading of another meter of the resource can change the mapping's usage.
pub fn is_evidence(mapping: &Mapping, meter: &str, reading: &Reading<'_>) -> bool {
    mapping.uses_other_meters() && uptime::is_evidence(mapping, meter, reading)
}

/// Returns the windows whose usage the changes can make differ.
pub fn changed_windows(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    changes: &Changes,
) -> BTreeSet<Span> {
    let mut windows = BTreeSet::new();
    let is_of_all_meters = mapping.uses_other_meters();
    for change in &changes.own {
        let next = match is_of_all_meters {
            true => uptime::next_known(mapping, timeline, change.at),
            false => timeline.after(change.at).map(|reading| reading.at),
        };
        // Which readings of other projects count is known only at the next reading that reports no end.
        let next = match mapping.is_counter() {
            true => next,
            false => next.zip(timeline.next_owned(change.at)).map(|(next, owned)| next.max(owned)),
        };
        windows.extend(affected_windows(mapping, *change, next));
    }
    if matches!(mapping.transformer, Transformer::Cumulative) {
        // The host's next reading, at any distance, measures the increase since this one.
        let next = |(at, host): &(Timestamp, String)| timeline.next_of_host(*at, host);
        windows.extend(changes.hosts.iter().filter_map(next).map(Span::hour_of));
    }
    if is_of_all_meters {
        for change in &changes.others {
            let next = uptime::next_known(mapping, timeline, change.at);
            windows.extend(affected_windows(mapping, *change, next));
        }
    }
    if !mapping.is_counter() {
        for change in &changes.foreign {
            windows.extend(affected_windows(mapping, *change, timeline.next_owned(change.at)));
        }
    }
    windows
}

/// Returns the pieces of usage of the input's range; and how much of a part of it has a known state, in
/// microseconds, unless that follows from the states of the meter alone.
fn pieces<'t>(input: &Input<'t, '_>, part: Span) -> (Vec<Piece<'t>>, Option<i64>) {
    let pieces = match &input.mapping.transformer {
        Transformer::Uptime { tracked_states, .. } => {
            let (pieces, covered_us) = uptime::pieces(input, tracked_states, part);
            return (pieces, Some(covered_us));
        }
        Transformer::Max { carry_over } => gauge::max(input, *carry_over),
        Transformer::Average => gauge::average(input),
        Transformer::Sum => counter::sum(input),
        Transformer::Cumulative => counter::cumulative(input),
        Transformer::StorageMax { carry_over, .. } => gauge::storage_max(input, *carry_over),
        Transformer::NetworkService { carry_over } => gauge::network_service(input, *carry_over),
        Transformer::FromImage { carry_over, image_keys, none_values, size_keys } => {
            image::pieces(input, *carry_over, &image::Keys { image_keys, none_values, size_keys })
        }
        Transformer::Count { carry_over } => gauge::count(input, *carry_over),
    };
    (pieces, None)
}
