//! Usage from readings. A transformer returns the pieces of whole windows: quantities used evenly over a
//! time, or at one moment. The usage of any span is the sum of the pieces, or their parts, within it, so
//! the usage of the parts of a span, wherever it is divided, adds up to that of the span.
//!
//! Usage depends only on the readings of the windows that a span has a part of, and on the last one
//! before each (of a counter, of each host): not on later ones, nor on how far back readings are given.

mod counter;
mod gauge;
mod image;
mod input;
mod piece;
mod uptime;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use input::Input;
use piece::Piece;

use super::exact::Volume;
use super::mapping::{Mapping, Transformer};
use super::reading::{Reading, Timeline};
use super::volume_type::VolumeTypeNames;
use super::window::Span;
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
/// ([`Span::whole_windows`]) and the last one before these, for a counter the last one of each host.
pub fn compute_usage(mapping: &Mapping, timeline: &Timeline<'_>, range: Span) -> Vec<Usage> {
    let mut volumes = BTreeMap::<(Cow<'_, str>, Option<Cow<'_, str>>, bool), Volume>::new();
    for piece in pieces(mapping, timeline, range.whole_windows()) {
        if let Some(volume) = piece.consumption.within(range) {
            let key = (piece.service, piece.type_id, volume.is_negative());
            *volumes.entry(key).or_default() += &volume;
        }
    }
    if volumes.is_empty() {
        return Vec::new();
    }
    let covered_us = timeline.covered_us(range, mapping.max_gap_us());
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
    let carried = timeline.carried_reading(range, mapping.max_gap_us());
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

/// Returns the indexes of the [`Timeline::readings`] from which the usage and description of a window are
/// computed, and no others: the readings in the window, the one whose state holds at its start, and
/// for a counter the last one before of each host. Empty if the window has no usage.
pub fn source_readings(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    window: Span,
) -> BTreeSet<usize> {
    let within = timeline.index_range(window);
    let is_carried = timeline.carried_reading(window, mapping.max_gap_us()).is_some()
        && (!within.is_empty() || mapping.carries_state());
    let carried = is_carried.then(|| within.start.checked_sub(1)).flatten();
    let is_counter = matches!(mapping.transformer, Transformer::Cumulative);
    let counted = within.clone().filter(|_| is_counter);
    let starts = counted.filter_map(|index| timeline.index_before_of_host(index));
    starts.chain(carried).chain(within.clone()).collect()
}

fn pieces<'t>(mapping: &'t Mapping, timeline: &'t Timeline<'_>, range: Span) -> Vec<Piece<'t>> {
    let input = Input { mapping, timeline, range };
    match &mapping.transformer {
        Transformer::Uptime { tracked_states } => uptime::pieces(&input, tracked_states),
        Transformer::Max { carry_over } => gauge::max(&input, *carry_over),
        Transformer::Average => gauge::average(&input),
        Transformer::Sum => counter::sum(&input),
        Transformer::Cumulative => counter::cumulative(&input),
        Transformer::StorageMax { carry_over, .. } => gauge::storage_max(&input, *carry_over),
        Transformer::NetworkService { carry_over } => gauge::network_service(&input, *carry_over),
        Transformer::FromImage { carry_over, image_keys, none_values, size_keys } => {
            image::pieces(&input, *carry_over, &image::Keys { image_keys, none_values, size_keys })
        }
        Transformer::Count { carry_over } => gauge::count(&input, *carry_over),
    }
}
