//! Problems for TTM's clients.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::Problem;

/// Adds the member `error`, which TTM's clients read, to every problem that answers a path of TTM's.
pub(in crate::api) async fn add_error_member(request: Request, next: Next) -> Response {
    let is_ttm = request.uri().path().starts_with("/ttm/");
    let response = next.run(request).await;
    if !is_ttm {
        return response;
    }
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let Ok(serde_json::Value::Object(mut members)) = serde_json::to_value(problem) else {
        return response;
    };
    members.insert("error".to_owned(), problem.detail.clone().into());
    let json = serde_json::Value::Object(members).to_string();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json))
}
