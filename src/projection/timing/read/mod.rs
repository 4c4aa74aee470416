//! Every query on the tables. Functions return typed rows, and callers give these their shapes. `load` reads
//! the tables of the search path's schema, for the fold; everything else names the schema and so reads the
//! live tables.

pub mod builds;
pub mod instances;
mod load;
pub mod operations;
pub mod recipes;
pub mod requests;
pub mod timings;
pub mod ttm;

pub(super) use load::{load_hours, load_rows};
