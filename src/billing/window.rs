//! Spans of time, the hourly windows in them, and the windows that a reading can change.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::exact::HOUR_US;
use super::mapping::{Mapping, Transformer};

/// A half-open span of time: from one time up to, but not including, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first time of the span.
    pub from: Timestamp,
    /// The first time after the span.
    pub to: Timestamp,
}

impl Span {
    /// Creates a span; `None` if `to` is not later than `from`.
    pub fn new(from: Timestamp, to: Timestamp) -> Option<Span> {
        (from < to).then_some(Span { from, to })
    }

    /// Returns the window that contains the time: an hour of UTC.
    pub fn hour_of(at: Timestamp) -> Span {
        let us = at.as_microsecond();
        let from = us - us.rem_euclid(HOUR_US);
        Span { from: timestamp(from), to: timestamp(from.saturating_add(HOUR_US)) }
    }

    /// The length in microseconds.
    pub fn us(&self) -> i64 {
        self.to.as_microsecond().saturating_sub(self.from.as_microsecond()).max(0)
    }

    /// Whether the time is within the span.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// Returns the time that both spans have in common.
    pub fn clip(&self, other: Span) -> Option<Span> {
        Span::new(self.from.max(other.from), self.to.min(other.to))
    }

    /// Returns the span of the whole windows that it contains a part of.
    pub fn whole_windows(&self) -> Span {
        // The last microsecond before the end is in the last window.
        let last = later(self.to, -1).max(self.from);
        Span { from: Span::hour_of(self.from).from, to: Span::hour_of(last).to }
    }

    /// Returns the parts of the span that lie in none of the others, which are in order and apart.
    pub(super) fn without(self, others: &[Span]) -> Vec<Span> {
        let mut parts = Vec::new();
        let mut rest = Some(self);
        for other in others {
            let Some(span) = rest else { break };
            parts.extend(Span::new(span.from, span.to.min(other.from)));
            rest = Span::new(span.from.max(other.to), span.to);
        }
        parts.extend(rest);
        parts
    }

    /// Returns its windows in order. All are whole hours, except that the span may contain only a part of
    /// the first and of the last.
    pub fn windows(self) -> impl Iterator<Item = Span> {
        let mut rest = Span::new(self.from, self.to);
        std::iter::from_fn(move || {
            let span = rest?;
            let window = Span::hour_of(span.from).clip(span)?;
            rest = Span::new(window.to, span.to);
            Some(window)
        })
    }
}

