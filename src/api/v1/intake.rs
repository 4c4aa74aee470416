//! `POST /v1/events`: CloudEvents over HTTP, into the same log by the same decoder as from a queue.

use axum::Json;
use axum::extract;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::State;
use crate::event::{self, Attributes, Event, Family, PayloadFault};
use crate::http::{Body, NoParameters, Problem, Query};
use crate::ingest::find_reserved_attribute;
use crate::ingest::intake::{Intake, IntakeReceipt};
use crate::log::Refusal;

/// The header of a CloudEvent, read only to name the wrong field; the event itself is decoded from the same
/// bytes.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    specversion: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
}

/// A CloudEvent 1.0 in structured JSON.
#[derive(Serialize, ToSchema)]
pub(super) struct CloudEvent {
    /// `1.0`
    specversion: String,
    /// Together with `source` the event's identity.
    id: String,
    /// The sender.
    source: String,
    /// The type of the event, e.g. `build.started`.
    r#type: String,
    /// The time of the event; the types of builds, bootstraps, recipes and deployments need it.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<String>,
    /// The content, which depends on the type.
    #[schema(value_type = Object)]
    data: Option<()>,
}

/// One event or a list of them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the request body")]
pub(super) enum CloudEvents {
    /// One.
    One(CloudEvent),
    /// Several, appended together.
    Several(Vec<CloudEvent>),
}

/// The outcome of one event.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Receipt {
    /// Its id in the log.
    id: String,
    /// Whether it was new.
    created: bool,
}

/// The outcomes of the events, in their order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Receipts {
    items: Vec<Receipt>,
}

/// Append CloudEvents; answered when they are durable
///
/// In structured mode, alone or as a list, or one in binary mode: its attributes in the headers `ce-id`,
/// `ce-source`, `ce-specversion`, `ce-type` and `ce-time`, its data as the body.
///
/// 201 if any of them is new, 200 if the log had all of them: a retry is harmless. 409 if one lies before its
/// family's horizon: that one is kept as a dead letter, the others are stored.
#[utoipa::path(post, path = "/v1/events", tag = "Write", operation_id = "append_events",
    request_body(content((CloudEvents = "application/json"),
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"))),
    responses((status = 201, body = Receipts), (status = 200, body = Receipts)))]
pub(super) async fn append(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<(StatusCode, Json<Receipts>), Problem> {
    let events = match read_binary(&headers, &body)? {
        Some(event) => read(&event)?,
        None => read(&body)?,
    };
    let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
    let appended = append_events(&state.intake, events).await?;
    let items = ids.into_iter().zip(appended.is_new).map(|(id, created)| Receipt { id, created });
    let items: Vec<Receipt> = items.collect();
    let is_any_new = items.iter().any(|receipt| receipt.created);
    let status = if is_any_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Receipts { items })))
}

/// Appends events and waits until they are durable.
///
/// # Errors
///
/// 503 if the log cannot be written now; 400 or 409 if an event was refused and is kept as a dead letter.
pub(in crate::api) async fn append_events(
    intake: &Intake,
    events: Vec<Event>,
) -> Result<IntakeReceipt, Problem> {
    let appended =
        intake.append(events).await.map_err(|error| Problem::unavailable(error.to_string()))?;
    match appended.refused {
        None => Ok(appended),
        Some(Refusal::Value) => Err(Problem::malformed(
            "the database refuses a value of an event: it is kept as a dead letter",
        )),
        Some(refusal) => {
            Err(Problem::conflict(format!("{refusal}: the event is kept as a dead letter")))
        }
    }
}

/// Returns an event in binary mode as structured JSON: its attributes are headers `ce-…`, and the body is the data.
/// `None` if the request has no such headers, or says that its body is a whole event.
fn read_binary(headers: &HeaderMap, body: &[u8]) -> Result<Option<Vec<u8>>, Problem> {
    let mut attributes = Attributes::default();
    for (header, value) in headers {
        if header.as_str().starts_with("ce-")
            && let Some(name) = Attributes::name(header.as_str())
        {
            attributes.put(name, header_text(value));
        }
    }
    let content_type = headers.get(CONTENT_TYPE).map(header_text);
    if attributes.is_empty() || event::is_structured(content_type.as_deref()) {
        return Ok(None);
    }
    let structured = attributes.to_structured(content_type.as_deref(), body, None);
    structured.map(Some).map_err(|error| Problem::malformed(error.to_string()))
}

/// Returns a header's value as CloudEvents' binding for HTTP reads it: without the quotes of a quoted string, and
/// with percent-encoded bytes decoded.
fn header_text(value: &HeaderValue) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let unquoted = match quoted {
        None => value.to_owned(),
        Some(inside) => {
            let mut is_escaped = false;
            let is_kept = |c: &char| {
                is_escaped = *c == '\\' && !is_escaped;
                !is_escaped
            };
            inside.chars().filter(is_kept).collect()
        }
    };
    percent_decode_str(&unquoted).decode_utf8_lossy().into_owned()
}

