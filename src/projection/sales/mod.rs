//! Sales orders as they were issued: a copy of their events, with nothing computed.

pub mod read;
pub mod routes;

use std::any::Any;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::billing::Amount;
use crate::billing::order::record;
use crate::event::{Family, Recorded};
use crate::log::Limit;
use crate::projection::{Decode, Projection, StretchFacts, UnusedEvents};

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "sales",
    version: 2,
    families: &[Family::Billing],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/sales.sql"),
    indexes: include_str!("../../../schema/sales_indexes.sql"),
    tables: &["sales_order"],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |_| Box::<Decoder>::default(),
    apply: |tx, _, facts| Box::pin(apply(tx, facts)),
    routes: routes::routes,
};

/// The fact of an event: an order that was issued.
struct OrderFact {
    order_id: Uuid,
    head: Head,
    issued_at: Timestamp,
    body: Box<RawValue>,
    event_id: Uuid,
    position: i64,
}

/// The part of an event's data that is read.
#[derive(Deserialize)]
struct Payload {
    order_id: Uuid,
    order: Box<RawValue>,
}

/// The part of an order that is read.
#[derive(Deserialize)]
struct Head {
    tenant_id: String,
    name: Option<String>,
    from: Timestamp,
    to: Timestamp,
    position: i64,
    currency: String,
    total: Amount,
    lines: Vec<IgnoredAny>,
    unrated: Vec<IgnoredAny>,
    adjustments: Vec<IgnoredAny>,
}

#[derive(Default)]
struct Decoder {
    facts: Vec<OrderFact>,
    unused: UnusedEvents,
}

impl Decode for Decoder {
    fn read(&mut self, recorded: Recorded) {
        match read_order(&recorded) {
            Some(fact) => self.facts.push(fact),
            None => self.unused.add(recorded.position, "it is not an order that can be read"),
        }
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.facts), unused: self.unused }
    }
}

fn read_order(recorded: &Recorded) -> Option<OrderFact> {
    let Payload { order_id, order } = record::read(&recorded.event).ok()?;
    Some(OrderFact {
        order_id,
        head: serde_json::from_str(order.get()).ok()?,
        issued_at: recorded.event.occurred_at.unwrap_or(recorded.recorded_at),
        body: order,
        event_id: recorded.event.id,
        position: recorded.position,
    })
}

async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let orders: Box<Vec<OrderFact>> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of sales"))?;
    let count = |list: &[IgnoredAny]| i32::try_from(list.len()).unwrap_or(i32::MAX);
    let statement = tx
        .prepare(
            "-- sales::insert
             INSERT INTO sales_order (order_id, tenant_id, \"from\", \"to\", total, currency, lines,
                                      unrated, adjustments, as_of, issued_at, body, event_id, position, name)
             VALUES ($1, $2, $3, $4, $5::text::numeric, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT DO NOTHING",
        )
        .await
        .context("writing sales_order")?;
    // One INSERT for each rather than the COPY of small tables: orders are few and may be large, totals are
    // exact beyond the range of `Decimal`, and an order that is there already stays as it is.
    for OrderFact { order_id, head, issued_at, body, event_id, position } in orders.iter() {
        tx.execute(
            &statement,
            &[
                order_id,
                &head.tenant_id,
                &head.from,
                &head.to,
                &head.total.to_string(),
                &head.currency,
                &count(&head.lines),
                &count(&head.unrated),
                &count(&head.adjustments),
                &head.position,
                issued_at,
                &body.get(),
                event_id,
                position,
                &head.name,
            ],
        )
        .await
        .context("writing sales_order")?;
    }
    Ok(())
}
