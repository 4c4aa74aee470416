//! The parts that all routes share: problems, parameters, bodies, pages and cursors. Knows nothing of the
//! data served.

mod body;
mod cursor;
mod page;
mod path;
mod problem;
mod query;

pub use body::{BODY_MAX, Body};
pub use cursor::{Cursor, CursorTime};
pub use page::{Items, LIMIT_DEFAULT, LIMIT_MAX, Paging};
pub use path::Segments;
pub use problem::Problem;
pub use query::{FromParameters, NoParameters, Parameters, Query};

/// Converts a duration from whole µs to seconds.
pub fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
