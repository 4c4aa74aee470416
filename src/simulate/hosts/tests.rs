//! The metrics in the messages equal the truth, in both forms of messages.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::simulate::{
    MonitoringOptions, Options, Plan, SHUFFLE_MAX, plan, plan_from, tests, truth::MetricTruth,
};

fn options(hosts: u32, interval_s: u32, seed: u64) -> Options {
    let monitoring = MonitoringOptions { hosts, interval_s };
    Options { monitoring, duration: Duration::from_secs(600), ..tests::options(0, seed) }
}

/// Returns host, metric, time and value of every sample of an event.
fn samples(event: &Value) -> Vec<(String, String, Timestamp, Decimal)> {
    let data = &event["data"];
    let host = data["host"].as_str().unwrap();
    let time = |owner: &Value| owner["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let sample = |metric: &str, at, value: &Value| {
        (host.to_owned(), metric.to_owned(), at, value.to_string().parse().unwrap())
    };
    match data["metrics"].as_object() {
        Some(named) => named.iter().map(|(name, value)| sample(name, time(data), value)).collect(),
        None => {
            let listed = data["samples"].as_array().unwrap().iter();
            listed
                .map(|item| sample(item["metric"].as_str().unwrap(), time(item), &item["value"]))
                .collect()
        }
    }
}

/// Sums the samples of all messages by host and metric.
fn sum_messages(plan: &Plan) -> BTreeMap<(String, String), MetricTruth> {
    let mut all: BTreeMap<(String, String), MetricTruth> = BTreeMap::new();
    let mut known = std::collections::BTreeSet::new();
    for message in plan.messages().filter(|message| known.insert(message.message_id.clone())) {
        let event: Value = serde_json::from_slice(&message.body).unwrap();
        for (host, metric, at, value) in samples(&event) {
            let sums = all.entry((host, metric.clone())).or_insert_with(|| MetricTruth {
                metric,
                samples: 0,
                sum: Decimal::ZERO,
                min: value,
                max: value,
                first_at: at,
                last_at: at,
            });
            sums.samples += 1;
            sums.sum = (sums.sum + value).normalize();
            (sums.min, sums.max) = (sums.min.min(value), sums.max.max(value));
            (sums.first_at, sums.last_at) = (sums.first_at.min(at), sums.last_at.max(at));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_truth_is_the_sum_of_the_messages(hosts in 1u32..6, interval_s in 1u32..100, seed: u64) {
        let plan = plan(&options(hosts, interval_s, seed));
        let mut found = sum_messages(&plan);
        for host in &plan.truth().hosts {
            for expected in &host.metrics {
                let key = (host.host.clone(), expected.metric.clone());
                let found = found.remove(&key);
                prop_assert_eq!(found.as_ref(), Some(expected));
            }
        }
        prop_assert!(found.is_empty(), "{:?}", found);
        for metric in &plan.truth().metrics {
            prop_assert_eq!(metric.samples, u64::from(hosts * (600 / interval_s)));
        }
    }
}

#[test]
fn the_truth_of_many_hosts_has_only_their_totals() {
    let plan = plan(&options(501, 600, 1));
    assert!(plan.truth().hosts.is_empty());
    assert_eq!((plan.truth().metrics.len(), plan.truth().metrics[0].samples), (10, 501));
}

#[test]
fn both_forms_are_used_and_some_samples_are_on_a_whole_second() {
    let plan = plan(&options(3, 10, 1));
    let events: Vec<Value> =
        plan.messages().map(|message| serde_json::from_slice(&message.body).unwrap()).collect();
    assert!(events.iter().any(|event| event["data"]["samples"].is_array()));
    assert!(events.iter().any(|event| event["data"]["metrics"].is_object()));
    let is_whole = |event: &&Value| event["time"].as_str().unwrap().ends_with(".000000Z");
    let whole = events.iter().filter(is_whole).count();
    assert!(0 < whole && whole < events.len() / 4, "{whole} of {}", events.len());
}

#[test]
fn a_cloud_in_real_time_begins_now_and_sends_each_message_at_its_time() {
    let start: Timestamp = "2026-11-20T03:05:54.58Z".parse().unwrap();
    let options = Options { duplicates_percent: 0, shuffle_percent: 0, ..options(2, 1, 1) };
    let plan = plan_from(&options, start);
    let times: Vec<Timestamp> = plan.timed_messages().map(|(at, _)| at).collect();
    assert!(times.is_sorted() && (times.len() as u64) < SHUFFLE_MAX);
    let begins = times[0].duration_since(start);
    assert!(begins.abs() < SignedDuration::from_secs(1), "{begins:?}");
    let lasts = times[times.len() - 1].duration_since(times[0]);
    assert!(
        (SignedDuration::from_millis(598_900)..SignedDuration::from_millis(599_100))
            .contains(&lasts)
    );
    for (at, message) in plan.timed_messages() {
        let event: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(tests::sent_at(&event), at);
    }
    assert!(plan.truth().options.end > start);
}
