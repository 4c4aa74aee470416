//! What the read model answers.

mod builds;
mod instance;
mod instances;
mod nova;
mod requests;
mod timings;

use deadpool_postgres::Pool;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{Problem, seconds};

pub use nova::{Nova, nova};

/// The routes under `/v1` that the timing projection answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new()
        .routes(routes!(instances::list))
        .routes(routes!(instance::show))
        .routes(routes!(builds::incomplete))
        .routes(routes!(timings::list))
        .routes(routes!(requests::show))
}

/// Seconds of a duration that may not be known.
fn optional_seconds(micros: Option<i64>) -> Option<f64> {
    micros.map(seconds)
}

/// The time in a cursor, which is a client's text after all.
fn time_of(micros: i64) -> Result<Timestamp, Problem> {
    Timestamp::from_microsecond(micros)
        .map_err(|_| Problem::bad_request("cursor", "this list gave out no such cursor"))
}
