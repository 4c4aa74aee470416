//! Launches: the messages that show that an instance was launched, for when the end of its creation was lost.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::build::CREATE;
use super::rows::Instance;
use super::stamp::{Stamp, earliest};
use crate::event::nova::{Notification, Phase, Subject};

/// The operations that set the time of the launch anew (nova 34.0.0, `nova/compute/manager.py`).
const RELAUNCHES: [&str; 5] = ["rebuild", "rescue", "resize_finish", "resize_revert", "unshelve"];

/// The states that only an instance that was launched has. A failed build may be soft-deleted.
const LAUNCHED_STATES: [&str; 8] = [
    "active",
    "paused",
    "rescued",
    "resized",
    "shelved",
    "shelved_offloaded",
    "stopped",
    "suspended",
];

impl Instance {
    /// Updates the registers of the launch by a notification.
    pub fn record_launch(&mut self, stamp: Stamp, notification: &Notification) {
        if let Subject::Operation { operation, phase } = &notification.subject {
            // The last step of a creation may fail after the launch, which is then not stored.
            if operation == CREATE && *phase == Phase::Error {
                return;
            }
            if RELAUNCHES.contains(&operation.as_str()) {
                let at = relaunch_time(stamp, *phase, notification.launched_at);
                self.relaunched_at = earliest(self.relaunched_at, Some(at));
            }
        }
        match notification.state.as_deref() {
            Some("building") => {
                self.building_reported_at = earliest(self.building_reported_at, Some(stamp.0));
                return;
            }
            Some(state) if LAUNCHED_STATES.contains(&state) => {
                self.running_reported_at = earliest(self.running_reported_at, Some(stamp.0));
            }
            _ => {}
        }
        self.first_launched_at = first_launch(self.first_launched_at, notification.launched_at);
    }

    /// Whether a message shows that it was launched: by its state, or by the time of a launch.
    pub fn was_launched(&self) -> bool {
        self.first_launched_at.is_some() || self.running_reported_at.is_some()
    }

    /// Whether messages show it by both, which outweighs a report that it could not be created: an
    /// administrator may set the state of a failed build to `active`.
    pub fn was_launched_for_certain(&self) -> bool {
        self.first_launched_at.is_some() && self.running_reported_at.is_some()
    }

    /// The time of its first launch; `None` if the only known times are those of later launches.
    pub fn launch_time(&self) -> Option<Timestamp> {
        self.first_launched_at.filter(|at| self.relaunched_at.is_none_or(|again| *at < again))
    }
}

/// Returns a time that is not after the launch that this step of an operation reports or begins.
fn relaunch_time(stamp: Stamp, phase: Phase, launched_at: Option<Timestamp>) -> Timestamp {
    match launched_at.filter(|_| phase == Phase::End) {
        // Later messages have its whole seconds.
        Some(at) => Timestamp::from_second(at.as_second()).unwrap_or(at).min(stamp.0),
        None => stamp.0,
    }
}

/// Returns the earlier of two launches. The time of one launch has a fraction in the message of the host that
/// launched it, and whole seconds once the database has stored it: then the one with the fraction.
pub(super) fn first_launch(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min_by_key(|at| (at.as_second(), Reverse(at.subsec_nanosecond())))
}
