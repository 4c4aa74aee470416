//! The input of a transformer.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::piece::{Consumption, Piece};
use crate::billing::mapping::Mapping;
use crate::billing::reading::{Reading, Timeline};
use crate::billing::window::Span;

/// A mapping, its readings, and the whole windows for which usage is computed.
pub(super) struct Input<'t, 'a> {
    pub(super) mapping: &'t Mapping,
    pub(super) timeline: &'t Timeline<'a>,
    pub(super) range: Span,
}

impl<'t, 'a> Input<'t, 'a> {
    /// The mapping's service.
    pub(super) fn service(&self) -> Cow<'t, str> {
        Cow::Borrowed(&self.mapping.service)
    }

    /// Whether the mapping counts the reading.
    pub(super) fn passes(&self, reading: &Reading<'a>) -> bool {
        self.mapping.filter.passes(reading.metadata)
    }

    /// Returns each window that has readings that count, with these readings, earliest first.
    pub(super) fn windows(
        &self,
        carry_over: bool,
    ) -> impl Iterator<Item = (Span, Vec<&'t Reading<'a>>)> {
        let (mapping, timeline) = (self.mapping, self.timeline);
        self.range.windows().filter_map(move |window| {
            let carried =
                carry_over.then(|| timeline.carried_reading(window, mapping.max_gap_us()));
            let readings: Vec<_> = carried
                .flatten()
                .into_iter()
                .chain(timeline.within(window))
                .filter(|reading| mapping.filter.passes(reading.metadata))
                .collect();
            (!readings.is_empty()).then_some((window, readings))
        })
    }

    /// Returns one piece for each window: the service and the number of units that `measure` computes
    /// from the window's readings, held for the length of the window.
    pub(super) fn per_window(
        &self,
        carry_over: bool,
        measure: impl Fn(&[&'t Reading<'a>]) -> Option<(Cow<'t, str>, Decimal)>,
    ) -> Vec<Piece<'t>> {
        let piece = |(window, readings): (Span, Vec<_>)| {
            let (service, units) = measure(&readings)?;
            Some(Piece { service, type_id: None, consumption: Consumption::Level(window, units) })
        };
        self.windows(carry_over).filter_map(piece).collect()
    }
}
