//! Builds, operations, recipes, and what they come to.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::simulate::truth::{BuildStatus, InstanceTruth, OperationTruth, TimingTruth, percentile};

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

/// Where `/v1/builds/incomplete`'s items are others than the truth's, one line each. Items of other
/// instances than the truth's are not looked at.
pub fn incomplete_differences(truths: &[InstanceTruth], items: &[Value]) -> Vec<String> {
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

/// What the operations in `/v1/instances/{id}`'s answers come to.
pub fn timings(answers: &[Value]) -> Vec<TimingTruth> {
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

/// Where an answer about an operation's timings differs from the truth, one line each: counts at
/// all, durations by more than a µs and the share `off` of them. What the truth does not say is
/// not looked at.
pub fn timing_differences(truth: &TimingTruth, answer: &Value, off: f64) -> Vec<String> {
    let mut found = Vec::new();
    let mut wrong = |what: &str, answered: &Value, expected: &dyn std::fmt::Display| {
        found.push(format!("{} {what}: {answered}, expected {expected}", truth.operation));
    };
    for (what, expected) in [("count", truth.count), ("failed", truth.failed), ("open", truth.open)]
    {
        if answer[what] != expected {
            wrong(what, &answer[what], &expected);
        }
    }
    for (what, expected) in [
        ("min_s", truth.min_s),
        ("mean_s", truth.mean_s),
        ("max_s", truth.max_s),
        ("p50_s", truth.p50_s),
        ("p95_s", truth.p95_s),
    ] {
        match expected {
            None if truth.complete == 0 && !answer[what].is_null() => {
                wrong(what, &answer[what], &"none");
            }
            Some(expected)
                if answer[what].as_f64().is_none_or(|answered| {
                    (answered - expected).abs() > 1.1e-6 + expected * off
                }) =>
            {
                wrong(what, &answer[what], &expected);
            }
            _ => {}
        }
    }
    found
}

fn recipes(truth: &InstanceTruth, answer: &Value, expect: &mut impl FnMut(&str, Value, &Value)) {
    let answered: Vec<&Value> = answer["recipes"].as_array().into_iter().flatten().collect();
    expect("number of recipes", truth.recipes.len().into(), &answered.len().into());
    for recipe in &truth.recipes {
        let started = serde_json::to_value(recipe.started_at).unwrap_or_default();
        let name = Value::from(recipe.recipe.as_str());
        let found =
            answered.iter().find(|a| a["recipe"] == name && same(&started, &a["started_at"]));
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
