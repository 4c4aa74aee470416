//! Adjustments: what an order bills or gives back for times that were billed before their last samples
//! arrived.
//!
//! Corrections are found by comparing the samples that the tenant's last order knew with those known now,
//! by the rules of the order that billed the time. So it does not matter when windows were computed, or by
//! which configuration.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::division::part_starts;
use super::late::LateReadings;
use super::readings::{Readings, series_of_billed};
use super::{Error, issued};
use crate::billing::order::{Adjustment, BilledPeriod, ChangedWindows, Line, compute_adjustments};
use crate::billing::reading::Changes;
use crate::billing::transform::changed_windows;
use crate::billing::{
    Basis, Bill, Mapping, Span, Timeline, Volume, VolumeTypeNames, compute_usage,
};
use crate::log::RecordedClaim;
use crate::projection::metering::read::{self, Series};

/// Series that are compared at once.
const SERIES_MAX: usize = 32;

/// The correction of a tenant's earlier orders by a new one.
pub(super) struct Correction<'c> {
    pub tenant_id: &'c str,
    /// The tenant's orders so far, in order of time.
    pub claims: &'c [RecordedClaim],
    /// The position up to which the last of them counts samples.
    pub known: i64,
    /// The position up to which the new order counts samples.
    pub position: i64,
    pub late: LateReadings,
    /// The basis for the time before the first order.
    pub basis: &'c Basis,
}

/// A time that was billed, or should have been.
struct Period {
    /// `None`: the time before the tenant's first order.
    order: Option<RecordedClaim>,
    span: Span,
    basis: Basis,
}

/// The names of volume types by their ids.
struct Names {
    /// As of the position up to which the last order counts samples.
    known: VolumeTypeNames,
    /// The same, and those that became known since.
    now: VolumeTypeNames,
}

/// Readings, and the names of the volume types in them.
type NamedTimeline<'t, 'a> = (&'t Timeline<'a>, &'t VolumeTypeNames);

/// Returns the span whose rates a new order has to keep. It begins with time if samples from before the
/// first order arrived late, because no other order keeps the rates for those.
pub(super) fn basis_span(span: Span, claims: &[RecordedClaim], late: &LateReadings) -> Span {
    let is_before = |first: &RecordedClaim| late.values().any(|at| *at < first.from);
    let from = if claims.first().is_some_and(is_before) { Timestamp::MIN } else { span.from };
    Span { from, ..span }
}

impl Correction<'_> {
    /// Computes all adjustments.
    pub async fn adjustments(&self, tx: &Transaction<'_>) -> Result<Vec<Adjustment>, Error> {
        let (Some(earliest), Some(last)) = (self.late.values().min(), self.claims.last()) else {
            return Ok(Vec::new());
        };
        let Some(all) = Span::new(*earliest, last.to) else { return Ok(Vec::new()) };
        let all = all.whole_windows();
        let (periods, earlier) = self.periods(tx, all).await?;
        let known = read::volume_type_names(tx, self.known).await?;
        // A name that an id had when its time was billed stays, so that a new one does not bill it again.
        let now = known.clone().or(read::volume_type_names(tx, self.position).await?);
        let names = Names { known, now };
        let changed = self.changed_windows(tx, &periods, all, &names).await?;
        let mut found = Vec::new();
        for (period, changed) in periods.iter().zip(&changed) {
            if !changed.is_empty() {
                found.extend(self.adjustments_of(tx, period, changed, &earlier, &names.now).await?);
            }
        }
        Ok(found)
    }

    /// Returns the periods that reach into the span, and the adjustments that their orders and later ones
    /// contain.
    async fn periods(
        &self,
        tx: &Transaction<'_>,
        all: Span,
    ) -> Result<(Vec<Period>, Vec<Adjustment>), Error> {
        let (mut periods, mut earlier) = (Vec::new(), Vec::new());
        if let Some(first) = self.claims.first()
            && let Some(before) = Span::new(all.from.min(self.first_at(tx).await?), first.from)
            && all.from < first.from
        {
            periods.push(Period { order: None, span: before, basis: self.basis.clone() });
        }
        for claim in self.claims.iter().filter(|claim| claim.to > all.from) {
            let order = issued::head_of(tx.client(), claim).await?;
            let span = Span { from: claim.from, to: claim.to };
            periods.push(Period { order: Some(claim.clone()), span, basis: order.basis });
            earlier.extend(order.order.adjustments);
        }
        Ok((periods, earlier))
    }

    /// Returns the start of the hour of the tenant's first sample.
    async fn first_at(&self, tx: &Transaction<'_>) -> Result<Timestamp, Error> {
        let first = read::first_sample_of(tx, self.tenant_id).await?;
        Ok(Span::hour_of(first.unwrap_or(Timestamp::MAX)).from)
    }

    /// Returns, for each period, the windows whose usage now differs from what its order and the orders
    /// since knew.
    async fn changed_windows(
        &self,
        tx: &Transaction<'_>,
        periods: &[Period],
        all: Span,
        names: &Names,
    ) -> Result<Vec<ChangedWindows>, Error> {
        let mut mappings = Vec::<Mapping>::new();
        for mapping in periods.iter().flat_map(|period| &period.basis.mappings) {
            if !mappings.contains(mapping) {
                mappings.push(mapping.clone());
            }
        }
        let mut known = Readings::new(tx, self.tenant_id, self.known, all.to);
        let mut now = Readings::new(tx, self.tenant_id, self.position, all.to);
        let mut found = vec![ChangedWindows::new(); periods.len()];
        let series: Vec<Series> = self.late.keys().cloned().collect();
        for chunk in series.chunks(SERIES_MAX) {
            let loaded_before = known.load(chunk, &mappings, all).await?;
            let loaded_after = now.load(chunk, &mappings, all).await?;
            for (index, series) in chunk.iter().enumerate() {
                let before = (&known.timeline(&loaded_before, index), &names.known);
                let after = (&now.timeline(&loaded_after, index), &names.now);
                let changed = after.0.changes_from(before.0);
                for (period, found) in periods.iter().zip(&mut found) {
                    // The readings of earlier windows are there for their evidence, and incomplete.
                    let Some(span) = period.span.clip(all) else { continue };
                    period.add_changed_windows(series, span, &changed, before, after, found);
                }
            }
        }
        Ok(found)
    }

    /// Computes the adjustments of one period.
    async fn adjustments_of(
        &self,
        tx: &Transaction<'_>,
        period: &Period,
        changed: &ChangedWindows,
        earlier: &[Adjustment],
        names: &VolumeTypeNames,
    ) -> Result<Vec<Adjustment>, Error> {
        let resources: BTreeSet<&str> = changed.keys().map(|(id, _)| id.as_str()).collect();
        let billed = match &period.order {
            Some(claim) => issued::of_claim(tx.client(), claim).await?.order.lines,
            None => Vec::new(),
        };
        let computed = self.lines_by_now(tx, period, &resources, names).await?;
        let (billed, computed) = (by_resource(billed), by_resource(computed));
        let order_id: Option<Uuid> = period.order.as_ref().map(|claim| claim.order_id);
        // One resource after another, so that each search is among the few lines of one.
        let mut found = Vec::new();
        for resource in resources {
            let of = |lines: &BTreeMap<String, Vec<Line>>| {
                lines.get(resource).cloned().unwrap_or_default()
            };
            let changed: ChangedWindows = changed
                .iter()
                .filter(|((id, _), _)| id == resource)
                .map(|(key, windows)| (key.clone(), windows.clone()))
                .collect();
            let lines = of(&billed);
            let billed = BilledPeriod { order_id, lines: &lines, adjustments: earlier };
            found.extend(compute_adjustments(&billed, &of(&computed), &changed));
        }
        Ok(found)
    }

    /// Computes the lines of the resources from the samples known now.
    async fn lines_by_now(
        &self,
        tx: &Transaction<'_>,
        period: &Period,
        resources: &BTreeSet<&str>,
        names: &VolumeTypeNames,
    ) -> Result<Vec<Line>, Error> {
        let Period { basis, span, .. } = period;
        let series = series_of_billed(&basis.mappings, resources.iter().copied());
        let mut bill = Bill::new(basis, *span).with_volume_types(names);
        let whole = span.whole_windows();
        let mut readings = Readings::new(tx, self.tenant_id, self.position, whole.to);
        let is_billed = |billed: &str| resources.contains(billed);
        readings.add_to(&mut bill, basis, &series, whole, is_billed).await?;
        Ok(bill.price().lines)
    }
}

