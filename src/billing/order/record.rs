//! The event of an issued order: the order, and all that it was computed with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Basis, Order};
use crate::event::ours::{Layout, OwnEvent};
use crate::event::{Event, Family};

/// The event's type.
pub const KIND: &str = "billing.sales_order.issued";

/// Who says so.
const SOURCE: &str = "stackledger/sales";

/// What was set besides, and decides which samples count and whether an order is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// Where days began.
    pub billing_timezone: String,
    /// How old the end had to be, in seconds.
    pub settle_s: u32,
    /// Whether usage without a rate might be left out.
    pub allow_unrated: bool,
    /// Whose samples counted; everybody's, where it is null.
    pub trust_sources: Option<Vec<String>>,
}

/// What the event says: its `data`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// Whose order it is.
    pub tenant_id: String,
    /// The order's id.
    pub order_id: Uuid,
    /// The order, byte by byte as it was answered.
    pub order: Box<RawValue>,
    /// What it was computed with.
    pub basis: Basis,
    /// What else was set.
    pub settings: Circumstances,
}

/// Why an order cannot be recorded: it is a draft, or the event is not read as one of ours.
#[derive(Debug, thiserror::Error)]
#[error("the order cannot be recorded: {0}")]
pub struct Unrecordable(String);

#[derive(Deserialize)]
struct Told<T> {
    data: T,
}

impl Record {
    /// The record of an order that was just computed.
    ///
    /// # Errors
    ///
    /// When it is a draft.
    pub fn new(order: &Order, basis: Basis, settings: Circumstances) -> Result<Self, Unrecordable> {
        let wrong = |why: &dyn std::fmt::Display| Unrecordable(why.to_string());
        let order_id = order.order_id.ok_or_else(|| wrong(&"it is a draft"))?;
        let text = String::from_utf8(order.to_bytes().map_err(|error| wrong(&error))?);
        let text = text.map_err(|error| wrong(&error))?;
        Ok(Record {
            tenant_id: order.tenant_id.clone(),
            order_id,
            order: RawValue::from_string(text).map_err(|error| wrong(&error))?,
            basis,
            settings,
        })
    }

    /// The event that says it.
    ///
    /// # Errors
    ///
    /// When it is not read as what it is.
    pub fn event(&self, now: Timestamp) -> Result<Event, Unrecordable> {
        let wrong = |why: &dyn std::fmt::Display| Unrecordable(why.to_string());
        let event = OwnEvent {
            layout: Layout::Specification,
            id: &self.order_id.to_string(),
            source: SOURCE,
            kind: KIND,
            time: &now.to_string(),
            data: &serde_json::to_vec(self).map_err(|error| wrong(&error))?,
        };
        let event = event.to_event().map_err(|error| wrong(&error))?;
        match event.family {
            Family::Billing if !event.redacted => Ok(event),
            family => Err(wrong(&format!("its event is read as one of {family}"))),
        }
    }

    /// What an event says.
    ///
    /// # Errors
    ///
    /// When it is not the event of an order.
    pub fn read(event: &Event) -> Result<Record, serde_json::Error> {
        read(event)
    }
}

/// As much of an event's [`Record`] as a type of fewer fields takes.
///
/// # Errors
///
/// When it is not the event of an order.
pub fn read<'e, T: Deserialize<'e>>(event: &'e Event) -> Result<T, serde_json::Error> {
    if event.kind != KIND {
        let why = format!("an event of the type {} issues no order", event.kind);
        return Err(serde::de::Error::custom(why));
    }
    serde_json::from_slice::<Told<T>>(&event.body).map(|told| told.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_the_body_never_change() {
        let data = r#"{"tenant_id":"t\"1","order_id":"4dc98bc5-6a8c-5d4c-9c8e-4f1d1c4b1b0e","order":{"total": 1.10},"basis":{"calculation":1,"rounding":{"currency":"EUR","digits":2,"line_digits":6,"second_to_hour":"exact"},"mappings":[],"rates":[]},"settings":{"billing_timezone":"UTC","settle_s":3600,"allow_unrated":false,"trust_sources":null}}"#;
        let record: Record = serde_json::from_str(data).unwrap();
        let event = record.event("2026-11-20T03:05:54.000125Z".parse().unwrap()).unwrap();
        let expected = format!(
            r#"{{"specversion":"1.0","id":"4dc98bc5-6a8c-5d4c-9c8e-4f1d1c4b1b0e","source":"stackledger/sales","type":"billing.sales_order.issued","time":"2026-11-20T03:05:54.000125Z","data":{data}}}"#
        );
        assert_eq!(String::from_utf8(event.body).unwrap(), expected);
    }
}
