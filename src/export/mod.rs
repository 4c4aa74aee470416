//! Samples in another SQL database, or as CSV: what a BI tool reads without asking us.
//!
//! Reads the read model `metering` and writes a table of nine columns. Up to which position of the
//! log that table has everything stands beside it, in the same database, and moves in the
//! transaction that writes the rows: killed at any point, it goes on as if nothing had happened.

mod csv;
mod follow;
mod plan;
mod progress;
mod sample;
mod select;
mod session;
mod source;
mod stretch;
mod target;

use crate::db::Database;

pub use csv::csv;
pub(crate) use csv::write_line as write_csv_line;
pub use follow::{follow, once};
pub use plan::Chunk;
pub use progress::{Progress, all as progress};
pub use sample::Sample;
pub use select::Selection;
pub use session::Refused;
pub use source::Origin;
pub use target::Address;

/// What is exported where to.
#[derive(Clone, Debug)]
pub struct Job {
    /// Our database.
    pub database: Database,
    /// The other one.
    pub address: Address,
    /// The table there.
    pub table: String,
    /// Samples in one transaction at most.
    pub batch: usize,
    /// Which samples.
    pub selection: Selection,
}

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Samples written.
    pub samples: u64,
    /// Samples told of that others had taken the place of.
    pub superseded: u64,
    /// The position up to which the target has everything.
    pub position: i64,
}
