//! Readings: the samples of one resource and meter that count, in the order of their times.

use std::ops::Range;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::metadata::Metadata;
use super::window::{Span, later};

/// A sample that counts: trusted, and the one chosen among the samples of its identity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<'a> {
    /// The time of the measurement.
    pub at: Timestamp,
    /// The measured value.
    pub volume: Decimal,
    /// The sample's metadata. Borrowed, because many samples share the same metadata, which is parsed once.
    pub metadata: Option<&'a Metadata>,
    /// Whether it is an increase: a sample of type delta.
    pub is_increase: bool,
    /// The sample's own id.
    pub message_id: &'a str,
}

impl Reading<'_> {
    /// Returns the part of a reading's identity that distinguishes it from the others of its resource and
    /// meter: its time, and the volume of an increase.
    fn key(&self) -> (Timestamp, Option<Decimal>) {
        (self.at, self.is_increase.then_some(self.volume))
    }
}

/// The readings of one resource and meter that matter for a span of time: those within it and the
/// last one before it. Sorted by time, at most one of each time; but every increase counts, so several of
/// different volumes may have one time, the greatest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline<'a>(Vec<Reading<'a>>);

/// A reading and the time for which its state holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State<'t, 'a> {
    pub(super) span: Span,
    pub(super) reading: &'t Reading<'a>,
}

impl<'a> Timeline<'a> {
    /// Creates a timeline of readings given in any order. Of several readings of one time, and of one
    /// volume if they are increases, the one with the smallest `message_id` counts, as among samples of one
    /// identity.
    pub fn new(mut readings: Vec<Reading<'a>>) -> Self {
        let order = |r: &Reading<'a>| (r.key(), r.message_id, r.volume);
        readings.sort_by(|a, b| order(a).cmp(&order(b)));
        readings.dedup_by_key(|reading| reading.key());
        Timeline(readings)
    }

    /// All readings, earliest first.
    pub fn readings(&self) -> &[Reading<'a>] {
        &self.0
    }

    /// Returns the readings of one time.
    pub fn at(&self, at: Timestamp) -> &[Reading<'a>] {
        let first = self.count_before(at);
        let last = self.0.partition_point(|reading| reading.at <= at);
        &self.0[first..last]
    }

    /// Returns the readings within the span.
    pub(super) fn within(&self, span: Span) -> &[Reading<'a>] {
        &self.0[self.index_range(span)]
    }

    /// Returns the indexes of the readings within the span.
    pub(super) fn index_range(&self, span: Span) -> Range<usize> {
        let first = self.count_before(span.from);
        first..self.count_before(span.to).max(first)
    }

    /// Returns the last reading before the time.
    pub(super) fn before(&self, at: Timestamp) -> Option<&Reading<'a>> {
        self.count_before(at).checked_sub(1).map(|index| &self.0[index])
    }

    /// Returns the reading whose state holds at the start of the span; `None` if that state is unknown
    /// or begins exactly there.
    pub(super) fn carried_reading(&self, span: Span, max_gap_us: i64) -> Option<&Reading<'a>> {
        let before = self.before(span.from)?;
        let is_replaced =
            self.0.get(self.count_before(span.from)).is_some_and(|r| r.at == span.from);
        (!is_replaced && later(before.at, max_gap_us) > span.from).then_some(before)
    }

    /// Returns the known states within the span: each reading's state holds until the next reading, for
    /// at most `max_gap_us`. Unknown times are left out.
    pub(super) fn states<'t>(
        &'t self,
        span: Span,
        max_gap_us: i64,
    ) -> impl Iterator<Item = State<'t, 'a>> {
        let first = self.count_before(span.from).saturating_sub(1);
        let last = self.count_before(span.to).max(first);
        (first..last).filter_map(move |index| {
            let reading = &self.0[index];
            let end = later(reading.at, max_gap_us);
            let end = self.0.get(index + 1).map_or(end, |next| next.at.min(end));
            let span = Span::new(reading.at, end)?.clip(span)?;
            Some(State { span, reading })
        })
    }

    /// Returns how much of the span has a known state, in microseconds.
    pub(super) fn covered_us(&self, span: Span, max_gap_us: i64) -> i64 {
        self.states(span, max_gap_us).map(|state| state.span.us()).sum()
    }

    /// Returns the number of readings before the time.
    fn count_before(&self, at: Timestamp) -> usize {
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
        let volume = Decimal::ONE;
        Reading { at: at(minute), volume, metadata: None, is_increase: false, message_id }
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
    fn increases_of_one_time_and_different_volumes_all_count() {
        let increase = |volume: i64, message_id| Reading {
            volume: Decimal::from(volume),
            is_increase: true,
            ..reading(5, message_id)
        };
        let readings = vec![increase(4, "b"), increase(1, "a"), increase(4, "c"), reading(5, "d")];
        let timeline = Timeline::new(readings);
        let ids: Vec<&str> = timeline.at(at(5)).iter().map(|r| r.message_id).collect();
        assert_eq!(ids, ["d", "a", "b"]);
        assert_eq!(timeline.before(at(6)).map(|r| r.message_id), Some("b"));
    }

    #[test]
    fn a_state_holds_until_the_next_reading_and_no_longer_than_the_gap() {
        let timeline = Timeline::new(vec![reading(-10, ""), reading(20, ""), reading(200, "")]);
        let spans: Vec<Span> =
            timeline.states(span(0, 180), GAP_US).map(|state| state.span).collect();
        assert_eq!(spans, [span(0, 20), span(20, 80)]);
        assert_eq!(timeline.covered_us(span(0, 180), GAP_US), 80 * 60_000_000);
        assert_eq!(timeline.covered_us(span(90, 180), GAP_US), 0);
    }

    #[test]
    fn a_state_is_carried_into_a_span_that_does_not_begin_with_a_reading() {
        let timeline = Timeline::new(vec![reading(0, ""), reading(60, "")]);
        let carried = |from| timeline.carried_reading(span(from, from + 1), GAP_US).map(|r| r.at);
        assert_eq!(carried(30), Some(at(0)));
        assert_eq!(carried(60), None);
        assert_eq!(carried(119), Some(at(60)));
        assert_eq!(carried(120), None);
        assert_eq!(carried(0), None);
    }

    #[test]
    fn a_reading_at_an_edge_belongs_to_the_span_that_follows() {
        let timeline = Timeline::new(vec![reading(0, ""), reading(60, "")]);
        assert_eq!(timeline.within(span(0, 60)).len(), 1);
        assert_eq!(timeline.within(span(60, 61)).len(), 1);
        assert_eq!(timeline.within(span(1, 2)).len(), 0);
    }
}
