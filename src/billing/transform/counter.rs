//! `sum` and `cumulative`: increases. An increase belongs to the window of the reading that reports it.

use rust_decimal::Decimal;

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::exact::Volume;

/// Returns the volumes themselves.
pub(super) fn sum<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    increases(input, |index| Volume::of(input.timeline.readings()[index].volume))
}

/// Returns the difference of each reading to the one before of the same host, at any distance. The first
/// reading of a host only sets its counter's start.
pub(super) fn cumulative<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    let readings = input.timeline.readings();
    increases(input, |index| {
        let volume = readings[index].volume;
        let before = input.timeline.index_before_of_host(index).map(|before| &readings[before]);
        // No counter has a negative volume: it is shown as it is, and the counter goes on from 0.
        let before = before.map(|before| before.volume.max(Decimal::ZERO));
        match before {
            _ if volume < Decimal::ZERO => Volume::of(volume),
            None => Volume::default(),
            // A counter that went back restarted from 0.
            Some(before) if volume < before => Volume::of(volume),
            Some(before) => Volume::of(volume).minus(&Volume::of(before)),
        }
    })
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
