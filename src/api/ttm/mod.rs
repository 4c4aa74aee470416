//! TTM's own routes, in its shapes: bootstraps in the field call them, and are not changed for us.
//!
//! A call that reports something appends one neutral event; which call began and which one ended
//! something is for the projection to say. Errors are problems with TTM's member `error` added.

mod base;
mod call;
mod incomplete;
mod instances;
mod metric;
mod metrics;
mod recipe;
mod time;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use base::Address;

use super::State;
use crate::event;
use crate::http::{FromParameters, Parameters, Problem, Segments};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(time::now))
        .routes(routes!(time::instance_now))
        .routes(routes!(time::instance_now_short))
        .routes(routes!(instances::list))
        .routes(routes!(instances::exists))
        .routes(routes!(metrics::of_instance, metrics::post))
        .routes(routes!(metrics::get_metrics))
        .routes(routes!(metrics::list))
        .routes(routes!(metrics::show))
        .routes(routes!(recipe::post))
        .routes(routes!(recipe::end))
        .routes(routes!(incomplete::list))
}

/// Adds the member `error`, which is where TTM's clients look, to whatever problem a path of TTM's
/// is answered with.
pub(super) async fn with_error(request: Request, next: Next) -> Response {
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
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json))
}

/// An instance's id as TTM reads it: without double quotes, which some of its callers send.
fn instance_id(segment: &str) -> Result<String, Problem> {
    let id = segment.replace('"', "");
    if id.is_empty() {
        return Err(Problem::bad_request("id", "an instance's id is expected"));
    }
    // A longer one would be taken and then be no instance's.
    if id.len() > event::TEXT_MAX {
        return Err(Problem::bad_request("id", format!("at most {} bytes", event::TEXT_MAX)));
    }
    Ok(id)
}

/// The one segment of a path that names an instance.
fn only_instance(segments: &Segments<1>) -> Result<String, Problem> {
    let Segments([id]) = segments;
    instance_id(id)
}

/// A time as TTM writes it: naive UTC, µs left out when there are none.
fn iso(time: Timestamp) -> String {
    let format = match time.subsec_nanosecond() {
        0 => "%Y-%m-%dT%H:%M:%S",
        _ => "%Y-%m-%dT%H:%M:%S%.6f",
    };
    time.strftime(format).to_string()
}

/// As [`iso`]; what is not known is `""`.
fn iso_or_empty(time: Option<Timestamp>) -> String {
    time.map(iso).unwrap_or_default()
}

/// The parameters that any client may add against caches (jQuery's `_`), and no other.
#[derive(Clone, Copy, Debug)]
struct Unheeded;

impl FromParameters for Unheeded {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        parameters.take("_");
        Ok(Unheeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_naive() {
        let time = |text: &str| iso(text.parse().unwrap());
        assert_eq!(time("2013-11-08T23:48:19.088958Z"), "2013-11-08T23:48:19.088958");
        assert_eq!(time("2013-11-08T23:48:19.5Z"), "2013-11-08T23:48:19.500000");
        assert_eq!(time("2013-11-08T23:48:19Z"), "2013-11-08T23:48:19");
        assert_eq!(iso_or_empty(None), "");
    }

    #[test]
    fn quotes_around_an_id_are_dropped() {
        assert_eq!(instance_id("\"i-1\"").unwrap(), "i-1");
        assert!(instance_id("\"\"").is_err());
    }

    #[test]
    fn an_id_is_as_long_as_the_log_takes_it() {
        assert!(instance_id(&"i".repeat(255)).is_ok());
        assert_eq!(instance_id(&"i".repeat(256)).unwrap_err().status, 400);
    }
}
