//! Segments of a path, percent-decoded and fit for PostgreSQL.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::Problem;

/// The `N` variable segments of a route's path, in order.
#[derive(Clone, Debug)]
pub struct Segments<const N: usize>(pub [String; N]);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for Segments<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::malformed("the path is not UTF-8"))?;
        let segments: Vec<String> = params.iter().map(|(_, value)| value.to_owned()).collect();
        if segments.iter().any(|text| text.contains('\0')) {
            return Err(Problem::malformed("the path contains a NUL"));
        }
        segments.try_into().map(Segments).map_err(|_| Problem::internal())
    }
}