/// Reads one event or a list of them, each from exactly its own bytes.
fn read(body: &[u8]) -> Result<Vec<Event>, Problem> {
    let not_json = |error: serde_json::Error| Problem::malformed(format!("not JSON: {error}"));
    if body.trim_ascii_start().first() != Some(&b'[') {
        let event: &RawValue = serde_json::from_slice(body).map_err(not_json)?;
        return Ok(vec![read_one(event, None)?]);
    }
    let list: Vec<&RawValue> = serde_json::from_slice(body).map_err(not_json)?;
    if list.is_empty() {
        return Err(Problem::malformed("the list contains no event"));
    }
    list.iter().enumerate().map(|(index, event)| read_one(event, Some(index))).collect()
}

fn read_one(raw: &RawValue, index: Option<usize>) -> Result<Event, Problem> {
    let place = index.map(|index| format!("events[{index}]"));
    let wrong = |field: &str, detail: &str| {
        let parameter = match (&place, field) {
            (None, field) => field.to_owned(),
            (Some(place), "") => place.clone(),
            (Some(place), field) => format!("{place}.{field}"),
        };
        match parameter.as_str() {
            "" => Problem::malformed(detail),
            _ => Problem::bad_request(parameter, detail),
        }
    };
    if !raw.get().starts_with('{') {
        return Err(wrong("", "a CloudEvent is a JSON object"));
    }
    let header: Header<'_> = serde_json::from_str(raw.get())
        .map_err(|error| wrong("", &format!("not a CloudEvent: {error}")))?;
    let text = |value: Option<&RawValue>| {
        value.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
    };
    for (field, value) in [
        ("specversion", header.specversion),
        ("type", header.kind),
        ("source", header.source),
        ("id", header.id),
    ] {
        if text(value).is_none_or(|text| text.trim().is_empty() || text.contains('\0')) {
            return Err(wrong(field, "a text is expected that is not empty"));
        }
    }
    let has_time = header.time.is_some_and(|time| time.get() != "null");
    if has_time && text(header.time).and_then(|text| event::time::parse(&text)).is_none() {
        return Err(wrong("time", "an RFC 3339 time from 2000 to 2099 is expected"));
    }
    let event = event::decode(raw.get().as_bytes().to_vec(), None)
        .map_err(|error| wrong("", &error.to_string()))?;
    if let Some((attribute, reason)) = find_reserved_attribute(&event) {
        return Err(wrong(attribute, reason));
    }
    let bad_data = |fault: PayloadFault| wrong(fault.field, &fault.to_string());
    // Without these checks the log would keep an event for ever that no projection can use, and the sender
    // would not notice.
    let mut is_known = false;
    if event.family == Family::Recipe {
        let payload = event::recipe::decode(&event.kind, &event.body);
        is_known = payload.map_err(bad_data)?.is_some();
    }
    if event.family == Family::Deployment {
        let payload = event::deployment::decode(&event.kind, &event.body);
        is_known = payload.map_err(bad_data)?.is_some();
    }
    if event.kind == event::perf::SAMPLED {
        let payload = event::perf::read(&event.body, |_| ());
        payload.map_err(bad_data)?;
    }
    if is_known && !has_time {
        return Err(wrong("time", "events of this type need a time"));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request as `http.to_binary_event` of the Python SDK 2.2.0 makes it.
    fn sdk_request(content_type: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-type", "recipe.started"),
            ("ce-source", "//installer/vm-1%20%22%C4%8D%22"),
            ("ce-id", "e-sdk-1"),
            ("ce-time", "2026-11-20T03:05:54.580807Z"),
            ("ce-sequence", "7"),
            ("ce-specversion", "1.0"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        headers
    }

    #[test]
    fn an_event_in_binary_mode_is_the_event_in_structured_mode() {
        let body = br#"{"instance_id": "i", "recipe": "r"}"#;
        let structured = r#"{"specversion":"1.0","id":"e-sdk-1","source":"//installer/vm-1 \"č\"","type":"recipe.started","time":"2026-11-20T03:05:54.580807Z","datacontenttype":"application/json","sequence":"7","data":{"instance_id": "i", "recipe": "r"}}"#;
        let read = |content_type| read_binary(&sdk_request(content_type), body).unwrap();
        assert_eq!(read(Some("application/json")).unwrap(), structured.as_bytes());
        // curl's own type.
        assert!(read(Some("application/x-www-form-urlencoded")).is_some());
        assert_eq!(read(Some("application/cloudevents+json")), None);
        assert_eq!(read_binary(&HeaderMap::new(), body).unwrap(), None);
        let mut headers = sdk_request(None);
        headers.remove("ce-specversion");
        let event = read_binary(&headers, body).unwrap().unwrap();
        assert_eq!(wrong(std::str::from_utf8(&event).unwrap()).as_deref(), Some("specversion"));
    }

    #[test]
    fn headers_are_decoded() {
        for (header, text) in
            [("a", "a"), ("\"a \\\"\\\\b\"", "a \"\\b"), ("%E2%82%AC %2", "€ %2"), ("\"", "\"")]
        {
            assert_eq!(header_text(&HeaderValue::from_str(header).unwrap()), text);
        }
    }

    const GOOD: &str = r#"{"specversion":"1.0","id":"1","source":"s","type":"build.started",
        "time":"2026-11-20T03:05:54Z","data":{"instance_id":"i","n":1.10}}"#;

    fn wrong(body: &str) -> Option<String> {
        let problem = read(body.as_bytes()).unwrap_err();
        assert_eq!(problem.status, 400, "{body}");
        problem.parameter
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        let events = read(format!(" [ {GOOD} ]").as_bytes()).unwrap();
        assert_eq!(events[0].body, GOOD.as_bytes());
        assert_eq!(events, read(GOOD.as_bytes()).unwrap());
    }

    #[test]
    fn the_wrong_field_is_named() {
        for body in ["", " ", "[]", "x", "[", "1", "null", "\"text\"", "\u{1}", "{\"a\":1,}"] {
            assert_eq!(wrong(body), None, "{body}");
        }
        assert_eq!(wrong(&format!("[{GOOD},1]")).as_deref(), Some("events[1]"));
        for field in ["specversion", "type", "source", "id"] {
            for bad in ["1", "null", "\"\"", "{}", "\"\\u0000\""] {
                let mut event: serde_json::Value = serde_json::from_str(GOOD).unwrap();
                event[field] = serde_json::from_str(bad).unwrap();
                assert_eq!(wrong(&event.to_string()).as_deref(), Some(field));
                let list = format!("[{GOOD},{GOOD},{GOOD},{event}]");
                assert_eq!(wrong(&list), Some(format!("events[3].{field}")));
            }
        }
        assert_eq!(wrong(&GOOD.replace("\"1.0\"", "\"0.3\"")), None);
        for time in
            ["\"soon\"", "1", "null", "\"1999-12-31T23:59:59Z\"", "\"2026-W47-5T03:05:54Z\""]
        {
            let event = GOOD.replace("\"2026-11-20T03:05:54Z\"", time);
            assert_eq!(wrong(&event).as_deref(), Some("time"), "{time}");
        }
        let timeless = GOOD.replace("\"time\":\"2026-11-20T03:05:54Z\",", "");
        assert_eq!(wrong(&timeless).as_deref(), Some("time"));
        assert!(read(timeless.replace("build.started", "heat.done").as_bytes()).is_ok());
        assert!(read(timeless.replace("build.started", "recipe.paused").as_bytes()).is_ok());
        for (data, field) in [
            ("{}", "data.instance_id"),
            (r#"{"instance_id":{}}"#, "data.instance_id"),
            (r#"{"instance_id":"i"}"#, "data.recipe"),
            (r#"{"instance_id":"i","recipe":"r","outcome":"maybe"}"#, "data.outcome"),
        ] {
            let event = GOOD.replace("build.started", "recipe.ended");
            let event = event.replace(r#"{"instance_id":"i","n":1.10}"#, data);
            assert_eq!(wrong(&event).as_deref(), Some(field));
            assert_eq!(wrong(&format!("[{GOOD},{event}]")), Some(format!("events[1].{field}")));
        }
        let many = format!(r#"{{"host":"h","samples":[{}0]}}"#, "0,".repeat(50_000));
        let metrics: Vec<String> = (0..=50_000).map(|n| format!("\"{n}\":0")).collect();
        let metrics = format!(r#"{{"host":"h","metrics":{{{}}}}}"#, metrics.join(","));
        for (data, field) in
            [("{}", "data.host"), (&many, "data.samples"), (&metrics, "data.metrics")]
        {
            let event = GOOD.replace("build.started", "perf.sampled");
            let event = event.replace(r#"{"instance_id":"i","n":1.10}"#, data);
            assert_eq!(wrong(&event).as_deref(), Some(field));
            assert_eq!(wrong(&format!("[{GOOD},{event}]")), Some(format!("events[1].{field}")));
        }
        // A single value that does not count is not refused: the projection counts it as rejected.
        let broken = r#"{"host":"h","metrics":{"a":null}}"#;
        let broken = GOOD.replace(r#"{"instance_id":"i","n":1.10}"#, broken);
        assert!(read(broken.replace("build.started", "perf.sampled").as_bytes()).is_ok());
        let order = GOOD.replace("build.started", "billing.sales_order.issued");
        assert_eq!(wrong(&order).as_deref(), Some("type"));
        let oslo = r#"{"event_type":"compute.instance.create.end","message_id":"1","payload":{}}"#;
        assert_eq!(wrong(oslo).as_deref(), Some("specversion"));
    }
}
