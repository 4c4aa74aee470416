//! `uptime`: the time an instance was in a state that is billed, per flavor.
//!
//! Readings of the mapping's meter show that the instance is measured. Its state and flavor come from the
//! readings of all its meters: a reading that reports no state changes nothing of a state that holds, and
//! one that reports no flavor changes nothing of the flavor. Where no reported state holds, a reading without
//! one repeats the last one within reach; without any, an instance that was launched is active.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::mapping::Mapping;
use crate::billing::metadata::Metadata;
use crate::billing::reading::{Reading, Timeline};
use crate::billing::state::{self, Word};
use crate::billing::transform::UNKNOWN_STATE;
use crate::billing::window::{Span, later};

/// The meter whose volume is the code of a state.
const STATE_METER: &str = "state";

/// How a state is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The instance is in one of the states that are billed.
    Tracked,
    /// It is in another state.
    Untracked,
    /// Its state is unknown; with the word that nobody is known to use, if its samples contain one.
    Unknown(Option<String>),
}

/// Returns the times of tracked and of unknown states; and how much of a part of the range has a known state,
/// in microseconds.
pub(super) fn pieces<'t>(
    input: &Input<'t, '_>,
    tracked: &BTreeSet<String>,
    part: Span,
) -> (Vec<Piece<'t>>, i64) {
    let mapping = input.mapping;
    let gaps = Gaps { max_gap_us: mapping.max_gap_us(), audit_gap_us: mapping.audit_gap_us() };
    let readings = readings_of_all_meters(input);
    let mut evidence = Evidence::default();
    let (mut pieces, mut covered_us) = (Vec::new(), 0);
    for (index, (meter, reading)) in readings.iter().enumerate() {
        evidence.add(input, tracked, gaps, meter, reading);
        let next = readings.get(index + 1).map_or(Timestamp::MAX, |(_, next)| next.at);
        let until_next = Span::new(reading.at, next).and_then(|span| span.clip(input.range));
        let Some((state, span)) = until_next.and_then(|span| evidence.state(gaps, span)) else {
            continue;
        };
        for span in input.held(span) {
            if !matches!(state, State::Unknown(_)) {
                covered_us += span.clip(part).map_or(0, |span| span.us());
            }
            let mut add = |service, span| {
                let consumption = Consumption::Duration(span);
                pieces.push(Piece { service, type_id: None, consumption });
            };
            match state {
                State::Untracked => {}
                State::Unknown(None) => add(UNKNOWN_STATE.into(), span),
                State::Unknown(Some(word)) => add(format!("{UNKNOWN_STATE}.{word}").into(), span),
                State::Tracked => {
                    let (known, rest) = evidence.flavor(gaps, span);
                    if let Some((flavor, span)) = known {
                        add(flavor, span);
                    }
                    if let Some(span) = rest {
                        add(input.service(), span);
                    }
                }
            }
        }
    }
    (pieces, covered_us)
}

/// The ways in which a reading can matter to `uptime`.
#[derive(Clone, Copy)]
enum Role {
    /// It shows that the instance is measured.
    Measure,
    State,
    Flavor,
}

const ROLES: [Role; 3] = [Role::Measure, Role::State, Role::Flavor];

impl Role {
    /// Whether the reading has the role. A reading that reports an end has none.
    fn is_of(self, mapping: &Mapping, meter: &str, reading: &Reading<'_>) -> bool {
        let has = |is_there: fn(&Metadata) -> bool| reading.metadata.is_some_and(is_there);
        reading.ended_at().is_none()
            && match self {
                Role::Measure => meter == mapping.meter && mapping.filter.applies(reading.metadata),
                Role::State => {
                    meter == STATE_METER || has(|it| it.status().or(it.state()).is_some())
                }
                Role::Flavor => has(|it| it.flavor().is_some()),
            }
    }
}

