//! Samples in another SQL database, or as CSV: for BI tools that must not query ours.
//!
//! Reads the read model `metering` and writes a table of nine columns. The position of the log up to which
//! that table is complete is stored beside it, in the same database, and moves in the transaction that
//! writes the rows: an export that is killed at any point goes on as if nothing had happened.

mod csv;
mod follow;
mod plan;
mod progress;
mod refusal;
mod sample;
mod select;
mod session;
mod source;
mod target;
mod window;

use crate::db::Database;

pub use csv::write_csv;
pub(crate) use csv::write_line as write_csv_line;
pub use follow::{follow, run_once};
pub use plan::Chunk;
pub use progress::{Progress, load as progress};
pub use refusal::Refusal;
pub use sample::Sample;
pub use select::Selection;
pub use source::Origin;
pub use target::Address;

/// An export: which samples, from our database to which table.
#[derive(Clone, Debug)]
pub struct Job {
    /// Our database.
    pub database: Database,
    /// The other database.
    pub address: Address,
    /// The table there.
    pub table: String,
    /// The most samples of one transaction; one event's samples are never split.
    pub batch: usize,
    /// The samples to export.
    pub selection: Selection,
}

/// The work of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Samples written.
    pub samples: u64,
    /// Superseded samples that were looked for, to delete them.
    pub superseded: u64,
    /// The position up to which the target is complete.
    pub position: i64,
}
