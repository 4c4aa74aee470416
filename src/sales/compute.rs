//! Computes the order of a tenant: from windows of usage for a new one, from samples for one that is
//! computed again. A window in which the order begins or ends, or a rate changes, is always computed from
//! its samples, because only they determine which part of its usage belongs where. Each part has its share
//! of the whole window, also of samples in the window after the order's end.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::adjust::{Correction, basis_span};
use super::division::{divided_windows, part_starts, window_end};
use super::late::{self, LateReadings};
use super::readings::Readings;
use super::{Error, issued};
use crate::billing::order::{Charges, Heading};
use crate::billing::{Basis, Bill, Mapping, Order, Span};
use crate::config::File;
use crate::log::{self, RecordedClaim};
use crate::projection::Snapshot;
use crate::projection::metering::read::{self, Series};

/// The tenant and the span of an order that could be issued.
pub(super) struct Plan {
    pub tenant_id: String,
    pub span: Span,
    /// The tenant's orders in order of time, all of them before the span.
    pub claims: Vec<RecordedClaim>,
}

/// An order, and the basis it was computed with.
pub(super) struct ComputedOrder {
    pub order: Order,
    pub basis: Basis,
}

/// Plans an order from the end of the tenant's last one, or from its first usage, to `end`.
pub(super) async fn plan(
    snapshot: &Snapshot<'_>,
    tenant_id: &str,
    end: Timestamp,
) -> Result<Plan, Error> {
    let claims = log::load_claims_of(&snapshot.tx, tenant_id).await?;
    let from = match claims.last() {
        Some(last) if end <= last.to => {
            let covering = claims.iter().rev().find(|claim| claim.from < end).unwrap_or(last);
            let (order_id, billed_to) = (covering.order_id, last.to);
            return Err(Error::Covered { order_id, billed_to });
        }
        Some(last) => last.to,
        None => first_usage(&snapshot.tx, tenant_id).await?.ok_or(Error::NothingUsed(end))?,
    };
    let span = Span::new(from, end).ok_or(Error::NothingUsed(end))?;
    Ok(Plan { tenant_id: tenant_id.to_owned(), span, claims })
}

/// Returns when the tenant first used something; `None` if it never did.
async fn first_usage(tx: &Transaction<'_>, tenant_id: &str) -> Result<Option<Timestamp>, Error> {
    if !read::is_known_tenant(tx, tenant_id).await? {
        return Err(Error::UnknownTenant(tenant_id.to_owned()));
    }
    Ok(read::first_usage(tx, tenant_id).await?)
}

/// Computes the order of the plan. Without an id it is a draft.
pub(super) async fn order(
    snapshot: &Snapshot<'_>,
    file: &File,
    plan: &Plan,
    order_id: Option<Uuid>,
) -> Result<ComputedOrder, Error> {
    let (tx, position) = (&snapshot.tx, snapshot.live.position);
    let Plan { tenant_id, span, claims } = plan;
    let mut late = LateReadings::default();
    let mut known = 0;
    if let Some(last) = claims.last() {
        let last = issued::head_of(tx.client(), last).await?;
        known = last.order.position;
        let mappings = &file.billing.mappings;
        late = late::by_windows(tx, tenant_id, mappings, span.from, known).await?;
        // Meters that are no longer mapped have no windows.
        let dropped: Vec<&Mapping> = last
            .basis
            .mappings
            .iter()
            .filter(|before| mappings.iter().all(|mapping| mapping.meter != before.meter))
            .collect();
        let positions = known..position;
        let before = window_end(span.from);
        late.extend(late::by_samples(tx, tenant_id, &dropped, before, positions).await?);
    }
    let basis = Basis::of(&file.billing, basis_span(*span, claims, &late));
    let priced = price_windows(tx, tenant_id, position, &basis, *span).await?;
    let correction = Correction { tenant_id, claims, known, position, late, basis: &basis };
    let adjustments = correction.adjustments(tx).await?;
    let name = read::project_name(tx, tenant_id, position).await?;
    let heading = Heading { order_id, tenant_id: tenant_id.clone(), name, span: *span, position };
    Ok(ComputedOrder { order: Order::new(heading, &basis, priced, adjustments), basis })
}

/// Prices the usage of whole windows, which the database sums between changes of rates, and of the
/// samples of divided windows.
async fn price_windows(
    tx: &Transaction<'_>,
    tenant_id: &str,
    position: i64,
    basis: &Basis,
    span: Span,
) -> Result<Charges, Error> {
    let volume_types = read::volume_type_names(tx, position).await?;
    let mut bill = Bill::new(basis, span).with_volume_types(&volume_types);
    let divided = divided_windows(basis, span);
    let parts = part_starts(basis, span);
    let last = span.to - SignedDuration::from_hours(1);
    let left_out = Vec::from_iter(divided.iter().copied());
    let whole = (span.from, last);
    read::sums_by_description(tx, tenant_id, whole, &left_out, &parts, |sum, description| {
        let read::UsageSum { mapping, resource_id, usage, span, last, windows } = sum;
        bill.add_windows(mapping, resource_id, span, windows, &[usage]).map_err(Error::broken)?;
        bill.describe(mapping, resource_id, last, description);
        Ok::<_, Error>(())
    })
    .await?;
    if !divided.is_empty() {
        add_divided_windows(tx, tenant_id, position, basis, &divided, &mut bill).await?;
    }
    Ok(bill.price())
}

/// Adds windows to the bill, as far as they lie within its span, computed from their samples as of a
/// position. The windows are given by their starts.
///
/// # Errors
///
/// When the database does not answer.
pub async fn add_divided_windows(
    tx: &Transaction<'_>,
    tenant_id: &str,
    position: i64,
    basis: &Basis,
    divided: &BTreeSet<Timestamp>,
    bill: &mut Bill<'_>,
) -> Result<(), Error> {
    let until = divided.last().map_or(Timestamp::MIN, |last| Span::hour_of(*last).to);
    let mut readings = Readings::new(tx, tenant_id, position, until);
    for window in divided {
        let found = read::series_of_window(tx, tenant_id, *window).await?;
        let with_meter = |found: read::WindowSeries| {
            let mapping = basis.mappings.get(usize::try_from(found.mapping).ok()?)?;
            Some(Series { resource_id: found.resource_id, meter: mapping.meter.clone() })
        };
        let series: Vec<Series> =
            found.into_iter().filter_map(with_meter).collect::<BTreeSet<_>>().into_iter().collect();
        readings.add_to(bill, basis, &series, Span::hour_of(*window), |_| true).await?;
    }
    Ok(())
}

/// Prices the usage of the samples as of a position.
pub(super) async fn price_samples(
    tx: &Transaction<'_>,
    tenant_id: &str,
    position: i64,
    basis: &Basis,
    span: Span,
) -> Result<Charges, Error> {
    let volume_types = read::volume_type_names(tx, position).await?;
    let mut bill = Bill::new(basis, span).with_volume_types(&volume_types);
    let meters: Vec<&str> = basis.mappings.iter().map(|mapping| mapping.meter.as_str()).collect();
    let whole = span.whole_windows();
    let series = read::series_of_tenant(tx, tenant_id, &meters, whole.to).await?;
    let mut readings = Readings::new(tx, tenant_id, position, whole.to);
    readings.add_to(&mut bill, basis, &series, whole, |_| true).await?;
    Ok(bill.price())
}
