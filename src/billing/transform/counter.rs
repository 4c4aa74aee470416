//! `sum` and `cumulative`: increases. An increase belongs to the window of the reading that reports it.

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::exact::Volume;
use crate::billing::reading::Reading;

/// Returns the volumes themselves.
pub(super) fn sum<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    increases(input, |index| Volume::of(input.timeline.readings()[index].volume))
}

/// Returns the difference of each reading to the one before of the same host, at any distance. The first
/// reading of a host only sets its counter's start.
pub(super) fn cumulative<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    let readings = input.timeline.readings();
    increases(input, |index| {
        let reading = &readings[index];
        match input.timeline.index_before_of_host(index).map(|before| &readings[before]) {
            None => Volume::default(),
            Some(before) if reading.volume < before.volume => increase_since_restart(reading),
            Some(before) => Volume::of(reading.volume).minus(&Volume::of(before.volume)),
        }
    })
}

/// Returns the increase of a counter that went back: it restarted from 0. A negative volume is not a
/// counter's, and counts as zero.
fn increase_since_restart(reading: &Reading<'_>) -> Volume {
    if reading.volume.is_sign_negative() { Volume::default() } else { Volume::of(reading.volume) }
}

/// Returns the increase of each reading of the range that counts, given by its index.
fn increases<'t>(input: &Input<'t, '_>, increase: impl Fn(usize) -> Volume) -> Vec<Piece<'t>> {
    let readings = input.timeline.readings();
    input
        .timeline
        .index_range(input.range)
        .filter(|index| input.passes(&readings[*index]))
        .map(|index| Piece {
            service: input.service(),
            type_id: None,
            consumption: Consumption::Increase(readings[index].at, increase(index)),
        })
        .collect()
}
