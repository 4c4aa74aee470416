//! Facts: the part of an event that the read model keeps, and the order of facts.

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::deployment::{self, DeploymentEvent, Phase, Stack};
use crate::event::{ID_MAX, Recorded};
use crate::projection::{Decode, StretchFacts, UnusedEvents};

/// An event of a deployment or an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The event's id.
    pub event_id: Uuid,
    /// When it happened, by the sender's clock.
    pub occurred_at: Timestamp,
    /// [`DeploymentEvent::word`].
    pub kind: String,
    /// The deployment it names.
    pub deployment_id: Option<String>,
    /// The instance it is about.
    pub instance_id: Option<String>,
    /// The content of the event.
    pub event: DeploymentEvent,
}

impl Fact {
    /// Creates the fact of an event.
    pub fn new(event_id: Uuid, occurred_at: Timestamp, event: DeploymentEvent) -> Self {
        Fact {
            event_id,
            occurred_at,
            kind: event.word().to_owned(),
            deployment_id: event.deployment_id().map(str::to_owned),
            instance_id: event.instance_id().map(str::to_owned),
            event,
        }
    }

    /// Returns the place of the fact among others. Many senders' clocks show whole seconds: events of the
    /// same time are ordered in the only way in which they can have happened.
    pub(super) fn stamp(&self) -> Stamp {
        let rank = match self.event {
            DeploymentEvent::Declared { .. } => 1,
            DeploymentEvent::Stack(Stack { phase: Phase::Start, .. }) => 2,
            DeploymentEvent::Stack(_) => 3,
            DeploymentEvent::Registered(_) => 4,
            DeploymentEvent::Contacted { .. } => 5,
            DeploymentEvent::Provided { .. } => 6,
            DeploymentEvent::Started { .. } => 7,
            DeploymentEvent::Ended { .. } => 8,
            DeploymentEvent::Abandoned { .. } => 9,
            DeploymentEvent::Deleted { .. } => 10,
        };
        (self.occurred_at, rank, self.event_id)
    }
}

/// The place of a fact among others: its time, the rank of its kind and its id. See [`Fact::stamp`].
pub(super) type Stamp = (Timestamp, u8, Uuid);

/// Returns the place before all facts of a time.
pub(super) fn before_all_at(at: Timestamp) -> Stamp {
    (at, 0, Uuid::nil())
}

/// Sorts facts by their stamps and removes duplicates.
pub(super) fn sort<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Vec<&'a Fact> {
    let mut facts: Vec<&Fact> = facts.into_iter().collect();
    facts.sort_unstable_by_key(|fact| fact.stamp());
    facts.dedup_by_key(|fact| fact.stamp());
    facts
}

/// Reads the facts of a stretch of the log.
#[derive(Default)]
pub(super) struct Decoder {
    facts: Vec<Fact>,
    unused: UnusedEvents,
}

impl Decode for Decoder {
    fn read(&mut self, Recorded { position, event, .. }: Recorded) {
        match deployment::decode(&event.kind, &event.body) {
            // Heat reports more than stacks have states for.
            Ok(None) if event.kind.starts_with(deployment::HEAT) => {}
            Ok(None) => {
                let kind = &event.kind;
                self.unused.add(
                    position,
                    format_args!("no event of the family deployment has the type {kind}"),
                );
            }
            Ok(Some(read)) => {
                // A fact without a time has no place among the others, and no index holds longer ids.
                let is_short = |id: Option<&str>| id.is_none_or(|id| id.len() <= ID_MAX);
                let fits =
                    is_short(read.event.deployment_id()) && is_short(read.event.instance_id());
                match event.occurred_at {
                    Some(at) if fits => {
                        let parts =
                            format_args!("{} parts of its data cannot be read", read.skipped);
                        self.unused.add_parts(position, read.skipped, parts);
                        self.facts.push(Fact::new(event.id, at, read.event));
                    }
                    Some(_) => self.unused.add(position, "an id of it is too long"),
                    None => self.unused.add(position, "it has no time from 2000 to 2099"),
                }
            }
            Err(fault) => self.unused.add(position, fault),
        }
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.facts), unused: self.unused }
    }
}
