//! `verify --orders`: computes every issued order again, from the samples as of its position and by the
//! rules that its event contains. The bytes have to be the same.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Error;
use super::adjust::Correction;
use super::compute::price_samples;
use super::division::window_end;
use super::issued::{self, LoggedOrder};
use super::late::{self, LateReadings};
use super::snapshot::open_reader;
use crate::billing::order::{CALCULATION, Heading, KIND};
use crate::billing::{Mapping, Order, Span};
use crate::config::File;
use crate::db::Database;
use crate::event::{Family, Recorded};
use crate::log::{self, Limit, Reader, RecordedClaim};
use crate::projection::Snapshot;

/// An order that differs from what its samples determine, or that the log and its claim disagree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The position of its event, or where it should be.
    pub position: i64,
    /// The order.
    pub order_id: Uuid,
    /// What is wrong.
    pub what: String,
}

/// The outcome of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of orders that had the same bytes when computed again.
    pub same: usize,
    /// Orders that cannot be computed again, and why. Only the hash of their event proves that they are
    /// as issued.
    pub not_recomputable: Vec<(Uuid, String)>,
    /// The first order that differs.
    pub fault: Option<Fault>,
}

/// Computes all orders again, in the order of the log, up to the first that differs. Calls `progress` with
/// the number of orders so far.
///
/// # Errors
///
/// When the database does not answer, the read model is not ready, or `stop` is cancelled.
pub async fn verify(
    database: &Database,
    file: &File,
    stop: &CancellationToken,
    mut progress: impl FnMut(usize),
) -> Result<Report, Error> {
    let mut reader = open_reader(database, file).await?;
    let snapshot = reader.snapshot(file).await?;
    let client = snapshot.tx.client();
    let (head, _) = log::read_head(client).await?;
    let claims = log::load_claims(&snapshot.tx).await?;
    let mut claimed: BTreeMap<i64, &RecordedClaim> =
        claims.iter().map(|claim| (claim.position, claim)).collect();
    let mut report = Report::default();
    let events = Reader::new(&[Family::Billing]);
    let mut position = 0;
    loop {
        let stretch = events.next(client, position, head, Limit::USUAL).await?;
        if stretch.position == position {
            break;
        }
        position = stretch.position;
        for recorded in &stretch.events {
            if stop.is_cancelled() {
                return Err(Error::NotYet("stopped".to_owned()));
            }
            let claim = claimed.remove(&recorded.position);
            if recorded.event.kind != KIND && claim.is_none() {
                continue;
            }
            if let Err(fault) =
                check(&snapshot, file, recorded, claim, &claims, &mut report).await?
            {
                report.fault = Some(fault);
                return Ok(report);
            }
            progress(report.same + report.not_recomputable.len());
        }
    }
    report.fault = claimed.values().next().map(|claim| Fault {
        position: claim.position,
        order_id: claim.order_id,
        what: "log.sales_order has a row for it, and the log no event".to_owned(),
    });
    Ok(report)
}

/// Checks one order. The inner error is the fault of the order.
async fn check(
    snapshot: &Snapshot<'_>,
    file: &File,
    recorded: &Recorded,
    claim: Option<&RecordedClaim>,
    claims: &[RecordedClaim],
    report: &mut Report,
) -> Result<Result<(), Fault>, Error> {
    let position = recorded.position;
    let fault = |order_id: Uuid, what: String| Ok(Err(Fault { position, order_id, what }));
    let issued = match LoggedOrder::read(recorded) {
        Ok(issued) => issued,
        Err(error) => return fault(recorded.event.id, format!("it cannot be read: {error}")),
    };
    let Order { order_id, tenant_id, from, to, .. } = &issued.order;
    let id = order_id.unwrap_or(recorded.event.id);
    let is_claimed = claim.is_some_and(|claim| {
        (Some(claim.order_id), &claim.tenant_id) == (*order_id, tenant_id)
            && (claim.from, claim.to) == (*from, *to)
    });
    if !is_claimed {
        return fault(id, "log.sales_order has no such row for its time".to_owned());
    }
    if let Some(why) = not_recomputable(&issued, file) {
        report.not_recomputable.push((id, why));
        return Ok(Ok(()));
    }
    if issued.order.position > snapshot.live.position {
        return Err(Error::NotYet(format!(
            "the read model has applied position {}, and the order {id} counts samples up to {}",
            snapshot.live.position, issued.order.position
        )));
    }
    let before: Vec<RecordedClaim> = claims
        .iter()
        .filter(|claim| claim.tenant_id == *tenant_id && claim.position < position)
        .cloned()
        .collect();
    let again = compute_again(snapshot, &issued, before).await?;
    let text = again.to_bytes().map_err(Error::broken)?;
    if text != issued.text.as_bytes() {
        return fault(id, difference(&issued.order, &again));
    }
    report.same += 1;
    Ok(Ok(()))
}

