//! `max`, `average`, `storagemax`, `networkservice` and `count`: the level of a gauge.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::input::Input;
use super::piece::{Consumption, Piece};
use crate::billing::reading::Reading;
use crate::billing::volume_type::VolumeType;
use crate::billing::window::Span;

/// The status code of a network service that works.
const ACTIVE: Decimal = Decimal::ONE;

/// Returns the greatest volume of each window.
pub(super) fn max<'t>(input: &Input<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    input.per_window(carry_over, |readings| Some((input.service(), greatest(readings)?)))
}

/// Returns each volume, for as long as it held.
pub(super) fn average<'t>(input: &Input<'t, '_>) -> Vec<Piece<'t>> {
    input
        .states(input.range)
        .filter(|state| input.passes(state.reading))
        .map(|state| Piece {
            service: input.service(),
            type_id: None,
            consumption: Consumption::Level(state.span, state.reading.volume),
        })
        .collect()
}

/// Returns the greatest volume of each window, as the service of the volume's type: the latest that a sample of the
/// window reports, or the one whose state holds at its start.
pub(super) fn storage_max<'t>(input: &Input<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    let pieces = |(window, readings): (Span, Vec<&'t Reading<'_>>)| {
        let latest_first = readings.iter().rev().copied().chain(input.carried(window));
        let types = latest_first.filter_map(|reading| VolumeType::read(reading.metadata?));
        let (service, type_id) = service_of_types(input, types);
        Some(input.levels(window, service, type_id, greatest(&readings)?))
    };
    input.windows(carry_over).filter_map(pieces).flatten().collect()
}

/// Returns the service of the first of the types, which are given latest first, and its id if it is reported
/// without a name.
///
/// Until the name of that id is looked up, an earlier sample's decides if it may be of the same type: if it has no
/// id. A name that comes with the same id is the type's, and nothing has to be looked up.
fn service_of_types<'t>(
    input: &Input<'t, '_>,
    mut types: impl Iterator<Item = VolumeType<'t>>,
) -> (Cow<'t, str>, Option<Cow<'t, str>>) {
    let mapping = input.mapping;
    let id = match types.next() {
        None | Some(VolumeType { id: None, name: None }) => return (input.service(), None),
        Some(VolumeType { id, name: Some(name) }) => {
            return (mapping.service_of_volume_type(id.as_deref(), &name), None);
        }
        Some(VolumeType { id: Some(id), name: None }) => id,
    };
    let is_other = |earlier: &VolumeType<'_>| earlier.id.as_ref().is_some_and(|other| *other != id);
    let before = types.find(|earlier| earlier.name.is_some() || is_other(earlier));
    match before.filter(|earlier| !is_other(earlier)) {
        Some(VolumeType { id: of, name: Some(name) }) => {
            let service = mapping.service_of_volume_type(Some(&id), &name);
            (service, of.is_none().then_some(id))
        }
        _ => (mapping.service_of_volume_type(None, &id), Some(id)),
    }
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
