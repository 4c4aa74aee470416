//! The error of a request to a server.

use reqwest::StatusCode;
use serde::Deserialize;

/// The reason why a request was not answered, in one line for people.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(in crate::cli) struct RequestError {
    text: String,
    status: Option<StatusCode>,
}

impl From<serde_json::Error> for RequestError {
    fn from(error: serde_json::Error) -> Self {
        RequestError { text: format!("this version cannot read the answer: {error}"), status: None }
    }
}

impl RequestError {
    /// No answer arrived from the server at `url`.
    pub(super) fn no_answer(url: &str, error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        RequestError { text: format!("no answer from {url}: {cause}"), status: None }
    }

    /// The server refused the request. `body` is its answer, usually a problem with a `detail`.
    pub(super) fn refused(status: StatusCode, body: &str) -> Self {
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
            parameter: Option<String>,
        }
        let hint = match status {
            StatusCode::UNAUTHORIZED => ": set STACKLEDGER_TOKEN",
            _ => "",
        };
        let text = match serde_json::from_str(body) {
            Ok(Problem { detail, parameter: Some(parameter) })
                if status == StatusCode::BAD_REQUEST =>
            {
                format!("{parameter}: {detail} ({status})")
            }
            Ok(Problem { detail, .. }) => format!("{detail}{hint} ({status})"),
            Err(_) => format!("the answer is {status}"),
        };
        RequestError { text, status: Some(status) }
    }

    /// Whether the server answered that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status == Some(StatusCode::NOT_FOUND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_in_the_words_of_its_server() {
        let refused = |status: u16, body| {
            RequestError::refused(StatusCode::from_u16(status).unwrap(), body).to_string()
        };
        assert_eq!(
            refused(409, r#"{"detail": "billed by order 1", "parameter": "end"}"#),
            "billed by order 1 (409 Conflict)"
        );
        assert_eq!(
            refused(400, r#"{"detail": "a date is expected", "parameter": "end"}"#),
            "end: a date is expected (400 Bad Request)"
        );
        assert_eq!(
            refused(401, r#"{"detail": "a bearer token is asked for"}"#),
            "a bearer token is asked for: set STACKLEDGER_TOKEN (401 Unauthorized)"
        );
        assert_eq!(refused(502, "<html>"), "the answer is 502 Bad Gateway");
    }
}