/// Returns why an order cannot be computed again; `None` if it can.
fn not_recomputable(issued: &LoggedOrder, file: &File) -> Option<String> {
    if issued.basis.calculation != CALCULATION {
        let theirs = issued.basis.calculation;
        return Some(format!(
            "it was computed by version {theirs} of the rules, and this program has version {CALCULATION}"
        ));
    }
    let now = issued::settings_at_issue(file);
    if now.trust_sources != issued.settings.trust_sources {
        return Some("samples of other sources were trusted then".to_owned());
    }
    (now.clock_s != issued.settings.clock_s)
        .then(|| "samples of other clocks were set aside then".to_owned())
}

/// Computes an order from its samples. `before` are the tenant's earlier orders.
async fn compute_again(
    snapshot: &Snapshot<'_>,
    issued: &LoggedOrder,
    mut before: Vec<RecordedClaim>,
) -> Result<Order, Error> {
    let tx = &snapshot.tx;
    let LoggedOrder { order, basis, .. } = issued;
    let Order { tenant_id, position, .. } = order;
    let span = Span::new(order.from, order.to).ok_or_else(|| Error::broken("it has no span"))?;
    let priced = price_samples(tx, tenant_id, *position, basis, span).await?;
    before.sort_by_key(|claim| claim.from);
    let mut late = LateReadings::default();
    let mut known = 0;
    if let Some(last) = before.last() {
        let last = issued::head_of(tx.client(), last).await?;
        known = last.order.position;
        let mappings: Vec<&Mapping> = basis.mappings.iter().chain(&last.basis.mappings).collect();
        let before = window_end(span.from);
        late = late::by_samples(tx, tenant_id, &mappings, before, known..*position).await?;
    }
    let correction =
        Correction { tenant_id, claims: &before, known, position: *position, late, basis };
    let heading = Heading {
        order_id: order.order_id,
        tenant_id: tenant_id.clone(),
        // What the order calls the tenant is part of it as issued: no amount depends on it.
        name: order.name.clone(),
        span,
        position: *position,
    };
    Ok(Order::new(heading, basis, priced, correction.adjustments(tx).await?))
}

/// Returns the first difference of two orders, as a clause.
fn difference(issued: &Order, again: &Order) -> String {
    let lines = issued.lines.iter().zip(&again.lines).find(|(issued, again)| issued != again);
    if let Some((issued, again)) = lines {
        return format!(
            "the line of {} and {} was issued with {} {} at {}; computed again it has {} {} of {} at {}",
            issued.resource_id,
            issued.service,
            issued.volume,
            issued.unit,
            issued.amount,
            again.volume,
            again.unit,
            again.service,
            again.amount
        );
    }
    let (was, is) = (text(issued), text(again));
    let at = was.bytes().zip(is.bytes()).take_while(|(was, is)| was == is).count();
    let from = |text: &str| -> String {
        let at = text.floor_char_boundary(at.saturating_sub(20));
        text[at..].chars().take(60).collect()
    };
    format!("it was issued with …{}…; computed again it has …{}…", from(&was), from(&is))
}

fn text(order: &Order) -> String {
    let bytes = order.to_bytes().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
