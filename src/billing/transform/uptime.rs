//! `uptime`: the time an instance was in a state that is billed, per flavor.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::metadata::Metadata;
use crate::billing::reading::Reading;

/// The meter whose volume is the code of a state.
const STATE_METER: &str = "state";

/// The states by their codes, from 1.
const STATES: [&str; 12] = [
    "active",
    "building",
    "paused",
    "suspended",
    "stopped",
    "rescued",
    "resized",
    "soft_deleted",
    "deleted",
    "error",
    "shelved",
    "shelved_offloaded",
];

const STATE_KEYS: [&str; 2] = ["status", "state"];
const FLAVOR_KEYS: [&str; 4] = ["flavor.name", "instance_type", "flavor.id", "instance_flavor_id"];

/// Returns the times of tracked states. The flavor and state of a sample hold from its time on.
pub(super) fn pieces<'t>(input: &Input<'t, '_>, tracked: &BTreeSet<String>) -> Vec<Piece<'t>> {
    input
        .timeline
        .states(input.range, input.mapping.max_gap_us())
        .filter(|state| input.passes(state.reading))
        .filter(|state| {
            state_name(&input.mapping.meter, state.reading)
                .is_some_and(|name| tracked.contains(&name.trim().to_lowercase()))
        })
        .map(|state| Piece {
            service: state.reading.metadata.and_then(flavor).unwrap_or_else(|| input.service()),
            type_id: None,
            consumption: Consumption::Duration(state.span),
        })
        .collect()
}

/// Returns the state in the metadata; else, of the meter `state`, the state of the volume's code.
fn state_name<'r>(meter: &str, reading: &'r Reading<'_>) -> Option<Cow<'r, str>> {
    let named = reading.metadata.and_then(|metadata| metadata.first(&STATE_KEYS));
    named.or_else(|| (meter == STATE_METER).then(|| decode_state(reading.volume)).flatten())
}

fn decode_state(volume: Decimal) -> Option<Cow<'static, str>> {
    let code = volume.is_integer().then(|| volume.to_usize())??;
    STATES.get(code.checked_sub(1)?).map(|state| Cow::Borrowed(*state))
}

fn flavor(metadata: &Metadata) -> Option<Cow<'_, str>> {
    metadata.first(&FLAVOR_KEYS)
}
