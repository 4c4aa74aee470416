//! The engine: keeps every read model up to date with the log, and knows none of them. It reads the log
//! ahead ([`Decode`]), applies a stretch and moves the checkpoint in one transaction, replays into fresh
//! tables and swaps them in, and compares live rows with replayed ones.

mod candidate;
mod checkpoint;
mod compare;
mod feed;
mod frozen;
mod live;
mod replay;
mod runner;
#[cfg(test)]
pub(super) mod scratch;
mod set_aside;
mod skip;
mod slot;
mod status;
mod step;
mod stretch;
pub(super) mod table;
mod unused;
mod wake;

use std::any::Any;

use anyhow::Result;
use deadpool_postgres::Pool;
use futures_util::future::BoxFuture;
use tokio_postgres::Transaction;
use utoipa_axum::router::OpenApiRouter;

use crate::config::File;
use crate::event::{Family, Recorded};
use crate::log::Limit;

pub use candidate::{Conflict, conflicts};
pub use checkpoint::{
    RowsVersion, lock_tables_shared, position, try_lock_tables_exclusive, unlock_tables,
};
pub use compare::{Comparison, compare};
pub use frozen::FrozenRows;
pub use live::{
    LivePosition, Snapshot, Wait, applied_positions, live_position, moment, snapshot,
    wait_until_applied,
};
pub use replay::{Progress, replay};
pub use runner::run;
pub use set_aside::{SetAsideEvent, list_set_aside};
pub use skip::{Skip, SkipRefused, find_obstacle, skip};
pub use slot::Slot;
pub use status::{Status, read_sizes, statuses};
pub use unused::UnusedEvents;

/// A projection: how its rows are made, as a struct of functions.
pub struct Projection {
    /// Its name, which is also the name of the PostgreSQL schema of its tables.
    pub name: &'static str,
    /// The version of its code. Raise it with every change that makes other rows of the same events: tables
    /// of another version are replayed.
    pub version: i32,
    /// The families whose events it reads.
    pub families: &'static [Family],
    /// Returns the part of the configuration that its rows depend on, as text. When that changes, the rows
    /// are replayed.
    pub config: fn(&File) -> String,
    /// The SQL that creates its tables. Names are unqualified: the search path gives the schema.
    pub ddl: &'static str,
    /// The SQL that creates the indexes which only queries need, if they do not exist. Names are
    /// unqualified. A replay creates them when its tables are full.
    pub indexes: &'static str,
    /// The names of its tables, for comparing live rows with replayed ones.
    pub tables: &'static [&'static str],
    /// The rows that no longer change once they lie before a horizon, whatever the log still contains.
    /// `apply` must skip facts from before it (see [`crate::log::read_horizon`]).
    pub frozen: &'static [FrozenRows],
    /// The size of a stretch, which is applied at once. Smaller than usual where facts take much more memory
    /// than the bodies they are read from.
    pub stretch: Limit,
    /// Starts decoding a stretch. Decoding uses the processor alone, no rows, because it runs beside `apply`
    /// of the stretch before.
    pub decode: fn(&File) -> Box<dyn Decode + '_>,
    /// Folds the facts into the rows, set by set, in the transaction that also moves the checkpoint.
    pub apply: Apply,
    /// The HTTP routes that its rows answer, with their description; empty where other modules query the
    /// read model.
    pub routes: fn() -> OpenApiRouter<Pool>,
}

impl Projection {
    /// Returns the version and configuration that this process makes rows with.
    pub fn rows_version(&self, file: &File) -> RowsVersion {
        RowsVersion { version: self.version, config: (self.config)(file) }
    }

    /// Decodes events as one stretch.
    pub fn decode_all(
        &self,
        file: &File,
        events: impl IntoIterator<Item = Recorded>,
    ) -> StretchFacts {
        let mut decode = (self.decode)(file);
        events.into_iter().for_each(|event| decode.read(event));
        decode.finish()
    }
}

/// The function that writes a stretch, see [`Projection::apply`].
pub type Apply =
    for<'a> fn(&'a Transaction<'a>, &'a File, Box<dyn Any + Send>) -> BoxFuture<'a, Result<()>>;

/// The lease went to another process, or a replay swapped the tables: the current step is not applied.
#[derive(Debug, thiserror::Error)]
#[error("the projection is held by another process")]
pub struct LeaseLost;

/// The reason why a process leaves a projection to another one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StandBy {
    /// Another process is replaying it.
    #[error("another process is replaying it")]
    Replaying,
    /// A newer program made its tables.
    #[error("its tables were made by a newer stackledger")]
    Newer,
    /// The configuration of another process counts.
    #[error(
        "{process} projects it with another configuration ({difference}): give both the same, or stop one of them"
    )]
    Conflict {
        /// The other process.
        process: String,
        /// How the configurations differ.
        difference: String,
    },
}

/// Decodes the events of a stretch one by one, as the database sends them. It keeps the facts, which are
/// small, and drops the bodies.
pub trait Decode {
    /// Reads the next event.
    fn read(&mut self, recorded: Recorded);
    /// Returns the facts of all events.
    fn finish(self: Box<Self>) -> StretchFacts;
}

/// The facts of a stretch of the log.
pub struct StretchFacts {
    /// The facts, of the projection's own type.
    pub facts: Box<dyn Any + Send>,
    /// The events that could not be used, or contained a value that could not.
    pub unused: UnusedEvents,
}
