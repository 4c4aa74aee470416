//! What every route shares: problems, parameters, bodies and pages. Knows nothing of what is served.

mod body;
mod page;
mod path;
mod problem;
mod query;

pub use body::{BODY_MAX, Body};
pub use page::{Cursor, Items, LIMIT_DEFAULT, LIMIT_MAX, Paging, time_of};
pub use path::Segments;
pub use problem::Problem;
pub use query::{FromParameters, Nothing, Parameters, Query};

/// Seconds of a duration that is kept in whole µs, exact to the last of them.
pub fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
