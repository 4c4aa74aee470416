//! Readings: the samples of one resource and meter that count, in the order of their times, and the other
//! evidence of the resource's state and of whose it is.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::metadata::Metadata;
use super::window::{Change, Span, join_spans, later};

/// How far ahead of the sample's own time its `deleted_at` may lie, in microseconds: the clocks of the two
/// machines that wrote them differ.
const CLOCK_DIFFERENCE_US: i64 = 3_600_000_000;

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

    /// Returns when the resource ended, not later than the reading itself; `None` if it exists. The last
    /// message of a resource's life is its end, and so is every message about it after that.
    pub fn ended_at(&self) -> Option<Timestamp> {
        ended_at(self.at, self.metadata?)
    }

    /// Returns the change that the reading is.
    pub fn change(&self) -> Change {
        Change { at: self.at, ended_at: self.ended_at() }
    }
}

/// Returns when the resource ended by the metadata of a sample; `None` if it exists.
pub fn ended_at(at: Timestamp, metadata: &Metadata) -> Option<Timestamp> {
    match metadata.deleted_at() {
        Some(deleted_at) if deleted_at <= later(at, CLOCK_DIFFERENCE_US) => {
            Some(deleted_at.min(at))
        }
        _ => metadata.reports_deletion().then_some(at),
    }
}

/// A reading of another meter of the same resource and tenant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtherReading<'a> {
    /// The meter's name.
    pub meter: &'a str,
    /// The reading.
    pub reading: Reading<'a>,
}

impl<'a> OtherReading<'a> {
    /// Returns what distinguishes it from the other readings of the resource: see [`Reading::key`].
    fn key(&self) -> (Timestamp, &'a str, Option<Decimal>) {
        let (at, increase) = self.reading.key();
        (at, self.meter, increase)
    }
}

/// The time of a reading of the same resource and meter under another project: from then on the resource
/// is that project's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignReading {
    /// The time of the measurement.
    pub at: Timestamp,
    /// Whether it counts after a reading of the tenant's own with the same time. Of two projects exactly
    /// one sees the other's reading so.
    pub is_last: bool,
}

/// The readings of one resource and meter that matter for a span of time: those within it and the
/// last one before it. Sorted by time, at most one of each time; but every increase counts, so several of
/// different volumes may have one time, the greatest last. Beside them the other evidence within reach of
/// the span: readings of the resource's other meters, and of other projects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline<'a> {
    readings: Vec<Reading<'a>>,
    others: Vec<OtherReading<'a>>,
    foreign: Vec<ForeignReading>,
}

/// The readings in which two timelines differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Of the meter itself.
    pub own: Vec<Change>,
    /// Of the resource's other meters.
    pub others: Vec<Change>,
    /// Of other projects.
    pub foreign: Vec<Change>,
    /// The hosts of the readings of the meter itself, now and before, with the times of these: the counters
    /// that change.
    pub hosts: BTreeSet<(Timestamp, String)>,
}

/// Returns the items of each list that the other one, sorted by the key, does not contain.
fn differing<T: Copy + PartialEq, K: Ord>(
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let missing = |items: &[T], from: &[T]| -> Vec<T> {
        let is_missing = |item: &&T| {
            let index = from.binary_search_by_key(&key(item), &key).ok();
            index.and_then(|index| from.get(index)) != Some(*item)
        };
        items.iter().filter(is_missing).copied().collect()
    };
    let mut all = missing(after, before);
    all.extend(missing(before, after));
    all
}

/// A sign that the resource exists and is the tenant's (`gone_from` is `None`), or that it is gone.
struct Sign {
    at: Timestamp,
    /// The order of the signs of one time.
    rank: u8,
    gone_from: Option<Timestamp>,
}

