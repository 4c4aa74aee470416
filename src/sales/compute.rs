//! What a tenant is to pay: from windows of usage for a new order, from samples for one that is
//! computed again. Of a window in which the order begins or ends, or a rate changes, only the samples
//! can tell what belongs where.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::readings::{Readings, Series, of_tenant};
use super::{Error, adjust, issued, late};
use crate::billing::order::{Charges, Heading};
use crate::billing::{Basis, Bill, Order, Span, Usage, Volume};
use crate::config::File;
use crate::log::{self, RecordedClaim};
use crate::projection::metering::Snapshot;

/// The tenant and the span of an order that could be issued.
pub(super) struct Plan {
    pub tenant_id: String,
    pub span: Span,
    /// The tenant's orders, in the order of their times: what is before the span.
    pub claims: Vec<RecordedClaim>,
}

/// An order and what it was computed with.
pub(super) struct Computed {
    pub order: Order,
    pub basis: Basis,
}

/// From the end of the tenant's last order, or its first usage, to `end`.
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

/// When the tenant first used something, if it ever has.
async fn first_usage(tx: &Transaction<'_>, tenant_id: &str) -> Result<Option<Timestamp>, Error> {
    let is_known = tx
        .query_opt(
            "-- sales::tenant
             SELECT FROM metering.resource WHERE project_id = $1 LIMIT 1",
            &[&tenant_id],
        )
        .await?;
    if is_known.is_none() {
        return Err(Error::UnknownTenant(tenant_id.to_owned()));
    }
    let row = tx
        .query_opt(
            "-- sales::first_usage
             SELECT \"window\" FROM metering.usage_window
             WHERE project_id = $1 AND service IS NOT NULL ORDER BY \"window\" LIMIT 1",
            &[&tenant_id],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// The order of the plan; a draft where it has no id.
pub(super) async fn order(
    snapshot: &Snapshot<'_>,
    file: &File,
    plan: &Plan,
    order_id: Option<Uuid>,
) -> Result<Computed, Error> {
    let (tx, position) = (&snapshot.tx, snapshot.position);
    let Plan { tenant_id, span, claims } = plan;
    let mut late = late::Late::default();
    let mut known = 0;
    if let Some(last) = claims.last() {
        let last = issued::head_of(tx.client(), last).await?;
        known = last.order.position;
        let mappings = &file.billing.mappings;
        late = late::by_windows(tx, tenant_id, mappings, span.from, known).await?;
        // What is not mapped any more has no windows.
        let dropped: Vec<&str> = last
            .basis
            .mappings
            .iter()
            .map(|mapping| mapping.meter.as_str())
            .filter(|meter| mappings.iter().all(|mapping| mapping.meter != *meter))
            .collect();
        let positions = known..position;
        late.extend(late::by_samples(tx, tenant_id, &dropped, span.from, positions).await?);
    }
    let basis = Basis::of(&file.billing, adjust::basis_span(*span, claims, &late));
    let priced = by_windows(tx, tenant_id, position, &basis, *span).await?;
    let corrected = adjust::Corrected { tenant_id, claims, known, position, late, basis: &basis };
    let adjustments = corrected.adjustments(tx).await?;
    let heading =
        Heading { order_id, tenant_id: tenant_id.clone(), name: None, span: *span, position };
    Ok(Computed { order: Order::new(heading, &basis, priced, adjustments), basis })
}

/// Whole windows are summed by the database, between changes of rates; of the others the samples are
/// read.
async fn by_windows(
    tx: &Transaction<'_>,
    tenant_id: &str,
    position: i64,
    basis: &Basis,
    span: Span,
) -> Result<Charges, Error> {
    let mut bill = Bill::new(basis, span);
    let divided = divided(basis, span);
    let changes = changes(basis, span);
    let last = span.to - SignedDuration::from_hours(1);
    let left_out = Vec::from_iter(divided.iter().copied());
    let parameters: [&(dyn ToSql + Sync); 5] = [&tenant_id, &span.from, &last, &left_out, &changes];
    let rows = tx
        .query_raw(
            "-- sales::windows
             SELECT mapping, resource_id, service, description, min(\"window\") AS first,
                    max(\"window\") AS last, count(*) AS windows, sum(volume)::text AS volume,
                    sum(covered_us)::bigint AS covered_us
             FROM metering.usage_window
             WHERE project_id = $1 AND \"window\" >= $2 AND \"window\" <= $3
               AND \"window\" <> ALL ($4) AND service IS NOT NULL
             GROUP BY mapping, resource_id, service, description,
                      width_bucket(\"window\", $5::timestamptz[])",
            parameters,
        )
        .await?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await? {
        add(&mut bill, &row)?;
    }
    if !divided.is_empty() {
        add_divided(tx, tenant_id, position, basis, &divided, &mut bill).await?;
    }
    Ok(bill.price())
}

/// Adds a sum of whole windows.
fn add(bill: &mut Bill<'_>, row: &Row) -> Result<(), Error> {
    let (mapping, resource_id): (i16, &str) = (row.get("mapping"), row.get("resource_id"));
    let mapping = usize::try_from(mapping).map_err(Error::broken)?;
    let (first, last): (Timestamp, Timestamp) = (row.get("first"), row.get("last"));
    let volume: &str = row.get("volume");
    let usage = Usage {
        service: row.get("service"),
        volume: Volume::from_numeric(volume)
            .ok_or_else(|| Error::Broken(format!("{volume} is no volume")))?,
        covered_us: row.get("covered_us"),
    };
    let span = Span { from: first, to: Span::hour_of(last).to };
    let windows = u32::try_from(row.get::<_, i64>("windows")).map_err(Error::broken)?;
    bill.add_windows(mapping, resource_id, span, windows, &[usage]).map_err(Error::broken)?;
    let description = match row.get::<_, Option<&str>>("description") {
        Some(json) => serde_json::from_str(json).map_err(Error::broken)?,
        None => BTreeMap::new(),
    };
    bill.describe(mapping, resource_id, last, &description);
    Ok(())
}

/// Adds the windows that have to be divided.
async fn add_divided(
    tx: &Transaction<'_>,
    tenant_id: &str,
    position: i64,
    basis: &Basis,
    divided: &BTreeSet<Timestamp>,
    bill: &mut Bill<'_>,
) -> Result<(), Error> {
    let until = divided.last().map_or(Timestamp::MIN, |last| Span::hour_of(*last).to);
    let mut readings = Readings::new(tx, tenant_id, position, until).await?;
    for window in divided {
        // Whatever tells of a part of the window tells of the window.
        let rows = tx
            .query(
                "-- sales::divided
                 SELECT DISTINCT resource_id, mapping FROM metering.usage_window
                 WHERE project_id = $1 AND \"window\" = $2",
                &[&tenant_id, window],
            )
            .await?;
        let of_row = |row: &Row| {
            let mapping = basis.mappings.get(usize::try_from(row.get::<_, i16>(1)).ok()?)?;
            Some(Series { resource_id: row.get(0), meter: mapping.meter.clone() })
        };
        let series: Vec<Series> =
            rows.iter().filter_map(of_row).collect::<BTreeSet<_>>().into_iter().collect();
        readings.add_to(bill, basis, &series, Span::hour_of(*window), |_| true).await?;
    }
    Ok(())
}

/// What the samples as of a position come to.
pub(super) async fn by_samples(
    tx: &Transaction<'_>,
    tenant_id: &str,
    position: i64,
    basis: &Basis,
    span: Span,
) -> Result<Charges, Error> {
    let mut bill = Bill::new(basis, span);
    let series = of_tenant(tx, tenant_id, &basis.mappings, span.to).await?;
    let mut readings = Readings::new(tx, tenant_id, position, span.to).await?;
    readings.add_to(&mut bill, basis, &series, span, |_| true).await?;
    Ok(bill.price())
}

/// When a rate begins or ends within the span, in order; the span's start stands first.
pub(super) fn changes(basis: &Basis, span: Span) -> Vec<Timestamp> {
    let ends = basis.rates.iter().flat_map(|rate| [rate.from, rate.to]).flatten();
    let within = ends.filter(|at| span.contains(*at));
    within.chain([span.from]).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The starts of the windows that are not of one part: the order begins or ends or a rate changes
/// within them.
fn divided(basis: &Basis, span: Span) -> BTreeSet<Timestamp> {
    let edges = changes(basis, span).into_iter().chain([span.to]);
    let windows = edges.filter_map(|at| {
        let window = Span::hour_of(at);
        (window.from != at).then_some(window.from)
    });
    windows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::Settings;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_are_divided_where_an_edge_or_a_change_lies_within() {
        let text = "[billing]\nbilling_timezone = 'Asia/Kolkata'\n[[rate]]\nservice = 's'\nunit = 'hour'\n\
                    rate = '1'\nfrom = 2026-11-02\nto = 2026-12-05\n[[usage]]\nmeter = 's'\n\
                    transformer = 'count'\nunit = 'hour'";
        let settings = Settings::read(toml::from_str(text).unwrap(), text, None).unwrap();
        let span = Span { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-30T18:30:00Z") };
        let basis = Basis::of(&settings, span);
        let changed = at("2026-11-01T18:30:00Z");
        assert_eq!(changes(&basis, span), [span.from, changed]);
        let starts = [at("2026-11-01T18:00:00Z"), at("2026-11-30T18:00:00Z")];
        assert_eq!(divided(&basis, span), BTreeSet::from(starts));
        let hours = Span { from: changed, to: at("2026-11-30T18:00:00Z") };
        assert_eq!(divided(&basis, hours), BTreeSet::from([starts[0]]));
    }
}
