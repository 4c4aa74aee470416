//! Errors as RFC 9457 has them: `application/problem+json`, whatever went wrong.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::PoolError;
use serde::Serialize;
use tokio_postgres::error::SqlState;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db;

/// Why a request was not done. Clones travel with the response, for those who show it otherwise.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    pub r#type: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this very request.
    pub detail: String,
    /// The parameter or field that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The sales order that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Uuid>,
}

/// What a client that gets 503 is told to wait, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// The media type of problems.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

impl Problem {
    /// A problem of that status.
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

    /// 413: more bytes than are taken.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 503 with `Retry-After`: something we need is away.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 500: a defect of ours. What it was stands in the log, not in the answer.
    pub fn internal() -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect of ours; the log has more")
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
            tracing::warn!(error = explained, "the database is away");
            return Problem::unavailable("the database does not answer now");
        }
        // A read model that nobody has projected yet, or that a replay is putting in place; or one of
        // an older version, while it is replayed.
        if matches!(
            error.code(),
            Some(
                &SqlState::UNDEFINED_TABLE
                    | &SqlState::UNDEFINED_COLUMN
                    | &SqlState::INVALID_SCHEMA_NAME
            )
        ) {
            tracing::warn!(error = explained, "a read model is not there");
            return Problem::unavailable("the read model is not there yet");
        }
        // Values are checked before they are bound; this is the net below those checks.
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
            // Whatever is wrong with the way to the database, it is not the request.
            PoolError::Backend(error) => {
                let explained = db::explain(&error);
                tracing::warn!(error = explained, "no database connection can be made");
                Problem::unavailable("the database does not answer now")
            }
            PoolError::Timeout(_) | PoolError::Closed => {
                tracing::warn!(error = %error, "no database connection is to be had");
                Problem::unavailable("no database connection is free now")
            }
            other => {
                tracing::warn!(error = %other, "no database connection can be made");
                Problem::unavailable("the database does not answer now")
            }
        }
    }
}
