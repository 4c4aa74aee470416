//! The event of an issued order: the order, and everything it was computed with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Order;
use super::basis::Basis;
use crate::event::ours::{Layout, OwnEvent};
use crate::event::{Event, Family};

/// The event's type.
pub const KIND: &str = "billing.sales_order.issued";

/// The event's source.
const SOURCE: &str = "stackledger/sales";

/// Settings besides the basis that decide which samples count and whether an order is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsAtIssue {
    /// The time zone in which days begin.
    pub billing_timezone: String,
    /// How old the end of an order had to be, in seconds.
    pub settle_s: u32,
    /// Whether an order could leave out usage that has no rate.
    pub allow_unrated: bool,
    /// Patterns of the sources whose samples counted; all sources if null.
    pub trust_sources: Option<Vec<String>>,
    /// How much later than its message a sample could be, and how much earlier, in seconds; none is set aside
    /// if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_s: Option<[u32; 2]>,
}

/// The `data` of the event.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// The tenant of the order.
    pub tenant_id: String,
    /// The order's id.
    pub order_id: Uuid,
    /// The order, byte for byte as it was answered.
    pub order: Box<RawValue>,
    /// The settings it was computed with.
    pub basis: Basis,
    /// The other settings that mattered.
    pub settings: SettingsAtIssue,
}

/// An order cannot be recorded: it is a draft, or its event is not decoded as an order's.
#[derive(Debug, thiserror::Error)]
#[error("the order cannot be recorded: {0}")]
pub struct RecordError(String);

/// The part of an event's body that is read.
#[derive(Deserialize)]
struct Body<T> {
    data: T,
}

impl Record {
    /// Creates the record of an order that was just computed.
    ///
    /// # Errors
    ///
    /// If the order is a draft.
    pub fn new(
        order: &Order,
        basis: Basis,
        settings: SettingsAtIssue,
    ) -> Result<Self, RecordError> {
        let wrong = |why: &dyn std::fmt::Display| RecordError(why.to_string());
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

    /// Creates the event of the record.
    ///
    /// # Errors
    ///
    /// If decoding the event does not give an order's event.
    pub fn event(&self, now: Timestamp) -> Result<Event, RecordError> {
        let wrong = |why: &dyn std::fmt::Display| RecordError(why.to_string());
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
            family => Err(wrong(&format!("its event is decoded as one of {family}"))),
        }
    }

    /// Reads the record of an event.
    ///
    /// # Errors
    ///
    /// If it is not the event of an order.
    pub fn read(event: &Event) -> Result<Record, serde_json::Error> {
        read(event)
    }
}

/// Reads an event's [`Record`] as a type that has only some of its fields.
///
/// # Errors
///
/// If it is not the event of an order.
pub fn read<'e, T: Deserialize<'e>>(event: &'e Event) -> Result<T, serde_json::Error> {
    if event.kind != KIND {
        let why = format!("an event of type {} does not issue an order", event.kind);
        return Err(serde::de::Error::custom(why));
    }
    serde_json::from_slice::<Body<T>>(&event.body).map(|body| body.data)
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
