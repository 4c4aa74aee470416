//! Orders as the log contains them.

use serde::Deserialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::Error;
use crate::billing::order::{Adjustment, Record, SettingsAtIssue, record};
use crate::billing::{Basis, Order, Span};
use crate::config::{File, Pattern};
use crate::event::Recorded;
use crate::log::{self, RecordedClaim};

/// The namespace of orders' ids. It must never change, because ids are kept for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f6b_71c8_40d5_4e0e_b7c3_95a1_6e2d_08f4);

/// Returns the id of the order of a tenant and a span, of which there is never more than one.
pub(super) fn order_id(tenant_id: &str, span: Span) -> Uuid {
    let name = format!("{tenant_id}\0{}\0{}", span.from, span.to);
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// Returns the settings that an order issued now records.
pub(super) fn settings_at_issue(file: &File) -> SettingsAtIssue {
    let terms = &file.billing.terms;
    let texts = |patterns: &Vec<Pattern>| {
        patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect()
    };
    SettingsAtIssue {
        billing_timezone: terms.zone.name().to_owned(),
        settle_s: terms.settle_s,
        allow_unrated: terms.allow_unrated,
        trust_sources: file.metering.trust_sources.as_ref().map(texts),
        clock_s: Some([file.metering.clock_ahead_s, file.metering.clock_behind_s]),
    }
}

/// An order of the log.
#[derive(Debug)]
pub(super) struct LoggedOrder {
    /// The order's text, byte by byte.
    pub text: String,
    /// The order.
    pub order: Order,
    /// The basis it was computed with.
    pub basis: Basis,
    /// The other settings at that time.
    pub settings: SettingsAtIssue,
}

/// An order of the log without its lines, of which there may be many.
#[derive(Debug, Deserialize)]
pub(super) struct LoggedHead {
    pub order: OrderHead,
    pub basis: Basis,
}

/// See [`LoggedHead`].
#[derive(Debug, Deserialize)]
pub(super) struct OrderHead {
    /// The position up to which the order counts samples.
    pub position: i64,
    pub adjustments: Vec<Adjustment>,
}

impl LoggedOrder {
    /// Reads the order that an event issued.
    pub fn read(recorded: &Recorded) -> Result<LoggedOrder, Error> {
        let record = Record::read(&recorded.event).map_err(Error::broken)?;
        Ok(LoggedOrder {
            order: serde_json::from_str(record.order.get()).map_err(Error::broken)?,
            text: record.order.get().to_owned(),
            basis: record.basis,
            settings: record.settings,
        })
    }
}

/// Reads the order of a claim.
pub(super) async fn of_claim(client: &Client, claim: &RecordedClaim) -> Result<LoggedOrder, Error> {
    LoggedOrder::read(&event_of(client, claim).await?)
}

/// Reads the order of a claim without its lines.
pub(super) async fn head_of(client: &Client, claim: &RecordedClaim) -> Result<LoggedHead, Error> {
    let recorded = event_of(client, claim).await?;
    record::read(&recorded.event).map_err(Error::broken)
}

async fn event_of(client: &Client, claim: &RecordedClaim) -> Result<Recorded, Error> {
    let RecordedClaim { order_id, position, .. } = claim;
    log::read_at(client, *position).await?.ok_or_else(|| {
        Error::Broken(format!("the log has no event at {position}, where order {order_id} was"))
    })
}
