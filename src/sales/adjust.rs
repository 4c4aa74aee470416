//! What an order bills in addition, or gives back, for times that were billed before their last
//! samples came.
//!
//! Whether something is to be corrected is found from the samples as they were known to the tenant's
//! last order and as they are known now, by the rules of the order that billed the time. So it does not
//! matter which windows were computed when, or by which configuration.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::compute::changes;
use super::late::Late;
use super::readings::{Readings, Series, of_billed};
use super::{Error, issued};
use crate::billing::order::{Adjustment, BilledPeriod, ChangedWindows, Line, compute_adjustments};
use crate::billing::transform::compute_usage_of_part;
use crate::billing::window::affected_windows;
use crate::billing::{Basis, Bill, Mapping, Span, Timeline, Volume};
use crate::log::RecordedClaim;

/// Series that are compared at once.
const SERIES: usize = 32;

/// What is to be corrected, and with what.
pub(super) struct Corrected<'c> {
    pub tenant_id: &'c str,
    /// The tenant's orders up to now.
    pub claims: &'c [RecordedClaim],
    /// What the last of them knew.
    pub known: i64,
    /// What is known now.
    pub position: i64,
    pub late: Late,
    /// The rules for the time before the first order.
    pub basis: &'c Basis,
}

/// A time that was billed, or should have been.
struct Period {
    /// `None`: the time before the tenant's first order.
    order: Option<RecordedClaim>,
    span: Span,
    basis: Basis,
}

/// The span whose rates a new order has to keep: the time before the first order has no others.
pub(super) fn basis_span(span: Span, claims: &[RecordedClaim], late: &Late) -> Span {
    let is_before = |first: &RecordedClaim| late.values().any(|at| *at < first.from);
    let from = if claims.first().is_some_and(is_before) { Timestamp::MIN } else { span.from };
    Span { from, ..span }
}

impl Corrected<'_> {
    /// All corrections.
    pub async fn adjustments(&self, tx: &Transaction<'_>) -> Result<Vec<Adjustment>, Error> {
        let (Some(earliest), Some(last)) = (self.late.values().min(), self.claims.last()) else {
            return Ok(Vec::new());
        };
        let all = Span { from: Span::hour_of(*earliest).from, to: last.to };
        let (periods, earlier) = self.periods(tx, all).await?;
        let touched = self.touched(tx, &periods, all).await?;
        let mut found = Vec::new();
        for (period, touched) in periods.iter().zip(&touched) {
            if !touched.is_empty() {
                found.extend(self.of_period(tx, period, touched, &earlier).await?);
            }
        }
        Ok(found)
    }

    /// The periods that reach into the span, and the adjustments that their orders and later ones
    /// made.
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

    /// The start of the hour before which nothing was told of the tenant.
    async fn first_at(&self, tx: &Transaction<'_>) -> Result<Timestamp, Error> {
        let row = tx
            .query_one(
                "-- sales::first_at
                 SELECT min(first_at) FROM metering.resource WHERE project_id = $1",
                &[&self.tenant_id],
            )
            .await?;
        let first: Option<Timestamp> = row.get(0);
        Ok(Span::hour_of(first.unwrap_or(Timestamp::MAX)).from)
    }

    /// Of each period what was used otherwise than its order, and the orders since, knew.
    async fn touched(
        &self,
        tx: &Transaction<'_>,
        periods: &[Period],
        all: Span,
    ) -> Result<Vec<ChangedWindows>, Error> {
        let mut mappings = Vec::<Mapping>::new();
        for mapping in periods.iter().flat_map(|period| &period.basis.mappings) {
            if !mappings.contains(mapping) {
                mappings.push(mapping.clone());
            }
        }
        let mut before = Readings::new(tx, self.tenant_id, self.known, all.to).await?;
        let mut after = Readings::new(tx, self.tenant_id, self.position, all.to).await?;
        let mut found = vec![ChangedWindows::new(); periods.len()];
        let series: Vec<&Series> = self.late.keys().collect();
        for chunk in series.chunks(SERIES) {
            let chunk: Vec<Series> = chunk.iter().map(|series| (*series).clone()).collect();
            let was = before.load(&chunk, &mappings, all).await?;
            let is = after.load(&chunk, &mappings, all).await?;
            for (index, series) in chunk.iter().enumerate() {
                let (was, is) = (before.timeline(&was, index), after.timeline(&is, index));
                let changed = changed(&was, &is);
                for (period, found) in periods.iter().zip(&mut found) {
                    period.compare(series, &changed, &was, &is, found);
                }
            }
        }
        Ok(found)
    }

    /// The corrections of one period.
    async fn of_period(
        &self,
        tx: &Transaction<'_>,
        period: &Period,
        touched: &ChangedWindows,
        earlier: &[Adjustment],
    ) -> Result<Vec<Adjustment>, Error> {
        let resources: BTreeSet<&str> = touched.keys().map(|(id, _)| id.as_str()).collect();
        let billed = match &period.order {
            Some(claim) => issued::of_claim(tx.client(), claim).await?.order.lines,
            None => Vec::new(),
        };
        let computed = self.computed(tx, period, &resources).await?;
        let (billed, computed) = (by_resource(billed), by_resource(computed));
        let order_id: Option<Uuid> = period.order.as_ref().map(|claim| claim.order_id);
        // One resource after another: what is looked for stands among few lines then.
        let mut found = Vec::new();
        for resource in resources {
            let of = |lines: &BTreeMap<String, Vec<Line>>| {
                lines.get(resource).cloned().unwrap_or_default()
            };
            let touched: ChangedWindows = touched
                .iter()
                .filter(|((id, _), _)| id == resource)
                .map(|(key, windows)| (key.clone(), windows.clone()))
                .collect();
            let lines = of(&billed);
            let billed = BilledPeriod { order_id, lines: &lines, adjustments: earlier };
            found.extend(compute_adjustments(&billed, &of(&computed), &touched));
        }
        Ok(found)
    }

    /// What the resources cost by what is known now.
    async fn computed(
        &self,
        tx: &Transaction<'_>,
        period: &Period,
        resources: &BTreeSet<&str>,
    ) -> Result<Vec<Line>, Error> {
        let Period { basis, span, .. } = period;
        let series = of_billed(&basis.mappings, resources.iter().copied());
        let mut bill = Bill::new(basis, *span);
        let mut readings = Readings::new(tx, self.tenant_id, self.position, span.to).await?;
        let is_asked = |billed: &str| resources.contains(billed);
        readings.add_to(&mut bill, basis, &series, *span, is_asked).await?;
        Ok(bill.price().lines)
    }
}

