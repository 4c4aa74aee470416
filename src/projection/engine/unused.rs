//! What a projection could not use of a stretch.

use std::fmt::Display;

/// The events of a stretch that could not be used, or not as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UnusedEvents {
    count: u64,
    positions: Vec<i64>,
    reasons: Vec<String>,
}

impl UnusedEvents {
    /// Adds the event at this position, with the reason why it, or a part of it, is not used.
    pub fn add(&mut self, position: i64, reason: impl Display) {
        self.add_parts(position, 1, reason);
    }

    /// As [`UnusedEvents::add`], for several parts of one event; nothing if there are none.
    pub fn add_parts(&mut self, position: i64, parts: u64, reason: impl Display) {
        if parts > 0 {
            self.count += parts;
            self.positions.push(position);
            self.reasons.push(reason.to_string());
        }
    }

    /// Adds an event whose unusable parts are listed elsewhere, one by one.
    pub fn add_listed(&mut self) {
        self.count += 1;
    }

    /// The number of events and parts.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The positions of the events.
    pub(super) fn positions(&self) -> &[i64] {
        &self.positions
    }

    /// The reason for each of [`UnusedEvents::positions`].
    pub(super) fn reasons(&self) -> &[String] {
        &self.reasons
    }
}
