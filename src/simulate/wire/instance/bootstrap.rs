//! The reports of a bootstrap, as CloudEvents.

use serde_json::{Value, json};

use super::InstanceMessage;
use crate::simulate::{
    scenario::{Fact, Outcome, Report},
    wire::{Message, cloudevent},
};

/// Returns a report as a message.
pub(super) fn message(parts: &InstanceMessage, fact: &Fact, report: &Report) -> Message {
    let instance = parts.instance;
    let (kind, mut data) = match report {
        Report::BuildStarted => ("build.started", json!({"instance_name": instance.name})),
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
            json!({"instance_name": instance.name, "outcome": outcome.map(Outcome::as_str)}),
        ),
    };
    data["instance_id"] = json!(instance.id);
    if let Value::Object(fields) = &mut data {
        // Optional fields are omitted, as most senders do.
        fields.retain(|_, value| !value.is_null());
    }
    let source = format!("bootstrap/{}", instance.hostname);
    let time = cloudevent::time(parts.at(fact.at));
    cloudevent::message(kind, parts.message_id(), &source, &time, &data)
}
