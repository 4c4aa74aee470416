//! The engine: keeps every read model up to date with the log, and knows none of them. It reads the log
//! ahead ([`Decode`]), applies a stretch and moves the checkpoint in one transaction, replays into fresh
//! tables and swaps them in, and compares live rows with replayed ones.

mod checkpoint;
mod compare;
mod feed;
mod frozen;
mod live;
mod replay;
mod runner;
#[cfg(test)]
pub(super) mod scratch;
mod status;
mod step;
pub(super) mod table;
mod wake;

use std::any::Any;

use anyhow::Result;
use futures_util::future::BoxFuture;
use tokio_postgres::Transaction;

use crate::config::File;
use crate::event::{Family, Recorded};
use crate::log::Limit;

pub use checkpoint::{
    RowsVersion, Slot, lock_tables_shared, position, try_lock_tables_exclusive, unlock_tables,
};
pub use compare::{Comparison, compare};
pub use frozen::Frozen;
pub use live::{
    LivePosition, Snapshot, Wait, applied_positions, live_position, moment, snapshot,
    wait_until_applied,
};
pub use replay::{Progress, replay};
pub use runner::run;
pub use status::{Status, statuses};

/// A projection, as a struct of functions.
pub struct Projection {
    /// Its name, and that of the PostgreSQL schema its tables live in.
    pub name: &'static str,
    /// To be raised with every change that gives other rows for the same events; when it differs
    /// from the tables', they are replayed.
    pub version: i32,
    /// The families it reads.
    pub families: &'static [Family],
    /// The part of the configuration that its rows depend on, as text; when it changes, they are
    /// replayed.
    pub config: fn(&File) -> String,
    /// Creates its tables, unqualified: the search path says in which schema.
    pub ddl: &'static str,
    /// Creates the indexes that `apply` does not need, unqualified, where they are missing. A replay
    /// makes them once its tables are full.
    pub indexes: &'static str,
    /// Its tables, for comparing live rows with replayed ones.
    pub tables: &'static [&'static str],
    /// Which rows lie before a horizon, and so stay as they are whatever the log still holds; `apply`
    /// has to leave out what lies before it (see [`crate::log::horizon`]).
    pub frozen: &'static [Frozen],
    /// How much is applied at once: less than usual where facts take much more room than the bodies
    /// they are of.
    pub stretch: Limit,
    /// Begins to read a stretch, without looking at any row. CPU only; runs beside `apply` of the
    /// stretch before.
    pub decode: fn(&File) -> Box<dyn Decode + '_>,
    /// Folds the facts into the rows, by sets, in the transaction that also moves the checkpoint.
    pub apply: Apply,
}

impl Projection {
    /// What its rows are made with, by this program and this configuration.
    pub fn rows_version(&self, file: &File) -> RowsVersion {
        RowsVersion { version: self.version, config: (self.config)(file) }
    }

    /// What these events say, as one stretch.
    pub fn decode_all(&self, file: &File, events: impl IntoIterator<Item = Recorded>) -> Decoded {
        let mut decode = (self.decode)(file);
        events.into_iter().for_each(|event| decode.read(event));
        decode.finish()
    }
}

/// See [`Projection::apply`].
pub type Apply =
    for<'a> fn(&'a Transaction<'a>, &'a File, Box<dyn Any + Send>) -> BoxFuture<'a, Result<()>>;

/// The lease is another process's, or the tables were swapped: whatever was being applied is not.
#[derive(Debug, thiserror::Error)]
#[error("the projection is held by another process")]
pub struct LeaseLost;

/// Why a process leaves a projection to another one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum StandBy {
    /// Another process is replaying it.
    #[error("another process is replaying it")]
    Replaying,
    /// Its tables were made by a newer program.
    #[error("its tables were made by a newer stackledger")]
    Newer,
}

/// Takes from the events of a stretch what they say, one after the other as the database sends them:
/// what is small is kept, the bodies are not.
pub trait Decode {
    /// Reads the next event.
    fn read(&mut self, recorded: Recorded);
    /// What the events said.
    fn finish(self: Box<Self>) -> Decoded;
}

/// What was read of a stretch of the log.
pub struct Decoded {
    /// The facts, of the projection's own type.
    pub facts: Box<dyn Any + Send>,
    /// Events that could not be used, or held a value that could not.
    pub skipped: u64,
}
