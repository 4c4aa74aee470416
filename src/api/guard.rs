//! The guards around every route: tokens, timeouts, panics, problems, metrics.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tower_http::catch_panic::CatchPanicLayer;

use super::{audrey, ttm};
use crate::http::Problem;
use crate::secret::Secret;

/// Time for an answer, after which it is 503.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for the bill of a large tenant.
const BILL_TIMEOUT: Duration = Duration::from_secs(600);

/// Paths that compute bills.
const BILLS: [&str; 2] = ["/sales_order", "/sales_draft"];

/// Paths that are answered without a token, because monitoring has none.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// The header in which clients of OpenStack, Distil's among them, send their token.
pub(super) const X_AUTH_TOKEN: &str = "x-auth-token";

/// Adds the guards to routes, the outermost last.
pub(super) fn around(routes: Router, tokens: Arc<[Secret]>) -> Router {
    let routes = routes
        .fallback(async || Problem::not_found("there is no such route; /docs lists the routes"))
        .layer(from_fn(with_timeout));
    let routes = if tokens.is_empty() {
        routes
    } else {
        routes.layer(from_fn_with_state(digests(&tokens), with_token))
    };
    routes
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(map_response(to_problem))
        .layer(from_fn(ttm::add_error_member))
        .layer(from_fn(audrey::with_xml))
        .layer(from_fn(with_metrics))
}

/// Returns the time for an answer of this path, after which it is 503.
pub fn request_timeout(path: &str) -> Duration {
    if BILLS.contains(&path) { BILL_TIMEOUT } else { REQUEST_TIMEOUT }
}

/// Whether a path needs a token, if tokens are configured.
pub(super) fn needs_token(path: &str) -> bool {
    !OPEN.contains(&path)
}

async fn with_timeout(request: Request, next: Next) -> Response {
    let timeout = request_timeout(request.uri().path());
    match tokio::time::timeout(timeout, next.run(request)).await {
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
    if !needs_token(request.uri().path()) {
        return next.run(request).await;
    }
    if given_tokens(request.headers()).any(|token| is_known(&tokens, token)) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "a token is needed: as a bearer token, or in X-Auth-Token",
    );
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"stackledger\"")];
    (challenge, problem).into_response()
}

/// Returns the tokens of a request: the bearer token, and that of `X-Auth-Token`, the header of every client of
/// OpenStack. One of them that is accepted is enough: a proxy may add the other for its own use.
fn given_tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|given| given.as_bytes().split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, token)| token);
    let openstack = headers.get(X_AUTH_TOKEN).map(HeaderValue::as_bytes);
    bearer.into_iter().chain(openstack).map(<[u8]>::trim_ascii)
}

/// Whether a token is one of those accepted. Compares every digest, and each to its end, so that the time it
/// takes reveals nothing about the tokens.
fn is_known(tokens: &[[u8; 32]], given: &[u8]) -> bool {
    let given: [u8; 32] = Sha256::digest(given).into();
    tokens.iter().fold(false, |known, token| {
        let differing = token.iter().zip(given).fold(0, |differing, (a, b)| differing | (a ^ b));
        known | (std::hint::black_box(differing) == 0)
    })
}

fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request's handler panicked");
    Problem::internal().into_response()
}

/// Turns a refusal of axum's own (of a method, mostly) into a problem as for every other error. The header
/// `Allow` is kept.
async fn to_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<Problem>().is_some() {
        return response;
    }
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "this route does not accept the method",
        _ => "the request cannot be served",
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

/// Measures the request by route and status.
async fn with_metrics(request: Request, next: Next) -> Response {
    let started = Instant::now();
    // By route, not by path: each id in a path would create a series of its own.
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
    fn tokens_are_given_in_either_header() {
        let given = |headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            });
            let headers = HeaderMap::from_iter(headers);
            given_tokens(&headers).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(given(&[("x-auth-token", " one ")]), [b"one"]);
        assert_eq!(
            given(&[("x-auth-token", "one"), ("authorization", "Bearer two")]),
            [b"two", b"one"]
        );
        assert_eq!(given(&[("authorization", "Basic one")]), [b""; 0]);
    }

    #[test]
    fn a_token_is_known_whole() {
        let tokens = digests(&[Secret::new("one"), Secret::new("two")]);
        assert!(is_known(&tokens, b"two"));
        for wrong in [&b""[..], b"on", b"ones", b"One"] {
            assert!(!is_known(&tokens, wrong));
        }
    }
}
