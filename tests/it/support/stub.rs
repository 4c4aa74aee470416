//! A server with answers that the test determines. It records the requests.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A request that a stub received.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedRequest {
    /// Method, path and query.
    pub request: String,
    pub authorization: Option<String>,
    /// `Null` if there is none.
    pub body: Value,
}

pub struct Stub {
    pub url: String,
    asked: Arc<Mutex<Vec<ReceivedRequest>>>,
}

/// Starts a server that answers with `answer` until the test ends.
pub async fn stub(
    answer: impl Fn(&ReceivedRequest) -> Response + Clone + Send + Sync + 'static,
) -> Stub {
    let asked = Arc::<Mutex<Vec<ReceivedRequest>>>::default();
    let recorded = Arc::clone(&asked);
    let handler = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let authorization = headers.get(header::AUTHORIZATION);
        let asked = ReceivedRequest {
            request: format!("{method} {uri}"),
            authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
            body: if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body).unwrap()
            },
        };
        recorded.lock().unwrap().push(asked.clone());
        answer(&asked)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = axum::Router::new().fallback(handler);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Stub { url, asked }
}

impl Stub {
    /// Returns the requests since the last call.
    pub fn take_requests(&self) -> Vec<ReceivedRequest> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Returns a successful answer.
pub fn ok(body: &Value) -> Response {
    axum::Json(body).into_response()
}

/// Returns an error in the shape of our servers' problems.
pub fn problem(status: u16, parameter: Option<&str>, detail: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let body = json!({
        "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(),
        "detail": detail, "parameter": parameter,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