impl Period {
    /// Adds what is used otherwise since the readings of these times changed.
    fn compare(
        &self,
        series: &Series,
        changed: &[Timestamp],
        was: &Timeline<'_>,
        is: &Timeline<'_>,
        found: &mut ChangedWindows,
    ) {
        let of_meter = self.basis.mappings.iter().filter(|mapping| mapping.meter == series.meter);
        for mapping in of_meter {
            let windows: BTreeSet<Span> = changed
                .iter()
                .flat_map(|at| affected_windows(mapping, *at, next(is, *at)))
                .collect();
            for window in windows {
                let Some(part) = window.clip(self.span) else { continue };
                for service in self.differing(mapping, part, was, is) {
                    let key = (mapping.billed_resource(&series.resource_id), service);
                    found.entry(key).or_default().insert(window.from);
                }
            }
        }
    }

    /// The services of which something else was used in the window, or in a part of it that has
    /// another rate.
    fn differing(
        &self,
        mapping: &Mapping,
        window: Span,
        was: &Timeline<'_>,
        is: &Timeline<'_>,
    ) -> BTreeSet<String> {
        let starts = changes(&self.basis, window);
        let ends = starts.iter().skip(1).copied().chain([window.to]);
        let parts = starts.iter().copied().zip(ends).map(|(from, to)| Span { from, to });
        let mut differing = BTreeSet::new();
        for part in parts {
            let used = |timeline| -> BTreeMap<String, Volume> {
                let usage = compute_usage_of_part(mapping, timeline, window, part).into_iter();
                usage.map(|used| (used.service, used.volume)).collect()
            };
            let (was, is) = (used(was), used(is));
            let services: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let others = services.into_iter().filter(|service| {
                let nothing = Volume::default();
                was.get(*service).unwrap_or(&nothing) != is.get(*service).unwrap_or(&nothing)
            });
            differing.extend(others.cloned());
        }
        differing
    }
}

/// Times of the readings that are not what they were.
fn changed(was: &Timeline<'_>, is: &Timeline<'_>) -> Vec<Timestamp> {
    let was = was.readings();
    let is_other = |at: &Timestamp, reading| {
        was.binary_search_by_key(at, |reading| reading.at).map(|index| &was[index]) != Ok(reading)
    };
    is.readings().iter().filter(|it| is_other(&it.at, *it)).map(|reading| reading.at).collect()
}

fn next(timeline: &Timeline<'_>, at: Timestamp) -> Option<Timestamp> {
    let readings = timeline.readings();
    readings.get(readings.partition_point(|reading| reading.at <= at)).map(|reading| reading.at)
}

fn by_resource(lines: Vec<Line>) -> BTreeMap<String, Vec<Line>> {
    let mut by_resource = BTreeMap::<String, Vec<Line>>::new();
    for line in lines {
        by_resource.entry(line.resource_id.clone()).or_default().push(line);
    }
    by_resource
}
