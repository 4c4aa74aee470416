//! Orders as they stand in the log.

use serde::Deserialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::Error;
use crate::billing::order::{Adjustment, Record, SettingsAtIssue, record};
use crate::billing::{Basis, Order, Span};
use crate::config::{File, Pattern};
use crate::event::Recorded;
use crate::log::{self, RecordedClaim};

/// The namespace of orders' ids. It must never change: ids are kept for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f6b_71c8_40d5_4e0e_b7c3_95a1_6e2d_08f4);

/// The id of the order of a tenant and a span: there is never more than one.
pub(super) fn order_id(tenant_id: &str, span: Span) -> Uuid {
    let name = format!("{tenant_id}\0{}\0{}", span.from, span.to);
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// What is set today.
pub(super) fn circumstances(file: &File) -> SettingsAtIssue {
    let terms = &file.billing.terms;
    let texts = |patterns: &Vec<Pattern>| {
        patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect()
    };
    SettingsAtIssue {
        billing_timezone: terms.zone.name().to_owned(),
        settle_s: terms.settle_s,
        allow_unrated: terms.allow_unrated,
        trust_sources: file.metering.trust_sources.as_ref().map(texts),
    }
}

/// An order as it stands in the log.
#[derive(Debug)]
pub(super) struct Issued {
    /// The order as text.
    pub text: String,
    /// The order.
    pub order: Order,
    /// What it was computed with.
    pub basis: Basis,
    /// What else was set.
    pub settings: SettingsAtIssue,
}

/// An issued order without what may be long: its lines.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub order: HeadOrder,
    pub basis: Basis,
}

/// See [`Head`].
#[derive(Debug, Deserialize)]
pub(super) struct HeadOrder {
    /// Up to where the order knew the log.
    pub position: i64,
    pub adjustments: Vec<Adjustment>,
}

impl Issued {
    /// The order that an event issued.
    pub fn read(recorded: &Recorded) -> Result<Issued, Error> {
        let record = Record::read(&recorded.event).map_err(Error::broken)?;
        Ok(Issued {
            order: serde_json::from_str(record.order.get()).map_err(Error::broken)?,
            text: record.order.get().to_owned(),
            basis: record.basis,
            settings: record.settings,
        })
    }
}

/// The order that covers the claim's time.
pub(super) async fn of_claim(client: &Client, claim: &RecordedClaim) -> Result<Issued, Error> {
    Issued::read(&event_of(client, claim).await?)
}

/// The same without its lines.
pub(super) async fn head_of(client: &Client, claim: &RecordedClaim) -> Result<Head, Error> {
    let recorded = event_of(client, claim).await?;
    record::read(&recorded.event).map_err(Error::broken)
}

async fn event_of(client: &Client, claim: &RecordedClaim) -> Result<Recorded, Error> {
    let RecordedClaim { order_id, position, .. } = claim;
    log::read_at(client, *position).await?.ok_or_else(|| {
        Error::Broken(format!("the log has no event at {position}, where order {order_id} stood"))
    })
}
