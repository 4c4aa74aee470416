//! `verify --orders`: every issued order is computed again, from the samples as of its position and by
//! the rules that its event keeps, and has to have the same bytes.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::compute::by_samples;
use super::issued::{self, Issued};
use super::orders::{CATCH_UP, PATIENCE};
use super::{Error, adjust, late};
use crate::billing::order::{CALCULATION, Heading, KIND};
use crate::billing::{Order, Span};
use crate::config::File;
use crate::db::Database;
use crate::event::{Family, Recorded};
use crate::log::{self, Limit, Reader, RecordedClaim};
use crate::projection::metering::{Session, Snapshot};

/// The first order that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where its event stands, or should.
    pub position: i64,
    /// The order.
    pub order_id: Uuid,
    /// What is wrong.
    pub what: String,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Orders that gave the same bytes.
    pub same: usize,
    /// Orders that cannot be computed again, and why. That they are what was issued is proved by the
    /// hash of their event alone.
    pub not_recomputable: Vec<(Uuid, String)>,
    /// The first one that differs.
    pub fault: Option<Fault>,
}

/// Computes all orders again, in the order of the log, up to the first that differs. `progress` is
/// called with how many there were so far.
///
/// # Errors
///
/// When the database or the read model is away.
pub async fn verify(
    database: &Database,
    file: &File,
    stop: &CancellationToken,
    mut progress: impl FnMut(usize),
) -> Result<Report, Error> {
    let mut session = Session::open(database, PATIENCE).await?;
    session.catch_up(file, CATCH_UP).await?;
    let snapshot = session.snapshot(file).await?;
    let client = snapshot.tx.client();
    let (head, _) = log::read_head(client).await?;
    let claims = log::load_claims(&snapshot.tx).await?;
    let mut claimed: BTreeMap<i64, &RecordedClaim> =
        claims.iter().map(|claim| (claim.position, claim)).collect();
    let mut report = Report::default();
    let reader = Reader::new(&[Family::Billing]);
    let mut position = 0;
    loop {
        let stretch = reader.next(client, position, head, Limit::USUAL).await?;
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

/// Checks one order; the inner result is what is wrong with it.
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
    let issued = match Issued::read(recorded) {
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
    if issued.order.position > snapshot.position {
        return Err(Error::NotYet(format!(
            "the read model stands at {}, the order {id} knew {}",
            snapshot.position, issued.order.position
        )));
    }
    let before: Vec<RecordedClaim> = claims
        .iter()
        .filter(|claim| claim.tenant_id == *tenant_id && claim.position < position)
        .cloned()
        .collect();
    let again = again(snapshot, &issued, before).await?;
    let text = again.to_bytes().map_err(Error::broken)?;
    if text != issued.text.as_bytes() {
        return fault(id, difference(&issued.order, &again));
    }
    report.same += 1;
    Ok(Ok(()))
}

/// Why an order cannot be computed again; `None`: it can.
fn not_recomputable(issued: &Issued, file: &File) -> Option<String> {
    if issued.basis.calculation != CALCULATION {
        let theirs = issued.basis.calculation;
        return Some(format!(
            "it was computed by version {theirs} of the rules, these are of {CALCULATION}"
        ));
    }
    let trusted = issued::circumstances(file).trust_sources;
    (trusted != issued.settings.trust_sources)
        .then(|| "samples of other sources were trusted then".to_owned())
}

/// The order as it has to be. `before` are the tenant's earlier orders.
async fn again(
    snapshot: &Snapshot<'_>,
    issued: &Issued,
    mut before: Vec<RecordedClaim>,
) -> Result<Order, Error> {
    let tx = &snapshot.tx;
    let Issued { order, basis, .. } = issued;
    let Order { tenant_id, position, .. } = order;
    let span = Span::new(order.from, order.to).ok_or_else(|| Error::broken("it has no span"))?;
    let priced = by_samples(tx, tenant_id, *position, basis, span).await?;
    before.sort_by_key(|claim| claim.from);
    let mut late = late::Late::default();
    let mut known = 0;
    if let Some(last) = before.last() {
        let last = issued::head_of(tx.client(), last).await?;
        known = last.order.position;
        let mappings = basis.mappings.iter().chain(&last.basis.mappings);
        let meters: Vec<&str> = mappings.map(|mapping| mapping.meter.as_str()).collect();
        late = late::by_samples(tx, tenant_id, &meters, span.from, known..*position).await?;
    }
    let corrected =
        adjust::Corrected { tenant_id, claims: &before, known, position: *position, late, basis };
    let heading = Heading {
        order_id: order.order_id,
        tenant_id: tenant_id.clone(),
        name: order.name.clone(),
        span,
        position: *position,
    };
    Ok(Order::new(heading, basis, priced, corrected.adjustments(tx).await?))
}

/// The first thing in which two orders differ.
fn difference(issued: &Order, again: &Order) -> String {
    let lines = issued.lines.iter().zip(&again.lines).find(|(issued, again)| issued != again);
    if let Some((issued, again)) = lines {
        return format!(
            "the line of {} and {} was issued with {} {} at {} and comes to {} {} of {} at {} when \
             computed again",
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
    format!("it was issued with …{}…, computed again it has …{}…", from(&was), from(&is))
}

fn text(order: &Order) -> String {
    let bytes = order.to_bytes().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
