//! `sum` and `cumulative`: increases. An increase belongs to the window of the reading that reports it.

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::exact::Volume;
use crate::billing::reading::Reading;

/// Returns the volumes themselves.
pub(super) fn sum<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    increases(input, |reading| Volume::of(reading.volume))
}

/// Returns the difference of each reading to the one before, at any distance. The first reading of all
/// only sets the counter's start.
pub(super) fn cumulative<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    increases(input, |reading| match input.timeline.before(reading.at) {
        None => Volume::default(),
        Some(before) if reading.volume < before.volume => increase_since_restart(reading),
        Some(before) => Volume::of(reading.volume).minus(&Volume::of(before.volume)),
    })
}

/// Returns the increase of a counter that went back: it restarted from 0. A negative volume is not a
/// counter's, and counts as zero.
fn increase_since_restart(reading: &Reading<'_>) -> Volume {
    if reading.volume.is_sign_negative() { Volume::default() } else { Volume::of(reading.volume) }
}

fn increases<'t>(
    input: &Input<'t, '_>,
    increase: impl Fn(&Reading<'_>) -> Volume,
) -> Vec<Piece<'t>> {
    input
        .timeline
        .within(input.range)
        .iter()
        .filter(|reading| input.passes(reading))
        .map(|reading| Piece {
            service: input.service(),
            type_id: None,
            consumption: Consumption::Increase(reading.at, increase(reading)),
        })
        .collect()
}
