//! The decoder: collects the facts of a stretch of the log while it is read.

use crate::event::Recorded;
use crate::projection::{Decode, StretchFacts, UnusedEvents};

use super::fact::Fact;
use super::instance_facts::FactsByInstance;

/// The reason of an event without the values that no index holds.
const OVERLONG: &str = "values of more than 255 bytes are left out";

/// Collects facts, instance by instance.
#[derive(Default)]
pub(super) struct Decoder {
    facts: FactsByInstance,
    unused: UnusedEvents,
}

impl Decode for Decoder {
    fn read(&mut self, recorded: Recorded) {
        let position = recorded.position;
        match Fact::read(recorded) {
            Ok(Some(mut fact)) => {
                let parts = u64::from(fact.content.drop_overlong_values());
                self.unused.add_parts(position, parts, OVERLONG);
                self.facts.add(fact);
            }
            Ok(None) => {}
            Err(unusable) => self.unused.add(position, unusable),
        }
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.facts.finish()), unused: self.unused }
    }
}
