//! A server that answers what a test tells it to, and keeps what it was asked.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What a stub was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Method, path and query.
    pub request: String,
    pub authorization: Option<String>,
    /// `Null` where there is none.
    pub body: Value,
}

pub struct Stub {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Answers with `answer` until the test ends.
pub async fn stub(answer: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static) -> Stub {
    let asked = Arc::<Mutex<Vec<Asked>>>::default();
    let kept = Arc::clone(&asked);
    let handler = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let authorization = headers.get(header::AUTHORIZATION);
        let asked = Asked {
            request: format!("{method} {uri}"),
            authorization: authorization.map(|it| it.to_str().unwrap().to_owned()),
            body: if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body).unwrap()
            },
        };
        kept.lock().unwrap().push(asked.clone());
        answer(&asked)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = axum::Router::new().fallback(handler);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Stub { url, asked }
}

impl Stub {
    /// What it was asked since this was called last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// An answer.
pub fn ok(body: &Value) -> Response {
    axum::Json(body).into_response()
}

/// An error, as our servers tell it.
pub fn problem(status: u16, parameter: Option<&str>, detail: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let body = json!({
        "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(),
        "detail": detail, "parameter": parameter,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
