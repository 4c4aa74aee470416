//! The input of a transformer.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::is_evidence;
use super::piece::{Consumption, Piece};
use crate::billing::mapping::Mapping;
use crate::billing::reading::{Reading, State, Timeline};
use crate::billing::window::Span;

/// A mapping, its readings, and the whole windows for which usage is computed.
pub(super) struct Input<'t, 'a> {
    pub(super) mapping: &'t Mapping,
    pub(super) timeline: &'t Timeline<'a>,
    pub(super) range: Span,
    /// The spans in which the resource does not exist or is another project's.
    gone: Vec<Span>,
}

impl<'t, 'a> Input<'t, 'a> {
    /// Creates the input.
    pub(super) fn new(mapping: &'t Mapping, timeline: &'t Timeline<'a>, range: Span) -> Self {
        let gone = match mapping.is_counter() {
            true => Vec::new(),
            false => timeline.gone(range, mapping.reach_us(), |other| {
                is_evidence(mapping, other.meter, &other.reading)
            }),
        };
        Input { mapping, timeline, range, gone }
    }

    /// Returns the parts of the span in which the resource exists and is the tenant's.
    pub(super) fn held(&self, span: Span) -> Vec<Span> {
        span.without(&self.gone)
    }

    /// Returns the known states in a part of the range: of readings that report no end, while the resource
    /// is the tenant's.
    pub(super) fn states(&self, part: Span) -> impl Iterator<Item = State<'t, 'a>> {
        let states = self.timeline.states(part, self.mapping.max_gap_us());
        let is_state =
            |state: &State<'_, '_>| self.mapping.is_counter() || state.reading.ended_at().is_none();
        states.filter(is_state).flat_map(|state| {
            let held = self.held(state.span).into_iter();
            held.map(move |span| State { span, ..state })
        })
    }

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
        self.range.windows().filter_map(move |window| {
            let carried = carry_over.then(|| self.carried(window)).flatten();
            let within = self.timeline.within(window).iter();
            let within = within.filter(|reading| self.is_level(reading));
            let readings: Vec<_> = carried.into_iter().chain(within).collect();
            (!readings.is_empty()).then_some((window, readings))
        })
    }

    /// Returns the reading that counts whose state holds at the start of a window.
    pub(super) fn carried(&self, window: Span) -> Option<&'t Reading<'a>> {
        let is_gone = self.gone.iter().any(|gone| gone.contains(window.from));
        let carried = self.timeline.carried_reading(window, self.mapping.max_gap_us());
        carried.filter(|reading| !is_gone && self.is_level(reading))
    }

    /// Whether the reading counts and reports no end.
    fn is_level(&self, reading: &Reading<'a>) -> bool {
        reading.ended_at().is_none() && self.passes(reading)
    }

    /// Returns the pieces of each window: the service and the number of units that `measure` computes
    /// from the window's readings, held for the length of the window, as far as the resource exists and
    /// is the tenant's.
    pub(super) fn per_window(
        &self,
        carry_over: bool,
        measure: impl Fn(&[&'t Reading<'a>]) -> Option<(Cow<'t, str>, Decimal)>,
    ) -> Vec<Piece<'t>> {
        let pieces = |(window, readings): (Span, Vec<_>)| {
            let (service, units) = measure(&readings)?;
            Some(self.levels(window, service, None, units))
        };
        self.windows(carry_over).filter_map(pieces).flatten().collect()
    }

    /// Returns the pieces of a window: the number of units, as far as the resource exists and is the
    /// tenant's.
    pub(super) fn levels(
        &self,
        window: Span,
        service: Cow<'t, str>,
        type_id: Option<Cow<'t, str>>,
        units: Decimal,
    ) -> Vec<Piece<'t>> {
        let piece = |held| Piece {
            service: service.clone(),
            type_id: type_id.clone(),
            consumption: Consumption::Level(held, units),
        };
        self.held(window).into_iter().map(piece).collect()
    }
}
