//! Messages about instances: Nova's notifications in both formats, and the reports of bootstraps.

mod bootstrap;
mod legacy;
mod notification;
mod versioned;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::{Value, json};

use super::Message;
use crate::simulate::{
    cloud::Cloud,
    rng::Rng,
    scenario::{Fact, FactKind, Instance, NotificationFormat},
    time::{Micros, instant},
};

/// The shape in which a fact is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Legacy,
    Versioned,
    CloudEvent,
}

/// The parts from which a message about a fact is built.
pub(crate) struct InstanceMessage<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) seed: u64,
    /// The instant of the simulation's time 0.
    pub(crate) base: Timestamp,
    pub(crate) instance: &'a Instance,
    /// The instance's number and the number of the fact within it, which determine the message's ids.
    pub(crate) number: (u32, u32),
    pub(crate) shape: Shape,
    /// Whether another call of the driver publishes the same message again, with another `_unique_id`.
    pub(crate) sent_again: bool,
}

impl InstanceMessage<'_> {
    pub(crate) fn build(&self) -> Message {
        let fact = &self.instance.facts[self.number.1 as usize];
        match (self.shape, &fact.kind) {
            (Shape::CloudEvent, FactKind::Report(report)) => bootstrap::message(self, fact, report),
            (Shape::Versioned, _) => self.notification(fact, &versioned::event(self, fact)),
            _ => self.notification(fact, &legacy::event(self, fact)),
        }
    }

    fn notification<P: Serialize>(
        &self,
        fact: &Fact,
        event: &notification::NovaEvent<P>,
    ) -> Message {
        let topic = match self.shape {
            Shape::Versioned => "versioned_notifications",
            _ => "notifications",
        };
        let message_id = self.message_id();
        Message {
            exchange: "nova",
            routing_key: format!("{topic}.{}", event.priority.to_lowercase()),
            content_type: "application/json",
            body: notification::body(self, fact, event, &message_id).into_bytes(),
            message_id,
        }
    }

    fn message_id(&self) -> String {
        self.rng(0).uuid().to_string()
    }

    fn unique_id(&self) -> String {
        self.rng(if self.sent_again { 2 } else { 1 }).hex32()
    }

    /// Returns random numbers of this message alone, so that messages can be built in any order.
    fn rng(&self, purpose: u64) -> Rng {
        let (instance, fact) = self.number;
        Rng::new(self.seed, &[u64::from(instance), u64::from(fact), self.shape as u64, purpose])
    }

    /// Returns the time of sending that the message contains.
    fn sent_at(&self, fact: &Fact) -> Timestamp {
        self.at(fact.at + self.delay())
    }

    /// Returns the delay of the message. With both formats Nova sends the versioned one a few ms after the
    /// legacy one.
    fn delay(&self) -> Micros {
        match (self.instance.format, self.shape) {
            (NotificationFormat::Both, Shape::Versioned) => {
                self.rng(3).between(900, 8_999) as Micros
            }
            _ => 0,
        }
    }

    fn at(&self, micros: Micros) -> Timestamp {
        instant(self.base, micros)
    }

    /// Returns the metadata that the user attached to the instance.
    fn user_metadata(&self) -> Value {
        match self.number.0 % 3 {
            0 => json!({}),
            n => json!({"metering.billing": format!("dept-{n}"), "note": "poznámka"}),
        }
    }

    /// Returns the period of an audit (`instance_usage_audit_period = month`): from the beginning of the
    /// month to the fact.
    fn audit_period(&self, fact: &Fact) -> (Timestamp, Timestamp) {
        let end = self.at(fact.at);
        let month = end.to_zoned(TimeZone::UTC).first_of_month();
        let begin = month.and_then(|day| day.start_of_day());
        (begin.map_or(end, |begin| begin.timestamp()), end)
    }
}
