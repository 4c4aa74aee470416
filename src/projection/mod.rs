//! Projections: events in, rows out. A read model is a pure function of the set of events, the
//! configuration and the projection's version: it reads no clock, no network and no other projection's
//! tables, and any order, duplication and batching of events makes the same rows. The exception are rows
//! from before a horizon of the log: they stay as they were when the horizon passed them.
//!
//! A projection is a folder here, its tables in `schema/<name>.sql`, and one entry in [`ALL`]. The
//! [`engine`] runs it; replay, verify, the API and the tests loop over the list.

pub mod deployment;
pub mod engine;
pub mod metering;
pub mod rollup;
pub mod sales;
pub mod timing;

pub use engine::{
    Comparison, Conflict, Decode, FrozenRows, LivePosition, Progress, Projection, RowsVersion,
    SetAsideEvent, Skip, SkipRefused, Slot, Snapshot, Status, StretchFacts, UnusedEvents, Wait,
    applied_positions, compare, conflicts, find_obstacle, list_set_aside, live_position,
    lock_tables_shared, moment, position, read_sizes, replay, run, skip, snapshot, statuses,
    try_lock_tables_exclusive, unlock_tables, wait_until_applied,
};

/// Every projection.
pub const ALL: &[&Projection] = &[
    &timing::PROJECTION,
    &metering::PROJECTION,
    &rollup::PROJECTION,
    &deployment::PROJECTION,
    &sales::PROJECTION,
];

/// Returns the projection of that name.
pub fn by_name(name: &str) -> Option<&'static Projection> {
    ALL.iter().copied().find(|projection| projection.name == name)
}
