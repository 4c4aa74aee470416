//! Builds, operations and recipes, and the timings over all instances.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::simulate::truth::{BuildStatus, InstanceTruth, OperationTruth, TimingTruth, percentile};

/// Compares an answer of `/v1/instances/{id}` with the truth. Returns a line for each difference.
pub fn compare_instance(truth: &InstanceTruth, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |field: &str, expected: Value, answered: &Value| {
        if !is_same(&expected, answered) {
            found.push(format!("{} {field}: {answered}, expected {expected}", truth.instance_id));
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
    let expected: u32 =
        truth.operations.values().map(|o| o.complete + o.failed + o.open + o.start_missing).sum();
    expect("number of operations", expected.into(), &answered.into());
    compare_recipes(truth, answer, &mut expect);
    found
}

/// Compares the items of `/v1/builds/incomplete` with the truth. Returns a line for each difference. Items
/// about instances that the truth does not contain are ignored.
pub fn compare_incomplete_builds(truths: &[InstanceTruth], items: &[Value]) -> Vec<String> {
    let mut phases: BTreeMap<&str, &Value> = BTreeMap::new();
    for item in items {
        phases.insert(item["instance_id"].as_str().unwrap_or_default(), &item["phase"]);
    }
    let wrong = truths.iter().filter_map(|truth| {
        let expected = match truth.build.status {
            BuildStatus::Building => Some("building"),
            BuildStatus::Bootstrapping => Some("bootstrapping"),
            BuildStatus::Complete | BuildStatus::Failed => None,
        };
        let answered = phases.get(truth.instance_id.as_str()).map(|phase| phase.as_str());
        (answered != expected.map(Some)).then(|| {
            format!(
                "{} among incomplete builds: {answered:?}, expected {expected:?}",
                truth.instance_id
            )
        })
    });
    wrong.collect()
}

/// Sums the operations in answers of `/v1/instances/{id}` by name.
pub fn sum_operations(answers: &[Value]) -> Vec<TimingTruth> {
    let mut all: BTreeMap<&str, (OperationTruth, Vec<i64>)> = BTreeMap::new();
    for answer in answers {
        for answered in answer["operations"].as_array().into_iter().flatten() {
            let name = answered["operation"].as_str().unwrap_or_default();
            let (counts, durations) = all.entry(name).or_default();
            count_one(counts, answered);
            if answered["status"] == "complete" {
                durations.extend(answered["duration_s"].as_f64().map(|s| (s * 1e6).round() as i64));
            }
        }
    }
    let timing = |(name, (counts, mut durations)): (&str, (OperationTruth, Vec<i64>))| {
        durations.sort_unstable();
        let OperationTruth { complete, failed, open, start_missing } = counts;
        let mean = durations.iter().sum::<i64>() as f64 / durations.len().max(1) as f64;
        TimingTruth {
            operation: name.to_owned(),
            count: [complete, failed, open, start_missing].into_iter().map(u64::from).sum(),
            complete: complete.into(),
            failed: failed.into(),
            open: open.into(),
            start_missing: start_missing.into(),
            min_s: durations.first().map(|us| *us as f64 / 1e6),
            mean_s: (!durations.is_empty()).then_some(mean / 1e6),
            max_s: durations.last().map(|us| *us as f64 / 1e6),
            p50_s: percentile(&durations, 0.5),
            p95_s: percentile(&durations, 0.95),
        }
    };
    all.into_iter().map(timing).collect()
}

/// Compares an answer about an operation's timings with the truth. Returns a line for each difference. Counts
/// must be equal; durations may differ by 1 µs and the fraction `tolerance`. Durations that the truth does not
/// contain are ignored, unless there are no complete runs.
pub fn compare_timing(truth: &TimingTruth, answer: &Value, tolerance: f64) -> Vec<String> {
    let mut found = Vec::new();
    let mut wrong = |field: &str, answered: &Value, expected: &dyn std::fmt::Display| {
        found.push(format!("{} {field}: {answered}, expected {expected}", truth.operation));
    };
    for (field, expected) in
        [("count", truth.count), ("failed", truth.failed), ("open", truth.open)]
    {
        if answer[field] != expected {
            wrong(field, &answer[field], &expected);
        }
    }
    for (field, expected) in [
        ("min_s", truth.min_s),
        ("mean_s", truth.mean_s),
        ("max_s", truth.max_s),
        ("p50_s", truth.p50_s),
        ("p95_s", truth.p95_s),
    ] {
        match expected {
            None if truth.complete == 0 && !answer[field].is_null() => {
                wrong(field, &answer[field], &"none");
            }
            Some(expected)
                if answer[field].as_f64().is_none_or(|answered| {
                    (answered - expected).abs() > 1.1e-6 + expected * tolerance
                }) =>
            {
                wrong(field, &answer[field], &expected);
            }
            _ => {}
        }
    }
    found
}

fn compare_recipes(
    truth: &InstanceTruth,
    answer: &Value,
    expect: &mut impl FnMut(&str, Value, &Value),
) {
    let answered: Vec<&Value> = answer["recipes"].as_array().into_iter().flatten().collect();
    expect("number of recipes", truth.recipes.len().into(), &answered.len().into());
    for recipe in &truth.recipes {
        let started = serde_json::to_value(recipe.started_at).unwrap_or_default();
        let name = Value::from(recipe.recipe.as_str());
        let found =
            answered.iter().find(|a| a["recipe"] == name && is_same(&started, &a["started_at"]));
        let found = found.copied().unwrap_or(&Value::Null);
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
            count_one(&mut counts, answered);
        }
    }
    counts
}

fn count_one(counts: &mut OperationTruth, answered: &Value) {
    match answered["status"].as_str() {
        Some("complete") => counts.complete += 1,
        Some("failed") => counts.failed += 1,
        Some("open") => counts.open += 1,
        Some("start_missing") => counts.start_missing += 1,
        _ => {}
    }
}

/// Whether two values are equal: numbers by value (to the µs), times by instant.
fn is_same(expected: &Value, answered: &Value) -> bool {
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
