//! Our own events: CloudEvents 1.0 in structured JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::Message;

#[derive(Serialize)]
struct CloudEvent<'a, T> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    datacontenttype: &'a str,
    data: T,
}

/// Returns an event as a message.
pub(super) fn message(
    kind: &str,
    id: String,
    source: &str,
    time: &str,
    data: impl Serialize,
) -> Message {
    let event = CloudEvent {
        specversion: "1.0",
        id: &id,
        source,
        kind,
        time,
        datacontenttype: "application/json",
        data,
    };
    Message {
        exchange: "stackledger",
        routing_key: kind.to_owned(),
        content_type: "application/cloudevents+json",
        body: serde_json::to_vec(&event).expect("strings and string keys always serialize"),
        message_id: id,
    }
}

/// Returns a time in the form that our senders use.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
