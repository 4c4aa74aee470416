//! Errors as problem details (RFC 9457): `application/problem+json` for every error.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::PoolError;
use serde::Serialize;
use tokio_postgres::error::SqlState;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db;

/// The reason why a request failed. A clone is among the response's extensions, for routes that show it in
/// another form.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status is the kind of problem.
    pub r#type: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The fault of this request, in one sentence.
    pub detail: String,
    /// The wrong parameter or field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The sales order that prevents it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Uuid>,
}

/// Seconds to wait after a 503, for the header `Retry-After`.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// The media type of problems (RFC 9457).
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

impl Problem {
    /// Creates a problem of a status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
            order_id: None,
        }
    }

    /// 400: a parameter or field is wrong.
    pub fn bad_request(parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem {
            parameter: Some(parameter.into()),
            ..Problem::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    /// 400: the request as a whole is wrong.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: the state of the thing does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::CONFLICT, detail)
    }

    /// 413: the request has more bytes than are accepted.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 503 with `Retry-After`: a service that the answer needs is away.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 500: a defect of ours. The process's log has the cause; the answer does not.
    pub fn internal() -> Self {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a defect of the server; its log has the cause",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        let explained = db::explain(&error);
        if db::is_transient(&error) {
            tracing::warn!(error = explained, "the database does not answer");
            return Problem::unavailable("the database does not answer now");
        }
        // The read model has never been projected, or a replay is swapping it; or its tables are of an
        // older version, until the replay ends.
        if matches!(
            error.code(),
            Some(
                &SqlState::UNDEFINED_TABLE
                    | &SqlState::UNDEFINED_COLUMN
                    | &SqlState::INVALID_SCHEMA_NAME
            )
        ) {
            tracing::warn!(error = explained, "a read model is missing");
            return Problem::unavailable("the read model does not exist yet");
        }
        // Values are checked before they are bound; this catches what those checks let pass.
        if error.code().is_some_and(|state| state.code().starts_with("22")) {
            tracing::warn!(error = explained, "the database refused a value of a request");
            return Problem::malformed("a value is out of range");
        }
        tracing::error!(error = explained, "a query failed");
        Problem::internal()
    }
}

impl From<PoolError> for Problem {
    fn from(error: PoolError) -> Self {
        match error {
            // The fault is in the way to the database, not in the request.
            PoolError::Backend(error) => {
                let explained = db::explain(&error);
                tracing::warn!(error = explained, "no database connection can be made");
                Problem::unavailable("the database does not answer now")
            }
            PoolError::Timeout(_) | PoolError::Closed => {
                tracing::warn!(error = %error, "no database connection is free");
                Problem::unavailable("no database connection is free now")
            }
            other => {
                tracing::warn!(error = %other, "no database connection can be made");
                Problem::unavailable("the database does not answer now")
            }
        }
    }
}
