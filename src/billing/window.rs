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

/// Returns the windows whose usage can change when a reading at the time `at` is added, removed or
/// changed. `next` is the time of the next reading of the same resource and meter; `next_of_hosts` are those of
/// the next readings of its host, and of the host of a reading that it replaces.
///
/// These are the reading's own window and the windows that its state reaches into: the state holds until
/// the next reading, for at most the mapping's `max_gap_s`. The state before it, which the reading ends,
/// would have held no longer. A counter's next reading of the same host measures the increase since this
/// one, so its window can change too.
pub fn affected_windows(
    mapping: &Mapping,
    at: Timestamp,
    next: Option<Timestamp>,
    next_of_hosts: impl IntoIterator<Item = Timestamp>,
) -> BTreeSet<Span> {
    let held_to = later(at, mapping.max_gap_us());
    let held_to = next.filter(|next| *next > at).map_or(held_to, |next| next.min(held_to));
    let mut windows: BTreeSet<Span> = Span::new(at, held_to)
        .into_iter()
        .flat_map(Span::windows)
        .map(|part| Span::hour_of(part.from))
        .collect();
    windows.insert(Span::hour_of(at));
    if matches!(mapping.transformer, Transformer::Cumulative) {
        windows.extend(next_of_hosts.into_iter().map(Span::hour_of));
    }
    windows
}

/// Returns the span from the start of the first to the end of the last window that a reading at the time
/// `at` can change, whenever the next reading follows. The window of a counter's next reading, which
/// may be at any distance, is not included.
pub fn reach(mapping: &Mapping, at: Timestamp) -> Span {
    let held_to = later(at, mapping.max_gap_us());
    let last = Span::hour_of(later(held_to, -1));
    Span { from: Span::hour_of(at).from, to: last.to }
}

/// Returns the earliest time from which a reading before a span counts in it; `None`: the last reading
/// before the span counts at any distance.
pub fn reach_back(mapping: &Mapping, span: Span) -> Option<Timestamp> {
    match mapping.transformer {
        Transformer::Cumulative => None,
        _ => Some(later(span.from, -mapping.max_gap_us())),
    }
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

    fn hours(option: &str, from: &str, next: Option<&str>) -> Vec<String> {
        let mapping = Mapping::example(option);
        affected_windows(&mapping, at(from), next.map(at), next.map(at))
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
    fn a_counter_also_changes_the_window_of_its_next_reading() {
        let counter = "transformer = 'cumulative'\nunit = 'byte'";
        assert_eq!(hours(counter, "10:20:00", Some("15:00:00")), ["10", "11", "15"]);
    }

    #[test]
    fn the_reach_of_a_reading_covers_every_window_it_affects() {
        let average = Mapping::example("transformer = 'average'\nunit = 'x'");
        assert_eq!(reach(&average, at("10:20:00")), span("10:00:00", "12:00:00"));
        assert_eq!(reach(&average, at("10:00:00")), span("10:00:00", "11:00:00"));
        assert_eq!(reach(&average, at("10:00:00.000001")), span("10:00:00", "12:00:00"));
    }
}
