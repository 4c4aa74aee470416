//! What a bootstrap reports about itself: CloudEvents 1.0 in structured JSON.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Fact, Report, Telling};
use crate::simulate::scenario::Outcome;

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'a str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    kind: &'a str,
    time: String,
    datacontenttype: &'a str,
    data: Value,
}

/// Type and body of the event.
pub(super) fn body(
    telling: &Telling,
    fact: &Fact,
    what: &Report,
    id: &str,
) -> (&'static str, Vec<u8>) {
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
    let event = CloudEvent {
        specversion: "1.0",
        id,
        source: format!("bootstrap/{}", it.hostname),
        kind,
        time: telling.at(fact.at).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        datacontenttype: "application/json",
        data,
    };
    (kind, serde_json::to_vec(&event).expect("strings and string keys always serialize"))
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
