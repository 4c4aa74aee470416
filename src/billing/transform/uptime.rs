//! `uptime`: the time an instance was in a state that is billed, per flavor.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::metadata::Metadata;
use crate::billing::reading::Reading;
use crate::billing::state;
use crate::billing::transform::UNKNOWN_STATE;

/// The meter whose volume is the code of a state.
const STATE_METER: &str = "state";

const STATUS_KEY: &str = "status";
const STATE_KEY: &str = "state";
const FLAVOR_KEYS: [&str; 4] = ["flavor.name", "instance_type", "flavor.id", "instance_flavor_id"];

/// How a state is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The instance is in one of the states that are billed.
    Tracked,
    /// It is in another state.
    Untracked,
    /// Its state is unknown, with the word that nobody is known to use.
    Unknown(String),
}

/// Returns the times of tracked and of unknown states. The flavor and state of a sample hold from its time
/// on.
pub(super) fn pieces<'t>(input: &Input<'t, '_>, tracked: &BTreeSet<String>) -> Vec<Piece<'t>> {
    input
        .timeline
        .states(input.range, input.mapping.max_gap_us())
        .filter(|state| input.passes(state.reading))
        .filter_map(|state| {
            let service = match reported_state(&input.mapping.meter, state.reading, tracked)? {
                State::Tracked => {
                    state.reading.metadata.and_then(flavor).unwrap_or_else(|| input.service())
                }
                State::Untracked => return None,
                State::Unknown(word) => format!("{UNKNOWN_STATE}.{word}").into(),
            };
            let consumption = Consumption::Duration(state.span);
            Some(Piece { service, type_id: None, consumption })
        })
        .collect()
}

/// Returns the state that the metadata reports; else, of the meter `state`, the one of the volume's code.
fn reported_state(meter: &str, reading: &Reading<'_>, tracked: &BTreeSet<String>) -> Option<State> {
    let get = |key| reading.metadata.and_then(|metadata| metadata.get(key));
    let (status, vm_state) = (get(STATUS_KEY), get(STATE_KEY));
    let known = |word: &str| {
        let word = state::canonical(word);
        let is_known = tracked.contains(&word) || state::vm_state(&word).is_some();
        is_known.then_some(word)
    };
    let by_status = status.as_deref().filter(|word| !state::is_coarse(word)).and_then(known);
    let found = by_status
        .or_else(|| vm_state.as_deref().and_then(known))
        .or_else(|| status.as_deref().and_then(known));
    if let Some(found) = found {
        let is_tracked = tracked.contains(&found);
        return Some(if is_tracked { State::Tracked } else { State::Untracked });
    }
    match status.or(vm_state) {
        Some(word) => Some(State::Unknown(state::normalize(&word))),
        None if meter == STATE_METER => Some(decode_state(reading.volume, tracked)),
        None => None,
    }
}

fn decode_state(volume: Decimal, tracked: &BTreeSet<String>) -> State {
    let code = volume.is_integer().then(|| volume.to_usize()).flatten();
    match code.and_then(state::vm_state_of_code) {
        Some(vm_state) if tracked.contains(vm_state) => State::Tracked,
        Some(_) => State::Untracked,
        None => State::Unknown(volume.normalize().to_string()),
    }
}

fn flavor(metadata: &Metadata) -> Option<Cow<'_, str>> {
    metadata.first(&FLAVOR_KEYS)
}
