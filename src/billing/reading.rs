//! The samples of one resource and meter, in the order of their times.

use std::ops::Range;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::metadata::Metadata;
use super::window::{Span, later};

/// One sample that counts: trusted, and the winner among those of its identity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<'a> {
    /// When it was measured.
    pub at: Timestamp,
    /// What was measured.
    pub volume: Decimal,
    /// What was told with it. Samples often tell the same: read once, lent to each.
    pub metadata: Option<&'a Metadata>,
    /// The sample's own id.
    pub message_id: &'a str,
}

/// All readings of one resource and meter that matter for some span of time: those in it, and the
/// last one before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline<'a>(Vec<Reading<'a>>);

/// A reading and the time for which it says how things stood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Held<'t, 'a> {
    pub(super) span: Span,
    pub(super) reading: &'t Reading<'a>,
}

impl<'a> Timeline<'a> {
    /// Readings in any order. Of several of one time the one with the smallest `message_id` counts,
    /// as among samples of one identity.
    pub fn new(mut readings: Vec<Reading<'a>>) -> Self {
        let order = |r: &Reading<'a>| (r.at, r.message_id, r.volume);
        readings.sort_by(|a, b| order(a).cmp(&order(b)));
        readings.dedup_by_key(|reading| reading.at);
        Timeline(readings)
    }

    /// All of them, earliest first.
    pub fn readings(&self) -> &[Reading<'a>] {
        &self.0
    }

    /// Those in the span.
    pub(super) fn within(&self, span: Span) -> &[Reading<'a>] {
        &self.0[self.indexes(span)]
    }

    /// Where those in the span stand.
    pub(super) fn indexes(&self, span: Span) -> Range<usize> {
        let first = self.index(span.from);
        first..self.index(span.to).max(first)
    }

    /// The last one before the time.
    pub(super) fn before(&self, at: Timestamp) -> Option<&Reading<'a>> {
        self.index(at).checked_sub(1).map(|index| &self.0[index])
    }

    /// The one whose state holds at the start of the span, if none is of that very time.
    pub(super) fn carried(&self, span: Span, max_gap_us: i64) -> Option<&Reading<'a>> {
        let before = self.before(span.from)?;
        let is_replaced = self.0.get(self.index(span.from)).is_some_and(|r| r.at == span.from);
        (!is_replaced && later(before.at, max_gap_us) > span.from).then_some(before)
    }

    /// How things stood in the span: each reading's state holds until the next, for `max_gap_us` at
    /// most. Times of which nothing is known are left out.
    pub(super) fn held<'t>(
        &'t self,
        span: Span,
        max_gap_us: i64,
    ) -> impl Iterator<Item = Held<'t, 'a>> {
        let first = self.index(span.from).saturating_sub(1);
        let last = self.index(span.to).max(first);
        (first..last).filter_map(move |index| {
            let reading = &self.0[index];
            let end = later(reading.at, max_gap_us);
            let end = self.0.get(index + 1).map_or(end, |next| next.at.min(end));
            let span = Span::new(reading.at, end)?.clip(span)?;
            Some(Held { span, reading })
        })
    }

    /// For how long it is known how things stood, in microseconds.
    pub(super) fn covered_us(&self, span: Span, max_gap_us: i64) -> i64 {
        self.held(span, max_gap_us).map(|held| held.span.us()).sum()
    }

    /// How many are earlier than the time.
    fn index(&self, at: Timestamp) -> usize {
        self.0.partition_point(|reading| reading.at < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP_US: i64 = 3_600_000_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_400 + minute * 60).unwrap()
    }

    fn reading(minute: i64, message_id: &'static str) -> Reading<'static> {
        Reading { at: at(minute), volume: Decimal::ONE, metadata: None, message_id }
    }

    fn span(from: i64, to: i64) -> Span {
        Span::new(at(from), at(to)).unwrap()
    }

    #[test]
    fn readings_are_put_in_order_and_each_time_counts_once() {
        let timeline = Timeline::new(vec![reading(5, "b"), reading(1, "c"), reading(5, "a")]);
        let ids: Vec<&str> = timeline.readings().iter().map(|r| r.message_id).collect();
        assert_eq!(ids, ["c", "a"]);
    }

    #[test]
    fn a_state_holds_until_the_next_reading_and_no_longer_than_the_gap() {
        let timeline = Timeline::new(vec![reading(-10, ""), reading(20, ""), reading(200, "")]);
        let held: Vec<Span> = timeline.held(span(0, 180), GAP_US).map(|held| held.span).collect();
        assert_eq!(held, [span(0, 20), span(20, 80)]);
        assert_eq!(timeline.covered_us(span(0, 180), GAP_US), 80 * 60_000_000);
        assert_eq!(timeline.covered_us(span(90, 180), GAP_US), 0);
    }

    #[test]
    fn a_state_is_carried_into_a_span_that_does_not_begin_with_a_reading() {
        let timeline = Timeline::new(vec![reading(0, ""), reading(60, "")]);
        let carried = |from| timeline.carried(span(from, from + 1), GAP_US).map(|r| r.at);
        assert_eq!(carried(30), Some(at(0)));
        assert_eq!(carried(60), None);
        assert_eq!(carried(119), Some(at(60)));
        assert_eq!(carried(120), None);
        assert_eq!(carried(0), None);
    }

    #[test]
    fn readings_at_the_edges_belong_to_what_follows() {
        let timeline = Timeline::new(vec![reading(0, ""), reading(60, "")]);
        assert_eq!(timeline.within(span(0, 60)).len(), 1);
        assert_eq!(timeline.within(span(60, 61)).len(), 1);
        assert_eq!(timeline.within(span(1, 2)).len(), 0);
    }
}