/// Whether a reading of another meter can matter at all: it reports a state, a flavor, that the instance
/// was launched, or its end.
pub(super) fn is_evidence(mapping: &Mapping, meter: &str, reading: &Reading<'_>) -> bool {
    reading.ended_at().is_some()
        || ROLES.iter().any(|role| role.is_of(mapping, meter, reading))
        || reading.metadata.is_some_and(Metadata::is_launched)
}

/// Returns the time after `at` from which on no reading up to `at` matters: by then the instance was measured
/// again, and state and flavor were reported again. `None`: that is not within reach.
pub(super) fn next_known(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    at: Timestamp,
) -> Option<Timestamp> {
    let after = Span { from: later(at, 1), to: later(at, mapping.reach_us()) };
    let own = timeline.within(after);
    let others = &timeline.others()[timeline.other_range(after)];
    let first = |role: Role| {
        let own = own.iter().find(|reading| role.is_of(mapping, &mapping.meter, reading));
        let other = others.iter().find(|other| role.is_of(mapping, other.meter, &other.reading));
        own.map(|reading| reading.at).into_iter().chain(other.map(|other| other.reading.at)).min()
    };
    let times: Option<Vec<Timestamp>> = ROLES.iter().map(|role| first(*role)).collect();
    times?.into_iter().max()
}

/// Returns the time of the earliest reading, at most `at`, that can matter from `at` on; `None`: all within
/// reach can.
pub(super) fn last_known(
    mapping: &Mapping,
    timeline: &Timeline<'_>,
    at: Timestamp,
) -> Option<Timestamp> {
    let before = Span { from: later(at, 1 - mapping.reach_us()), to: later(at, 1) };
    let own = timeline.within(before);
    let others = &timeline.others()[timeline.other_range(before)];
    let last = |role: Role| {
        let own = own.iter().rfind(|reading| role.is_of(mapping, &mapping.meter, reading));
        let other = others.iter().rfind(|other| role.is_of(mapping, other.meter, &other.reading));
        own.map(|reading| reading.at).into_iter().chain(other.map(|other| other.reading.at)).max()
    };
    let times: Option<Vec<Timestamp>> = ROLES.iter().map(|role| last(*role)).collect();
    times?.into_iter().min()
}

/// Returns the readings of all meters that can matter in the range and report no end, by time and meter.
fn readings_of_all_meters<'t, 'a>(input: &Input<'t, 'a>) -> Vec<(&'t str, &'t Reading<'a>)> {
    let Input { mapping, timeline, range, .. } = input;
    let near = Span { from: later(range.from, -mapping.reach_us()), to: range.to };
    let own = timeline.within(near).iter().map(|reading| (mapping.meter.as_str(), reading));
    let others = &timeline.others()[timeline.other_range(near)];
    let others = others.iter().map(|other| (other.meter, &other.reading));
    let mut all: Vec<_> =
        own.chain(others).filter(|(_, reading)| reading.ended_at().is_none()).collect();
    all.sort_by_key(|(meter, reading)| (reading.at, *meter));
    all
}

/// How long evidence holds, in microseconds.
#[derive(Clone, Copy)]
struct Gaps {
    /// Of a reading that reports a state.
    max_gap_us: i64,
    /// Of one that reports none, and of the flavor.
    audit_gap_us: i64,
}

/// What the readings up to some time show of the instance.
#[derive(Default)]
struct Evidence<'t> {
    /// The last reading of the mapping's meter.
    measured: Option<Timestamp>,
    /// The last state that was reported.
    reported: Option<(Timestamp, State)>,
    /// The state that a reading without one repeats or lets infer, if no reported state held then.
    repeated: Option<(Timestamp, State)>,
    flavor: Option<(Timestamp, &'t str)>,
}

