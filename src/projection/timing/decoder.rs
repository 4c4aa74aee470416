//! The decoder: collects the facts of a stretch of the log while it is read.

use crate::event::Recorded;
use crate::projection::{Decode, StretchFacts};

use super::fact::Fact;
use super::instance_facts::FactsByInstance;

/// Collects facts, instance by instance.
#[derive(Default)]
pub(super) struct Decoder {
    facts: FactsByInstance,
    skipped: u64,
}

impl Decode for Decoder {
    fn read(&mut self, recorded: Recorded) {
        match Fact::read(recorded) {
            Ok(Some(mut fact)) => {
                self.skipped += u64::from(fact.content.drop_overlong_values());
                self.facts.add(fact);
            }
            Ok(None) => {}
            Err(_) => self.skipped += 1,
        }
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.facts.finish()), skipped: self.skipped }
    }
}
