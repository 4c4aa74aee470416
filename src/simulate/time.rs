//! The time of the simulation. It begins at 0; a plan decides at which instant that is.

use jiff::{SignedDuration, Timestamp};

/// Time since the beginning of the simulation, or a length of time, in µs.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;

/// Returns the instant `micros` after `base`.
pub(crate) fn instant(base: Timestamp, micros: Micros) -> Timestamp {
    base + SignedDuration::from_micros(micros)
}

/// Returns a length of time in seconds.
pub(crate) fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}