impl Period {
    /// Adds the windows of the span whose usage differs because of the `changed` readings.
    fn add_changed_windows(
        &self,
        series: &Series,
        span: Span,
        changed: &Changes,
        before: NamedTimeline<'_, '_>,
        after: NamedTimeline<'_, '_>,
        found: &mut ChangedWindows,
    ) {
        let of_meter = self.basis.mappings.iter().filter(|mapping| mapping.meter == series.meter);
        for mapping in of_meter {
            let windows = changed_windows(mapping, after.0, changed);
            for window in windows {
                let Some(part) = window.clip(span) else { continue };
                for service in self.differing_services(mapping, part, before, after) {
                    let key = (mapping.billed_resource(&series.resource_id), service);
                    found.entry(key).or_default().insert(window.from);
                }
            }
        }
    }

    /// Returns the services whose usage differs in the part of a window that the period contains, or in a
    /// part of that which has another rate.
    fn differing_services(
        &self,
        mapping: &Mapping,
        part: Span,
        before: NamedTimeline<'_, '_>,
        after: NamedTimeline<'_, '_>,
    ) -> BTreeSet<String> {
        let starts = part_starts(&self.basis, part);
        let ends = starts.iter().skip(1).copied().chain([part.to]);
        let parts = starts.iter().copied().zip(ends).map(|(from, to)| Span { from, to });
        let mut differing = BTreeSet::new();
        for part in parts {
            let volumes = |(timeline, names): NamedTimeline<'_, '_>| {
                let mut volumes = BTreeMap::<(String, bool), Volume>::new();
                for used in compute_usage(mapping, timeline, part) {
                    let service = used.service_by(mapping, names).into_owned();
                    *volumes.entry((service, used.is_negative)).or_default() += &used.volume;
                }
                volumes
            };
            let (before, after) = (volumes(before), volumes(after));
            let services: BTreeSet<&(String, bool)> = before.keys().chain(after.keys()).collect();
            let others = services.into_iter().filter(|service| {
                let nothing = Volume::default();
                before.get(*service).unwrap_or(&nothing) != after.get(*service).unwrap_or(&nothing)
            });
            differing.extend(others.map(|(service, _)| service.clone()));
        }
        differing
    }
}

fn by_resource(lines: Vec<Line>) -> BTreeMap<String, Vec<Line>> {
    let mut by_resource = BTreeMap::<String, Vec<Line>>::new();
    for line in lines {
        by_resource.entry(line.resource_id.clone()).or_default().push(line);
    }
    by_resource
}
