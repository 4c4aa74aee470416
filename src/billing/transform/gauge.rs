//! `max`, `average`, `storagemax`, `networkservice` and `count`: the level of a gauge.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::reading::Reading;

/// The status code of a network service that works.
const ACTIVE: Decimal = Decimal::ONE;

const VOLUME_TYPE_KEY: &str = "volume_type";

/// Returns the greatest volume of each window.
pub(super) fn max<'t>(input: &Input<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    input.per_window(carry_over, |readings| Some((input.service(), greatest(readings)?)))
}

/// Returns each volume, for as long as it held.
pub(super) fn average<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    input
        .timeline
        .states(input.range, input.mapping.max_gap_us())
        .filter(|state| input.passes(state.reading))
        .map(|state| Piece {
            service: input.service(),
            consumption: Consumption::Level(state.span, state.reading.volume),
        })
        .collect()
}

/// Returns the greatest volume of each window, as the service of the latest volume type in it.
pub(super) fn storage_max<'t>(
    input: &Input<'t, '_>,
    carry_over: bool,
    volume_types: &'t BTreeMap<String, String>,
) -> Vec<Piece<'t>> {
    input.per_window(carry_over, |readings| {
        let volume_type = readings.iter().rev().find_map(|r| r.metadata?.get(VOLUME_TYPE_KEY));
        let service = match volume_type {
            None => input.service(),
            Some(volume_type) => match volume_types.get(&*volume_type) {
                Some(service) => Cow::Borrowed(service.as_str()),
                None => format!("{}.{volume_type}", input.mapping.service).into(),
            },
        };
        Some((service, greatest(readings)?))
    })
}

/// Returns 1 for each window in which the service was active, and 0 for any other with readings.
pub(super) fn network_service<'t>(input: &Input<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    input.per_window(carry_over, |readings| {
        let is_active = readings.iter().any(|reading| reading.volume == ACTIVE);
        Some((input.service(), if is_active { Decimal::ONE } else { Decimal::ZERO }))
    })
}

/// Returns 1 for each window with readings.
pub(super) fn count<'t>(input: &Input<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    input.per_window(carry_over, |_| Some((input.service(), Decimal::ONE)))
}

fn greatest(readings: &[&Reading<'_>]) -> Option<Decimal> {
    readings.iter().map(|reading| reading.volume).max()
}