impl<'t> Evidence<'t> {
    /// Adds the next reading.
    fn add<'a: 't>(
        &mut self,
        input: &Input<'t, 'a>,
        tracked: &BTreeSet<String>,
        gaps: Gaps,
        meter: &str,
        reading: &'t Reading<'a>,
    ) {
        let is_own = meter == input.mapping.meter;
        if is_own && input.mapping.filter.applies(reading.metadata) {
            self.measured = input.passes(reading).then_some(reading.at);
        }
        if let Some(flavor) = reading.metadata.and_then(Metadata::flavor) {
            self.flavor = Some((reading.at, flavor));
        }
        if let Some(state) = reported_state(meter, reading, tracked) {
            self.reported = Some((reading.at, state));
            self.repeated = None;
            return;
        }
        if self.reported.as_ref().is_some_and(|(at, _)| later(*at, gaps.max_gap_us) > reading.at) {
            return;
        }
        let is_launched = reading.metadata.is_some_and(Metadata::is_launched);
        let is_recent = |at: &Timestamp| later(*at, gaps.audit_gap_us) > reading.at;
        let last = self.reported.as_ref().filter(|(at, _)| is_recent(at));
        let state = match last {
            Some((_, state)) => state.clone(),
            None if is_launched => match tracked.contains(state::ACTIVE) {
                true => State::Tracked,
                false => State::Untracked,
            },
            // A reading that shows nothing does not replace one that shows more.
            None if !is_own || self.repeated.as_ref().is_some_and(|(at, _)| is_recent(at)) => {
                return;
            }
            None => State::Unknown(None),
        };
        if last.is_some() && !is_launched && !is_own {
            return;
        }
        self.repeated = Some((reading.at, state));
    }

    /// Returns the state of the instance from the beginning of the span on, which lies before the next
    /// reading, and for how much of it the state holds.
    fn state(&self, gaps: Gaps, span: Span) -> Option<(&State, Span)> {
        let measured_to = later(self.measured?, gaps.audit_gap_us);
        let (state, held_to) = match (&self.repeated, &self.reported) {
            (Some((at, state)), _) => (state, later(*at, gaps.audit_gap_us)),
            (None, Some((at, state))) => (state, later(*at, gaps.max_gap_us)),
            (None, None) => return None,
        };
        Some((state, Span::new(span.from, span.to.min(measured_to).min(held_to))?))
    }

    /// Returns the flavor and the part of the span for which it is known, and the rest of the span.
    fn flavor(&self, gaps: Gaps, span: Span) -> (Option<(Cow<'t, str>, Span)>, Option<Span>) {
        let Some((at, flavor)) = &self.flavor else { return (None, Some(span)) };
        let known_to = later(*at, gaps.audit_gap_us).clamp(span.from, span.to);
        let known = Span::new(span.from, known_to).map(|span| (Cow::Borrowed(*flavor), span));
        (known, Span::new(known_to, span.to))
    }
}

/// Returns the state that the metadata reports; else, of the meter `state`, the one of the volume's code.
fn reported_state(meter: &str, reading: &Reading<'_>, tracked: &BTreeSet<String>) -> Option<State> {
    let status = reading.metadata.and_then(Metadata::status);
    let vm_state = reading.metadata.and_then(Metadata::state);
    let is_known = |word: &&Word| word.is_known || tracked.contains(&word.canonical);
    let by_status = status.filter(|word| !word.is_coarse).filter(is_known);
    let found = by_status.or(vm_state.filter(is_known)).or(status.filter(is_known));
    match (found, status.or(vm_state)) {
        (Some(found), _) if tracked.contains(&found.canonical) => Some(State::Tracked),
        (Some(_), _) => Some(State::Untracked),
        (None, Some(word)) => Some(State::Unknown(Some(word.canonical.clone()))),
        (None, None) if meter == STATE_METER => Some(decode_state(reading.volume, tracked)),
        (None, None) => None,
    }
}

fn decode_state(volume: Decimal, tracked: &BTreeSet<String>) -> State {
    let code = volume.is_integer().then(|| volume.to_usize()).flatten();
    match code.and_then(state::vm_state_of_code) {
        Some(vm_state) if tracked.contains(vm_state) => State::Tracked,
        Some(_) => State::Untracked,
        None => State::Unknown(Some(volume.normalize().to_string())),
    }
}
