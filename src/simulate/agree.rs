//! Whether answers agree with the truth. Pure: who asks, and how, is the caller's business.

use serde_json::Value;

use super::truth::{InstanceTruth, OperationTruth};

/// Where `/v1/instances/{id}`'s answer about an instance differs from the truth, one line each.
pub fn differences(truth: &InstanceTruth, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |what: &str, expected: Value, answered: &Value| {
        if !same(&expected, answered) {
            found.push(format!("{} {what}: {answered}, expected {expected}", truth.instance_id));
        }
    };
    let expected = serde_json::to_value(truth).unwrap_or_default();
    for field in ["name", "project_id", "host", "flavor", "image", "state", "deleted_at"] {
        expect(field, expected[field].clone(), &answer[field]);
    }
    let build = &answer["build"];
    for (field, expected) in expected["build"].as_object().into_iter().flatten() {
        expect(&format!("build.{field}"), expected.clone(), &build[field]);
    }
    for (name, counts) in &truth.operations {
        expect(
            &format!("operation {name}"),
            serde_json::to_value(counts).unwrap_or_default(),
            &serde_json::to_value(count(answer, name)).unwrap_or_default(),
        );
    }
    let answered = answer["operations"].as_array().map_or(0, Vec::len);
    let told: u32 =
        truth.operations.values().map(|o| o.complete + o.failed + o.open + o.start_missing).sum();
    expect("number of operations", told.into(), &answered.into());
    recipes(truth, answer, &mut expect);
    found
}

fn recipes(
    truth: &InstanceTruth,
    answer: &Value,
    expect: &mut impl FnMut(&str, Value, &Value),
) {
    let answered: Vec<&Value> = answer["recipes"].as_array().into_iter().flatten().collect();
    expect("number of recipes", truth.recipes.len().into(), &answered.len().into());
    for recipe in &truth.recipes {
        let started = serde_json::to_value(recipe.started_at).unwrap_or_default();
        let name = Value::from(recipe.recipe.as_str());
        let found = answered.iter().find(|a| a["recipe"] == name && same(&started, &a["started_at"]));
        let nothing = Value::Null;
        let found = found.copied().unwrap_or(&nothing);
        let expected = serde_json::to_value(recipe).unwrap_or_default();
        for (field, expected) in expected.as_object().into_iter().flatten() {
            expect(&format!("recipe {} {field}", recipe.recipe), expected.clone(), &found[field]);
        }
    }
}

fn count(answer: &Value, operation: &str) -> OperationTruth {
    let mut counts = OperationTruth::default();
    for answered in answer["operations"].as_array().into_iter().flatten() {
        if answered["operation"] == operation {
            match answered["status"].as_str() {
                Some("complete") => counts.complete += 1,
                Some("failed") => counts.failed += 1,
                Some("open") => counts.open += 1,
                Some("start_missing") => counts.start_missing += 1,
                _ => {}
            }
        }
    }
    counts
}

/// Equal as a reader would say it: numbers by value (to the µs), times by instant.
fn same(expected: &Value, answered: &Value) -> bool {
    match (expected, answered) {
        (Value::Number(a), Value::Number(b)) => {
            a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 5e-7)
        }
        (Value::String(a), Value::String(b)) => {
            a == b
                || matches!(
                    (a.parse::<jiff::Timestamp>(), b.parse::<jiff::Timestamp>()),
                    (Ok(a), Ok(b)) if a == b
                )
        }
        (a, b) => a == b,
    }
}
