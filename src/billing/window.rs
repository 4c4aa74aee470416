//! Spans of time and the hourly windows in them; which windows a reading can change.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::exact::HOUR_US;
use super::mapping::{Mapping, Transformer};

/// The times from one on up to, not including, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first.
    pub from: Timestamp,
    /// The first that is not part of it.
    pub to: Timestamp,
}

impl Span {
    /// `None` when there is no time between them.
    pub fn new(from: Timestamp, to: Timestamp) -> Option<Span> {
        (from < to).then_some(Span { from, to })
    }

    /// The window that holds the time: an hour of UTC.
    pub fn hour_of(at: Timestamp) -> Span {
        let us = at.as_microsecond();
        let from = us - us.rem_euclid(HOUR_US);
        Span { from: time(from), to: time(from.saturating_add(HOUR_US)) }
    }

    /// Its length in microseconds.
    pub fn us(&self) -> i64 {
        self.to.as_microsecond().saturating_sub(self.from.as_microsecond()).max(0)
    }

    /// Whether it holds the time.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// What both have in common.
    pub fn clip(&self, other: Span) -> Option<Span> {
        Span::new(self.from.max(other.from), self.to.min(other.to))
    }

    /// Its windows, in order: whole ones, but for the first and the last, of which it may hold a
    /// part.
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

fn time(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The time so many microseconds later.
pub(super) fn later(at: Timestamp, us: i64) -> Timestamp {
    time(at.as_microsecond().saturating_add(us))
}

/// The windows whose usage can be another one, once a reading of that time is added, taken away or
/// changed. `next` is the time of the reading after it, of the same resource and meter.
///
/// Those are its own, and those that its state reaches into: it holds until the next reading, at
/// most for the mapping's `max_gap`, and ends the state before it, which would have held no longer.
/// The next reading of a counter tells the increase since this one.
pub fn touched(mapping: &Mapping, at: Timestamp, next: Option<Timestamp>) -> BTreeSet<Span> {
    let held_to = later(at, mapping.max_gap_us());
    let held_to = next.filter(|next| *next > at).map_or(held_to, |next| next.min(held_to));
    let mut windows: BTreeSet<Span> = Span::new(at, held_to)
        .into_iter()
        .flat_map(Span::windows)
        .map(|part| Span::hour_of(part.from))
        .collect();
    windows.insert(Span::hour_of(at));
    if matches!(mapping.transformer, Transformer::Cumulative) {
        windows.extend(next.map(Span::hour_of));
    }
    windows
}

/// From the start of the first to the end of the last of the windows that a reading of that time
/// can change, whichever readings follow it soon. A counter's next one, at any distance, is not
/// part of it.
pub fn reach(mapping: &Mapping, at: Timestamp) -> Span {
    let held_to = later(at, mapping.max_gap_us());
    let last = Span::hour_of(later(held_to, -1));
    Span { from: Span::hour_of(at).from, to: last.to }
}

/// The earliest time at which the last reading before a span counts in it; `None`: at any distance.
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
    fn the_ends_of_time_are_no_reason_to_panic() {
        assert!(Span::hour_of(Timestamp::MIN).us() >= 0);
        assert!(Span::hour_of(Timestamp::MAX).us() >= 0);
        assert_eq!(later(Timestamp::MAX, i64::MAX), Timestamp::MAX);
    }

    fn hours(option: &str, from: &str, next: Option<&str>) -> Vec<String> {
        let mapping = Mapping::example(option);
        touched(&mapping, at(from), next.map(at))
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
    fn a_reading_reaches_as_far_as_any_window_it_touches() {
        let average = Mapping::example("transformer = 'average'\nunit = 'x'");
        assert_eq!(reach(&average, at("10:20:00")), span("10:00:00", "12:00:00"));
        assert_eq!(reach(&average, at("10:00:00")), span("10:00:00", "11:00:00"));
        assert_eq!(reach(&average, at("10:00:00.000001")), span("10:00:00", "12:00:00"));
    }
}
