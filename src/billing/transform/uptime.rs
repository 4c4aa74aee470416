//! `uptime`: for how long an instance was in a state that is billed, per flavor.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{All, Piece, Used};
use crate::billing::metadata::Metadata;
use crate::billing::reading::Reading;

/// The meter whose volume is a state.
const STATE_METER: &str = "state";

/// Its codes, from 1 on.
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

/// Each sample's flavor and state hold from its time on.
pub(super) fn pieces<'t>(all: &All<'t, '_>, tracked: &BTreeSet<String>) -> Vec<Piece<'t>> {
    all.timeline
        .held(all.range, all.mapping.max_gap_us())
        .filter(|held| all.passes(held.reading))
        .filter(|held| {
            state(&all.mapping.meter, held.reading)
                .is_some_and(|state| tracked.contains(&state.trim().to_lowercase()))
        })
        .map(|held| Piece {
            service: held.reading.metadata.and_then(flavor).unwrap_or_else(|| all.service()),
            used: Used::Time(held.span),
        })
        .collect()
}

fn state<'r>(meter: &str, reading: &'r Reading<'_>) -> Option<Cow<'r, str>> {
    let said = reading.metadata.and_then(|metadata| metadata.first(&STATE_KEYS));
    said.or_else(|| (meter == STATE_METER).then(|| coded(reading.volume)).flatten())
}

fn coded(volume: Decimal) -> Option<Cow<'static, str>> {
    let code = volume.is_integer().then(|| volume.to_usize())??;
    STATES.get(code.checked_sub(1)?).map(|state| Cow::Borrowed(*state))
}

fn flavor(metadata: &Metadata) -> Option<Cow<'_, str>> {
    metadata.first(&FLAVOR_KEYS)
}
