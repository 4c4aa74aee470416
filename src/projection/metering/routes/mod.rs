//! What the read model answers.

mod meters;
mod rejected;
mod resources;
mod samples;
mod tenants;

use deadpool_postgres::Pool;
use serde_json::value::{RawValue, to_raw_value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use samples::Sample;

/// The routes under `/v1` that the metering projection answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new()
        .routes(routes!(samples::list))
        .routes(routes!(rejected::list))
        .routes(routes!(meters::list))
        .routes(routes!(resources::list))
        .routes(routes!(tenants::list))
}

/// Metadata as the JSON it is, or, where it is none, as a string.
fn json(body: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(body).or_else(|_| to_raw_value(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_back_as_it_was_sent() {
        for (body, shown) in [
            (r#"{"b": 1.50, "a": [1e400]}"#, r#"{"b": 1.50, "a": [1e400]}"#),
            ("{'a': 1}", r#""{'a': 1}""#),
            ("", r#""""#),
        ] {
            assert_eq!(json(body).unwrap().get(), shown);
        }
    }
}
