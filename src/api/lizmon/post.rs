//! Samples as Lizmon's agent posts them: a post is one event, however often it is retried.

use axum::extract;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::State;
use crate::api::v1::intake;
use crate::event::ours::{Layout, OwnEvent};
use crate::event::{self, Event, perf};
use crate::http::{Body, NoParameters, Problem, Query, Segments};

/// The source of events that this route appends.
const SOURCE: &str = "stackledger/lizmon";

/// The namespace of these events' ids. It must never change: ids are kept for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x0b7e_41d2_6c58_4f3a_b1d6_28e9_93af_5c70);

/// Values by metric: numbers, booleans as 0 and 1, strings that contain numbers. Other values are counted as
/// rejected.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body of a post")]
#[schema(as = LizmonValues)]
struct Values(std::collections::BTreeMap<String, f64>);

/// Post samples; the answer follows when they are durable
///
/// 201 if they are new, 200 if they were posted before or the object is empty. The body is read as JSON,
/// whatever its content type.
#[utoipa::path(post, path = "/api/perf/{host}/{*label}", tag = "Lizmon",
    operation_id = "lizmon_post",
    params(("host" = String, Path, description = "The host's name"),
        ("label" = String, Path, description = "The time of the samples: whole seconds since 1970, digits only")),
    request_body(content = Values, content_type = "application/json"),
    responses((status = 201, description = "The samples are new"),
        (status = 200, description = "They were posted before, or there are none")))]
pub(super) async fn post(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let Segments([host, epoch]) = segments;
    if !is_epoch(&epoch) {
        return Err(not_allowed("samples are posted to a path that ends in whole seconds"));
    }
    if host.len() > event::TEXT_MAX {
        return Err(Problem::bad_request("host", format!("at most {} bytes", event::TEXT_MAX)));
    }
    let at = epoch.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let at = at.and_then(event::time::of_micros).ok_or_else(|| {
        Problem::bad_request("epoch", "seconds of a time from 2000 to 2099 are expected")
    })?;
    let values = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body).trim_ascii();
    match perf::count_keys(values) {
        None => Err(Problem::malformed("a JSON object is expected")),
        Some(0) => Ok(StatusCode::OK),
        Some(count) if count > perf::VALUES_MAX => {
            let detail = format!("{count} values are more than {}", perf::VALUES_MAX);
            Err(Problem::malformed(detail))
        }
        Some(_) => {
            let appended =
                intake::append_events(&state.intake, vec![build_event(&host, at, values)?]).await?;
            let is_new = appended.is_new.contains(&true);
            Ok(if is_new { StatusCode::CREATED } else { StatusCode::OK })
        }
    }
}

/// Returns the problem of a path that takes another method.
pub(super) fn not_allowed(detail: &str) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Whether Lizmon would read a segment as an epoch.
pub(super) fn is_epoch(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Builds the event of a post. `values` is a JSON object, whose bytes the event contains unchanged, so that
/// numbers keep their digits.
fn build_event(host: &str, at: Timestamp, values: &[u8]) -> Result<Event, Problem> {
    let mut name = format!("{host}\0{}\0", at.as_second()).into_bytes();
    name.extend_from_slice(values);
    let mut data =
        format!(r#"{{"host":{},"time":{},"metrics":"#, json!(host), json!(at)).into_bytes();
    data.extend_from_slice(values);
    data.push(b'}');
    let event = OwnEvent {
        layout: Layout::SortedDataLast,
        id: &Uuid::new_v5(&NAMESPACE, &name).to_string(),
        source: SOURCE,
        kind: perf::SAMPLED,
        time: &at.to_string(),
        data: &data,
    };
    event.to_event().map_err(|error| {
        tracing::error!(error = %error, "an event of our own cannot be decoded");
        Problem::internal()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(host: &str, at: i64, values: &str) -> Event {
        build_event(host, Timestamp::from_second(at).unwrap(), values.as_bytes()).unwrap()
    }

    #[test]
    fn an_event_contains_the_posted_bytes() {
        let event = event("Node \"1\"", 1_465_001_814, r#"{"cpu": 4.980, "b": true}"#);
        assert_eq!((event.kind.as_str(), event.source.as_str()), (perf::SAMPLED, SOURCE));
        assert_eq!(event.stream.as_deref(), Some("Node \"1\""));
        assert_eq!(event.key_at.unwrap().as_second(), 1_465_001_814);
        assert!(
            String::from_utf8(event.body)
                .unwrap()
                .ends_with(r#""metrics":{"cpu": 4.980, "b": true}}}"#)
        );
    }

    #[test]
    fn host_epoch_and_body_identify_an_event() {
        let id = |host, at, values| event(host, at, values).id;
        let one = id("h", 1_465_001_814, r#"{"cpu": 1}"#);
        assert_eq!(id("h", 1_465_001_814, r#"{"cpu": 1}"#), one);
        assert_ne!(id("H", 1_465_001_814, r#"{"cpu": 1}"#), one);
        assert_ne!(id("h", 1_465_001_815, r#"{"cpu": 1}"#), one);
        assert_ne!(id("h", 1_465_001_814, r#"{"cpu": 2}"#), one);
    }

    #[test]
    fn epochs_are_digits() {
        for text in ["0", "1465001814", "007"] {
            assert!(is_epoch(text), "{text}");
        }
        for text in ["", "abc", "-5", "1.5", "1465001814/x", "٣"] {
            assert!(!is_epoch(text), "{text}");
        }
    }

    #[test]
    fn the_bytes_of_the_body_never_change() {
        let posted = r#"{"cpu": 4.980, "x": NaN}"#;
        let expected = r#"{"id":"e24e3dc0-ac5d-5d76-969c-2397ae76c375","source":"stackledger/lizmon","specversion":"1.0","time":"2016-06-04T00:56:54Z","type":"perf.sampled","data":{"host":"Node \"1\"","time":"2016-06-04T00:56:54Z","metrics":{"cpu": 4.980, "x": NaN}}}"#;
        let body = event("Node \"1\"", 1_465_001_814, posted).body;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
