//! What stands around every route: tokens, time, panics, problems, metrics.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tower_http::catch_panic::CatchPanicLayer;

use super::{audrey, ttm};
use crate::http::Problem;
use crate::secret::Secret;

/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one may take that computes the bill of a large tenant.
const BILL_TIMEOUT: Duration = Duration::from_secs(600);

/// Such requests.
const BILLS: [&str; 2] = ["/sales_order", "/sales_draft"];

/// Paths that are answered without a token: those who watch the process have none.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Puts the guards around routes, the outermost last.
pub(super) fn around(routes: Router, tokens: Arc<[Secret]>) -> Router {
    let routes = routes
        .fallback(async || {
            Problem::not_found("there is no such route; /docs shows those there are")
        })
        .layer(from_fn(in_time));
    let routes = if tokens.is_empty() {
        routes
    } else {
        routes.layer(from_fn_with_state(digests(&tokens), with_token))
    };
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(as_problem))
        .layer(from_fn(ttm::add_error_member))
        .layer(from_fn(audrey::with_xml))
        .layer(from_fn(counted))
}

/// How long a request of this path may take until it is answered with 503.
pub fn patience(path: &str) -> Duration {
    if BILLS.contains(&path) { BILL_TIMEOUT } else { REQUEST_TIMEOUT }
}

async fn in_time(request: Request, next: Next) -> Response {
    let patience = patience(request.uri().path());
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("the answer took too long").into_response(),
    }
}

fn digests(tokens: &[Secret]) -> Arc<[[u8; 32]]> {
    tokens.iter().map(|token| Sha256::digest(token.expose()).into()).collect()
}

async fn with_token(
    State(tokens): State<Arc<[[u8; 32]]>>,
    request: Request,
    next: Next,
) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given
        .and_then(|given| given.split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    if given.is_some_and(|(_, token)| is_known(&tokens, token.trim_ascii())) {
        return next.run(request).await;
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "a bearer token is asked for");
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"stackledger\"")];
    (challenge, problem).into_response()
}

/// Compares digests, all of them and to their ends: how long it takes tells nothing of the tokens.
fn is_known(tokens: &[[u8; 32]], given: &[u8]) -> bool {
    let given: [u8; 32] = Sha256::digest(given).into();
    tokens.iter().fold(false, |known, token| {
        let differing = token.iter().zip(given).fold(0, |differing, (a, b)| differing | (a ^ b));
        known | (std::hint::black_box(differing) == 0)
    })
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request's handler panicked");
    Problem::internal().into_response()
}

/// What axum refuses by itself (a method, mostly) becomes a problem as everything else; headers
/// such as `Allow` stay.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<Problem>().is_some() {
        return response;
    }
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "this route does not know the method",
        _ => "the request cannot be served",
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

async fn counted(request: Request, next: Next) -> Response {
    let started = Instant::now();
    // Routes, not paths: the ids in paths would make a series each.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::histogram!("stackledger_http_request_seconds", "route" => route.clone())
        .record(started.elapsed().as_secs_f64());
    metrics::counter!("stackledger_http_requests_total", "route" => route, "status" => status)
        .increment(1);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_whole() {
        let tokens = digests(&[Secret::new("one"), Secret::new("two")]);
        assert!(is_known(&tokens, b"two"));
        for wrong in [&b""[..], b"on", b"ones", b"One"] {
            assert!(!is_known(&tokens, wrong));
        }
    }
}
