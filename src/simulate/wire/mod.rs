//! Facts as messages: the shapes that Nova, Ceilometer, oslo.messaging and our own senders put on
//! the wire.

mod cloudevent;
mod deployment;
mod legacy;
mod meter;
mod notification;
mod perf;
mod python;
mod versioned;

use jiff::{SignedDuration, Timestamp};

use super::{
    cloud::Cloud,
    rng::Rng,
    scenario::{Fact, Formats, Instance, Micros, Report, What},
};

pub(crate) use deployment::Reporting;
pub(crate) use meter::Reading;
pub(crate) use perf::Sampling;

/// One message as the broker gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `nova`, `ceilometer` or `stackledger`.
    pub exchange: &'static str,
    /// E.g. `notifications.info`, or the CloudEvent's type.
    pub routing_key: String,
    /// The AMQP property.
    pub content_type: &'static str,
    /// JSON in one line.
    pub body: Vec<u8>,
    /// The sender's id inside the body (OpenStack sets no AMQP property): what duplicates share. An
    /// RPC cast has none of its own: then its first sample's.
    pub message_id: String,
}

/// In which shape a fact is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Legacy,
    Versioned,
    CloudEvent,
}

/// All that makes a message of a fact.
pub(crate) struct Telling<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) seed: u64,
    /// Where the simulation's time 0 lies.
    pub(crate) base: Timestamp,
    pub(crate) instance: &'a Instance,
    /// The instance's number, and the fact's within it: they name the ids.
    pub(crate) place: (u32, u32),
    pub(crate) shape: Shape,
    /// Published by another call of the driver: the same message with another `_unique_id`.
    pub(crate) sent_again: bool,
}

impl Telling<'_> {
    pub(crate) fn message(&self) -> Message {
        let fact = &self.instance.facts[self.place.1 as usize];
        match (self.shape, &fact.what) {
            (Shape::CloudEvent, What::Reported(what)) => cloudevent::reported(self, fact, what),
            (Shape::Versioned, _) => self.notification(fact, &versioned::event(self, fact)),
            _ => self.notification(fact, &legacy::event(self, fact)),
        }
    }

    fn notification(&self, fact: &Fact, event: &notification::NovaEvent) -> Message {
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

    /// Numbers of this message alone, so that messages can be made in any order.
    fn rng(&self, purpose: u64) -> Rng {
        let (instance, fact) = self.place;
        Rng::new(self.seed, &[u64::from(instance), u64::from(fact), self.shape as u64, purpose])
    }

    /// When the message says it was sent.
    fn sent_at(&self, fact: &Fact) -> Timestamp {
        self.at(fact.at + self.delay())
    }

    /// Where both formats are on, Nova sends the versioned copy a few ms after the legacy one.
    fn delay(&self) -> Micros {
        match (self.instance.formats, self.shape) {
            (Formats::Both, Shape::Versioned) => self.rng(3).between(900, 8_999) as Micros,
            _ => 0,
        }
    }

    fn at(&self, micros: Micros) -> Timestamp {
        instant(self.base, micros)
    }
}

/// The moment `micros` after `base`.
pub(crate) fn instant(base: Timestamp, micros: Micros) -> Timestamp {
    base + SignedDuration::from_micros(micros)
}
