//! `max`, `average`, `storagemax`, `networkservice` and `count`: what a gauge showed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{All, Piece, Used};
use crate::billing::reading::Reading;

/// The status code of a network service that works.
const ACTIVE: Decimal = Decimal::ONE;

const VOLUME_TYPE_KEY: &str = "volume_type";

pub(super) fn max<'t>(all: &All<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    all.per_window(carry_over, |seen| Some((all.service(), greatest(seen)?)))
}

pub(super) fn average<'t>(all: &All<'t, '_>) -> Vec<Piece<'t>> {
    all.timeline
        .held(all.range, all.mapping.max_gap_us())
        .filter(|held| all.passes(held.reading))
        .map(|held| Piece {
            service: all.service(),
            used: Used::Held(held.span, held.reading.volume),
        })
        .collect()
}

pub(super) fn storage_max<'t>(
    all: &All<'t, '_>,
    carry_over: bool,
    volume_types: &'t BTreeMap<String, String>,
) -> Vec<Piece<'t>> {
    all.per_window(carry_over, |seen| {
        let volume_type = seen.iter().rev().find_map(|r| r.metadata?.get(VOLUME_TYPE_KEY));
        let service = match volume_type {
            None => all.service(),
            Some(volume_type) => match volume_types.get(&*volume_type) {
                Some(service) => Cow::Borrowed(service.as_str()),
                None => format!("{}.{volume_type}", all.mapping.service).into(),
            },
        };
        Some((service, greatest(seen)?))
    })
}

pub(super) fn network_service<'t>(all: &All<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    all.per_window(carry_over, |seen| {
        let is_active = seen.iter().any(|reading| reading.volume == ACTIVE);
        Some((all.service(), if is_active { Decimal::ONE } else { Decimal::ZERO }))
    })
}

pub(super) fn count<'t>(all: &All<'t, '_>, carry_over: bool) -> Vec<Piece<'t>> {
    all.per_window(carry_over, |_| Some((all.service(), Decimal::ONE)))
}

fn greatest(seen: &[&Reading<'_>]) -> Option<Decimal> {
    seen.iter().map(|reading| reading.volume).max()
}