/// Returns the timestamp, limited to the range of timestamps.
fn timestamp(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Returns the time `us` microseconds later.
pub(super) fn later(at: Timestamp, us: i64) -> Timestamp {
    timestamp(at.as_microsecond().saturating_add(us))
}

/// Sorts spans and joins those that touch or overlap.
pub fn join_spans(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

/// A reading that is new or replaces another: of a mapping's meter, of another meter of the resource, or of
/// the meter under another project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The reading's time.
    pub at: Timestamp,
    /// The end of the resource's life, if the reading reports it; the earliest time if that is not known.
    pub ended_at: Option<Timestamp>,
}

impl Change {
    /// Returns the earliest time at which it can change the state: the end that it reports counts, as far
    /// back as a state holds.
    fn earliest(&self, mapping: &Mapping) -> Timestamp {
        let earliest = later(self.at, -mapping.reach_us());
        self.ended_at.map_or(self.at, |ended_at| ended_at.max(earliest).min(self.at))
    }
}

/// Returns the windows whose usage can change with a reading. `next` is the time from which on the reading
/// does not matter any more, because later ones have replaced it, if there is such a time: for most
/// mappings that of the next reading of the series.
///
/// These are the reading's own window and the windows that its state reaches into: the state holds until
/// `next`, at most for the mapping's reach. The state before it, which the reading ends, would have held no
/// longer. The window of a counter's next reading is not among them.
pub fn affected_windows(
    mapping: &Mapping,
    change: Change,
    next: Option<Timestamp>,
) -> BTreeSet<Span> {
    let at = change.at;
    let held_to = later(at, mapping.reach_us());
    let held_to = next.filter(|next| *next > at).map_or(held_to, |next| next.min(held_to));
    let mut windows: BTreeSet<Span> = Span::new(change.earliest(mapping), held_to)
        .into_iter()
        .flat_map(|span| span.whole_windows().windows())
        .collect();
    windows.insert(Span::hour_of(at));
    windows
}

/// Returns the span from the start of the first to the end of the last window that a reading can change,
/// whenever the next reading follows. The window of a counter's next reading, which may be at any
/// distance, is not included.
pub fn reach(mapping: &Mapping, change: Change) -> Span {
    let held_to = later(change.at, mapping.reach_us());
    let last = Span::hour_of(later(held_to, -1));
    Span { from: Span::hour_of(change.earliest(mapping)).from, to: last.to }
}

/// Returns the earliest time from which a reading before a span counts in it; `None`: the last reading
/// before the span counts at any distance.
pub fn reach_back(mapping: &Mapping, span: Span) -> Option<Timestamp> {
    match mapping.transformer {
        Transformer::Cumulative => None,
        _ => Some(later(span.from, -mapping.reach_us())),
    }
}

/// Returns the span whose readings are needed to compute the usage of a span by any of the mappings, beside
/// the last one before it ([`reach_back`]): the states of `uptime` come from all readings within reach,
/// and a later reading may report that the resource ended.
pub fn evidence_span<'m>(mappings: impl IntoIterator<Item = &'m Mapping>, span: Span) -> Span {
    let mut needed = span;
    for mapping in mappings {
        if matches!(mapping.transformer, Transformer::Uptime { .. }) {
            needed.from = needed.from.min(later(span.from, -mapping.reach_us()));
        }
        if !mapping.is_counter() {
            needed.to = needed.to.max(later(span.to, mapping.reach_us()));
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    fn span(from: &str, to: &str) -> Span {
        Span::new(at(from), at(to)).unwrap()
    }

    #[test]
    fn windows_are_hours_of_utc_cut_at_the_edges() {
        let windows: Vec<Span> = span("09:30:00", "12:00:00").windows().collect();
        assert_eq!(
            windows,
            [
                span("09:30:00", "10:00:00"),
                span("10:00:00", "11:00:00"),
                span("11:00:00", "12:00:00")
            ]
        );
        assert_eq!(windows.iter().map(Span::us).sum::<i64>(), 9_000_000_000);
    }

    #[test]
    fn spans_are_half_open() {
        let span = span("10:00:00", "11:00:00");
        assert!(span.contains(at("10:00:00")) && !span.contains(at("11:00:00")));
        assert_eq!(Span::hour_of(at("10:59:59.999999")), span);
        assert_eq!(Span::new(span.to, span.to), None);
        assert_eq!(span.clip(Span::hour_of(span.to)), None);
    }

    #[test]
    fn a_span_reaches_into_whole_windows() {
        for (of, whole) in [
            (span("09:30:00", "12:15:00"), span("09:00:00", "13:00:00")),
            (span("09:00:00", "12:00:00"), span("09:00:00", "12:00:00")),
            (span("09:59:59.999999", "10:00:00"), span("09:00:00", "10:00:00")),
        ] {
            assert_eq!(of.whole_windows(), whole, "{of:?}");
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        assert!(Span::hour_of(Timestamp::MIN).us() >= 0);
        assert!(Span::hour_of(Timestamp::MAX).us() >= 0);
        assert_eq!(later(Timestamp::MAX, i64::MAX), Timestamp::MAX);
    }

    fn change(time: &str) -> Change {
        Change { at: at(time), ended_at: None }
    }

    fn hours(option: &str, from: &str, next: Option<&str>) -> Vec<String> {
        let mapping = Mapping::example(option);
        affected_windows(&mapping, change(from), next.map(at))
            .iter()
            .map(|window| window.from.to_string()[11..13].to_owned())
            .collect()
    }

    #[test]
    fn a_state_reaches_as_far_as_it_holds() {
        let average = "transformer = 'average'\nunit = 'x'";
        assert_eq!(hours(average, "10:20:00", None), ["10", "11"]);
        assert_eq!(hours(average, "10:00:00", None), ["10"]);
        assert_eq!(hours(average, "10:20:00", Some("10:40:00")), ["10"]);
        assert_eq!(hours(average, "10:20:00", Some("11:00:00")), ["10"]);
        assert_eq!(hours(average, "10:20:00", Some("13:00:00")), ["10", "11"]);
        let long = "transformer = 'average'\nunit = 'x'\nmax_gap_s = 7200";
        assert_eq!(hours(long, "10:20:00", None), ["10", "11", "12"]);
    }

    #[test]
    fn an_end_reaches_back_as_far_as_a_state_holds() {
        let count = Mapping::example("transformer = 'count'");
        let end = |ended_at| Change { at: at("12:20:00"), ended_at: Some(at(ended_at)) };
        assert_eq!(reach(&count, end("12:19:00")), span("12:00:00", "14:00:00"));
        assert_eq!(reach(&count, end("11:50:00")), span("11:00:00", "14:00:00"));
        assert_eq!(reach(&count, end("01:50:00")), span("11:00:00", "14:00:00"));
    }

    #[test]
    fn evidence_of_uptime_is_needed_on_both_sides() {
        let whole = span("10:00:00", "11:00:00");
        let uptime =
            Mapping::example("transformer = 'uptime'\nmax_gap_s = 900\naudit_gap_s = 1800");
        assert_eq!(evidence_span([&uptime], whole), span("09:00:00", "12:00:00"));
        let counter = Mapping::example("transformer = 'sum'\nunit = 'x'");
        assert_eq!(evidence_span([&counter], whole), whole);
    }

    #[test]
    fn a_span_without_others_is_its_remaining_parts() {
        let hour = span("10:00:00", "11:00:00");
        assert_eq!(hour.without(&[]), [hour]);
        let others = [span("09:00:00", "10:10:00"), span("10:20:00", "10:30:00")];
        assert_eq!(
            hour.without(&others),
            [span("10:10:00", "10:20:00"), span("10:30:00", "11:00:00")]
        );
        assert_eq!(hour.without(&[span("09:00:00", "12:00:00")]), []);
    }

    #[test]
    fn the_reach_of_a_reading_covers_every_window_it_affects() {
        let average = Mapping::example("transformer = 'average'\nunit = 'x'");
        assert_eq!(reach(&average, change("10:20:00")), span("10:00:00", "12:00:00"));
        assert_eq!(reach(&average, change("10:00:00")), span("10:00:00", "11:00:00"));
        assert_eq!(reach(&average, change("10:00:00.000001")), span("10:00:00", "12:00:00"));
    }
}
