//! `sum` and `cumulative`: what increased. An increase belongs to the window in which it is told.

use super::{All, Piece, Used};
use crate::billing::exact::Volume;
use crate::billing::reading::Reading;

pub(super) fn sum<'t>(all: &All<'t, '_>) -> Vec<Piece<'t>> {
    told(all, |reading| Volume::of(reading.volume))
}

/// The difference to the reading before, at any distance; the first of all only says where the
/// counter stands.
pub(super) fn cumulative<'t>(all: &All<'t, '_>) -> Vec<Piece<'t>> {
    told(all, |reading| match all.timeline.before(reading.at) {
        None => Volume::default(),
        Some(before) if reading.volume < before.volume => restarted(reading),
        Some(before) => Volume::of(reading.volume).minus(&Volume::of(before.volume)),
    })
}

/// A counter that goes back began anew, from 0. (Below that it is no counter.)
fn restarted(reading: &Reading<'_>) -> Volume {
    if reading.volume.is_sign_negative() { Volume::default() } else { Volume::of(reading.volume) }
}

fn told<'t>(all: &All<'t, '_>, increase: impl Fn(&Reading<'_>) -> Volume) -> Vec<Piece<'t>> {
    all.timeline
        .within(all.range)
        .iter()
        .filter(|reading| all.passes(reading))
        .map(|reading| Piece {
            service: all.service(),
            used: Used::Once(reading.at, increase(reading)),
        })
        .collect()
}
