//! Our own events: CloudEvents 1.0 in structured JSON; and what a bootstrap reports by them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Fact, Message, Report, Telling};
use crate::simulate::scenario::Outcome;

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

/// An event as the broker gets it.
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

/// A time as our senders write it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// What a bootstrap reports.
pub(super) fn reported(telling: &Telling, fact: &Fact, what: &Report) -> Message {
    let it = telling.instance;
    let (kind, mut data) = match what {
        Report::BuildStarted => ("build.started", json!({"instance_name": it.name})),
        Report::BootstrapStarted => ("bootstrap.started", json!({})),
        Report::RecipeStarted { recipe, run_id } => {
            ("recipe.started", json!({"recipe": recipe, "run_id": run_id, "message": "converging"}))
        }
        Report::RecipeEnded { recipe, run_id, outcome } => (
            "recipe.ended",
            json!({"recipe": recipe, "run_id": run_id, "outcome": outcome.map(Outcome::as_str)}),
        ),
        Report::BuildEnded { outcome } => (
            "build.ended",
            json!({"instance_name": it.name, "outcome": outcome.map(Outcome::as_str)}),
        ),
    };
    data["instance_id"] = json!(it.id);
    if let Value::Object(fields) = &mut data {
        // Optional fields are left out, as most senders do.
        fields.retain(|_, value| !value.is_null());
    }
    let source = format!("bootstrap/{}", it.hostname);
    message(kind, telling.message_id(), &source, &time(telling.at(fact.at)), &data)
}

impl Outcome {
    /// The word in the event and in the truth.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        }
    }
}