/// Returns the spans in which the resource is gone: from where a sign reports it until the next sign that
/// it exists, until the end of the hour into which `reach_us` after the last sign that it is gone reaches:
/// the volume of a gauge may be billed until then.
fn gone_spans(mut signs: Vec<Sign>, reach_us: i64) -> Vec<Span> {
    signs.sort_by_key(|sign| (sign.at, sign.rank));
    let mut spans = Vec::new();
    let mut current: Option<Span> = None;
    for sign in signs {
        let Some(from) = sign.gone_from else {
            spans
                .extend(current.take().and_then(|span| Span::new(span.from, span.to.min(sign.at))));
            continue;
        };
        let gone = Span { from, to: Span::hour_of(later(sign.at, reach_us - 1)).to };
        current = match current {
            Some(span) if from <= span.to => Some(Span { from: span.from.min(from), to: gone.to }),
            before => {
                spans.extend(before);
                Some(gone)
            }
        };
    }
    spans.extend(current);
    spans
}

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
        Timeline { readings, others: Vec::new(), foreign: Vec::new() }
    }

    /// Adds the evidence of the resource's other meters, at most one reading of each meter and time (but
    /// every increase), and of other projects.
    #[must_use]
    pub fn with_evidence(
        mut self,
        mut others: Vec<OtherReading<'a>>,
        mut foreign: Vec<ForeignReading>,
    ) -> Self {
        others.sort_by_key(OtherReading::key);
        foreign.sort_unstable();
        self.others = others;
        self.foreign = foreign;
        self
    }

    /// All readings, earliest first.
    pub fn readings(&self) -> &[Reading<'a>] {
        &self.readings
    }

    /// All readings of other meters, by time and meter.
    pub fn others(&self) -> &[OtherReading<'a>] {
        &self.others
    }

    /// All readings of other projects, by time.
    pub fn foreign(&self) -> &[ForeignReading] {
        &self.foreign
    }

    /// Returns the indexes of the other meters' readings within the span.
    pub(super) fn other_range(&self, span: Span) -> Range<usize> {
        let first = self.others.partition_point(|other| other.reading.at < span.from);
        first..self.others.partition_point(|other| other.reading.at < span.to).max(first)
    }

    /// Returns the indexes of the foreign readings within the span.
    pub(super) fn foreign_range(&self, span: Span) -> Range<usize> {
        let first = self.foreign.partition_point(|foreign| foreign.at < span.from);
        first..self.foreign.partition_point(|foreign| foreign.at < span.to).max(first)
    }

    /// Returns the spans around `span` in which the resource does not exist or is another project's, in
    /// order and apart. It comes back with the next reading of the tenant that does not report an end.
    /// An end or a foreign reading counts for the hours into which `reach_us` reaches: as long as any state
    /// before it could hold. Of the readings of other meters, those that fulfil `is_evidence` count.
    pub(super) fn gone(
        &self,
        span: Span,
        reach_us: i64,
        is_evidence: impl Fn(&OtherReading<'_>) -> bool,
    ) -> Vec<Span> {
        let around = Span { from: later(span.from, -reach_us), to: later(span.to, reach_us) };
        let own = self.within(around);
        let others = &self.others[self.other_range(around)];
        let foreign = &self.foreign[self.foreign_range(Span { to: span.to, ..around })];
        let is_quiet = |reading: &Reading<'_>| reading.ended_at().is_none();
        if foreign.is_empty()
            && own.iter().all(is_quiet)
            && others.iter().all(|other| is_quiet(&other.reading))
        {
            return Vec::new();
        }
        let others = others.iter().filter(|other| is_evidence(other)).map(|other| &other.reading);
        let ends = own.iter().chain(others).map(|reading| {
            let ended_at = reading.ended_at();
            let from = ended_at.map(|at| at.max(later(reading.at, -reach_us)));
            // An end counts after a reading of the same time.
            Sign { at: reading.at, rank: 1 + u8::from(from.is_some()), gone_from: from }
        });
        let mut all = gone_spans(ends.collect(), reach_us);
        if !foreign.is_empty() {
            let owns = own.iter().filter(|reading| is_quiet(reading));
            let owns = owns.map(|reading| Sign { at: reading.at, rank: 1, gone_from: None });
            let others = foreign.iter().map(|foreign| {
                let from = later(foreign.at, -reach_us);
                let to = if foreign.is_last { later(foreign.at, 1) } else { foreign.at };
                let is_given_away = own.iter().any(|own| from <= own.at && own.at < to);
                // The first owner in an hour has it from the hour's beginning.
                let hour = Span::hour_of(foreign.at).from;
                Sign {
                    at: foreign.at,
                    rank: 2 * u8::from(foreign.is_last),
                    gone_from: Some(if is_given_away { foreign.at } else { hour }),
                }
            });
            all.extend(gone_spans(owns.chain(others).collect(), reach_us));
        }
        join_spans(all)
    }

    /// Returns the readings in which another timeline differs from this one.
    pub fn changes_from(&self, before: &Timeline<'a>) -> Changes {
        let own = differing(&before.readings, &self.readings, Reading::key);
        let others = differing(&before.others, &self.others, OtherReading::key);
        let foreign = differing(&before.foreign, &self.foreign, |foreign| *foreign);
        let without_end = |foreign: &ForeignReading| Change { at: foreign.at, ended_at: None };
        Changes {
            own: own.iter().map(Reading::change).collect(),
            others: others.iter().map(|other| other.reading.change()).collect(),
            foreign: foreign.iter().map(without_end).collect(),
            hosts: own.iter().map(|reading| (reading.at, reading.host().to_owned())).collect(),
        }
    }

    /// Returns the readings of one time.
    pub fn at(&self, at: Timestamp) -> &[Reading<'a>] {
        let first = self.count_before(at);
        let last = self.readings.partition_point(|reading| reading.at <= at);
        &self.readings[first..last]
    }

    /// Returns the readings within the span.
    pub(super) fn within(&self, span: Span) -> &[Reading<'a>] {
        &self.readings[self.index_range(span)]
    }

    /// Returns the indexes of the readings within the span.
    pub(super) fn index_range(&self, span: Span) -> Range<usize> {
        let first = self.count_before(span.from);
        first..self.count_before(span.to).max(first)
    }

    /// Returns the last reading before the time.
    pub(super) fn before(&self, at: Timestamp) -> Option<&Reading<'a>> {
        self.count_before(at).checked_sub(1).map(|index| &self.readings[index])
    }

    /// Returns the first reading after the time.
    pub(super) fn after(&self, at: Timestamp) -> Option<&Reading<'a>> {
        self.readings.get(self.readings.partition_point(|reading| reading.at <= at))
    }

    /// Returns the time of the last reading before a time that reports no end.
    pub(super) fn last_owned(&self, at: Timestamp) -> Option<Timestamp> {
        let before = &self.readings[..self.count_before(at)];
        before.iter().rfind(|reading| reading.ended_at().is_none()).map(|reading| reading.at)
    }

    /// Returns the time of the first reading after a time that reports no end.
    pub(super) fn next_owned(&self, at: Timestamp) -> Option<Timestamp> {
        let after = &self.readings[self.readings.partition_point(|reading| reading.at <= at)..];
        after.iter().find(|reading| reading.ended_at().is_none()).map(|reading| reading.at)
    }

    /// Returns the reading whose state holds at the start of the span; `None` if that state is unknown
    /// or begins exactly there.
    pub(super) fn carried_reading(&self, span: Span, max_gap_us: i64) -> Option<&Reading<'a>> {
        let before = self.before(span.from)?;
        let is_replaced =
            self.readings.get(self.count_before(span.from)).is_some_and(|r| r.at == span.from);
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
            let reading = &self.readings[index];
            let end = later(reading.at, max_gap_us);
            let end = self.readings.get(index + 1).map_or(end, |next| next.at.min(end));
            let span = Span::new(reading.at, end)?.clip(span)?;
            Some(State { span, reading })
        })
    }

    /// Returns the number of readings before the time.
    fn count_before(&self, at: Timestamp) -> usize {
        self.readings.partition_point(|reading| reading.at < at)
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
        assert_eq!(timeline.states(span(90, 180), GAP_US).count(), 0);
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
