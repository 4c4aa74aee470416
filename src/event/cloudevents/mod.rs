//! CloudEvents 1.0: the header of one in structured JSON, the form of our own events, and the other forms, which
//! become that one.

mod binary;
mod data;

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::header::{Fields, Header, Identity};
use super::payload::Payload;
use super::{DecodeError, Family, json, perf, redact, time};
pub use binary::{Attributes, is_structured};
pub(super) use data::open as open_data;

/// Reads the header of a CloudEvent of type `kind`, and of this version of the specification.
///
/// # Errors
///
/// [`DecodeError::Version`] for a version other than 1.
pub(super) fn read_header<'a>(
    text: &str,
    fields: &Fields<'a>,
    kind: Cow<'a, str>,
    version: &str,
) -> Result<Header<'a>, DecodeError> {
    if !version.starts_with("1.") {
        return Err(DecodeError::Version("CloudEvents", version.chars().take(40).collect()));
    }
    let family = Family::of_cloud_event(&kind);
    let time = fields.time.time();
    let data = if kind == perf::SAMPLED {
        read_samples(fields, time)?
    } else {
        read_data(family, fields)?
    };
    let source = fields.source.id().unwrap_or_default();
    Ok(Header {
        identity: match fields.id.id() {
            Some(id) => Identity::of_pair(&source, &id),
            None => Identity::Content(None),
        },
        family,
        kind,
        stream: data.stream,
        project_id: data.project_id,
        occurred_at: time.or(data.latest),
        key_at: data.latest.or(time).filter(|_| family == Family::Perf),
        source,
        secrets: redact::find_secrets(text, fields, None),
    })
}

/// What the `source` of the events begins with that calls of our HTTP API make.
const CALLS: &str = "stackledger/";

/// Whether two bodies with the same identity report the same, as far as that can be told. The same CloudEvent may
/// come by several routes, which add attributes and write its JSON in other ways: what it says is its `type`, its
/// `time` and its `data`. The `time` of a call of our HTTP API is that of our clock, and a repeated call has another.
/// Copies of other messages differ in what the sender's library adds.
pub fn is_same_report(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (Ok(one), Ok(other)) = (json::parse::<Value>(one), json::parse::<Value>(other)) else {
        return false;
    };
    if one["specversion"].is_null() || other["specversion"].is_null() {
        return true;
    }
    let is_call = one["source"].as_str().is_some_and(|source| source.starts_with(CALLS));
    // AMQP's binary mode writes no more than milliseconds.
    let millis = |event: &Value| Some(time::parse(event["time"].as_str()?)?.as_millisecond());
    let is_same_time =
        one["time"] == other["time"] || millis(&one).is_some_and(|at| millis(&other) == Some(at));
    let is_same_data = one["data"] == other["data"]
        && (!one["data"].is_null() || one["data_base64"] == other["data_base64"]);
    (is_call || is_same_time) && one["type"] == other["type"] && is_same_data
}

/// Whether a body of the log is a CloudEvent.
pub fn is_cloud_event(body: &[u8]) -> bool {
    // Most bodies are none, and do not contain the name at all: a look for it is cheaper than parsing.
    let has_name = std::str::from_utf8(body).is_ok_and(|text| text.contains("specversion"));
    has_name && json::parse::<Value>(body).is_ok_and(|event| !event["specversion"].is_null())
}

/// The parts of a header that come from `data`.
struct DataHeader<'a> {
    stream: Option<Cow<'a, str>>,
    project_id: Option<Cow<'a, str>>,
    /// The time of the latest sample that counts.
    latest: Option<Timestamp>,
}

/// Reads the `data` of an event of this family.
fn read_data<'a>(family: Family, fields: &Fields<'a>) -> Result<DataHeader<'a>, DecodeError> {
    let data: Payload = fields.data.object()?;
    let project_id = data.tenant_id.id().or_else(|| data.project_id.id());
    let stream = match family {
        Family::Perf => data.host.id(),
        Family::Recipe => data.instance_id.id(),
        Family::Deployment => data.deployment_id.id().or_else(|| data.instance_id.id()),
        Family::Billing => project_id.clone(),
        Family::Instance | Family::Meter | Family::Other => data.entity_id(),
    };
    Ok(DataHeader { stream, project_id, latest: None })
}

/// Reads the `data` of a `perf.sampled`. The day of its latest sample is the event's, so that a day of
/// the log contains no sample of a later one.
fn read_samples<'a>(
    fields: &Fields<'a>,
    time: Option<Timestamp>,
) -> Result<DataHeader<'a>, DecodeError> {
    let data: perf::Data = fields.data.object()?;
    let stream = data.host.id();
    let samples = perf::SampleSet::read(&data, time)?.ok().filter(|_| stream.is_some());
    let project_id = data.tenant_id.id().or_else(|| data.project_id.id());
    Ok(DataHeader { stream, project_id, latest: samples.and_then(|samples| samples.latest()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(change: Value) -> Vec<u8> {
        let mut event = json!({
            "specversion": "1.0", "id": "1", "source": "chef", "type": "recipe.started",
            "time": "2026-11-20T03:05:54Z", "data": {"instance_id": "i", "n": 1},
        });
        let change = change.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(change);
        event.to_string().into_bytes()
    }

    #[test]
    fn an_event_is_what_it_says() {
        let event = said(json!({}));
        for same in [
            json!({"datacontenttype": "application/json", "traceparent": "00-1"}),
            json!({"time": "2026-11-20T04:05:54.000+01:00"}),
            json!({"time": "2026-11-20T03:05:54.000999Z"}),
            json!({"data": {"n": 1, "instance_id": "i"}}),
        ] {
            assert!(is_same_report(&event, &said(same.clone())), "{same}");
        }
        for other in [
            json!({"time": "2026-11-20T03:05:54.001Z"}),
            json!({"time": null}),
            json!({"type": "recipe.finished"}),
            json!({"data": {"instance_id": "i", "n": 2}}),
            json!({"data": null}),
        ] {
            assert!(!is_same_report(&event, &said(other.clone())), "{other}");
        }
        let bytes = |text: &str| said(json!({"data": null, "data_base64": text}));
        assert!(!is_same_report(&bytes("AA=="), &bytes("AQ==")));
    }

    #[test]
    fn a_cloud_event_has_a_version_of_its_own() {
        assert!(is_cloud_event(&said(json!({}))));
        let notification = json!({"event_type": "a", "payload": {"specversion": "1.0"}});
        assert!(!is_cloud_event(notification.to_string().as_bytes()));
        assert!(!is_cloud_event(b"specversion"));
    }

    #[test]
    fn a_repeated_call_has_another_time() {
        let call = |time: &str| said(json!({"source": "stackledger/ttm", "time": time}));
        assert!(is_same_report(&call("2026-11-20T03:05:54Z"), &call("2026-11-21T00:00:00Z")));
    }

    #[test]
    fn copies_of_other_messages_differ() {
        let copy =
            |unique: &str| json!({"event_type": "a", "message_id": "1", "_unique_id": unique});
        let (one, other) = (copy("1").to_string(), copy("2").to_string());
        assert!(is_same_report(one.as_bytes(), other.as_bytes()));
        assert!(!is_same_report(&said(json!({})), b"not JSON"));
    }
}
