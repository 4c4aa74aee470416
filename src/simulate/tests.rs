//! Properties of every plan, whatever its options.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use proptest::prelude::*;
use serde_json::Value;

use super::{
    truth::{BuildStatus, Truth},
    *,
};

/// Returns the options of a cloud with a twentieth of its messages twice and a twentieth out of order.
pub(super) fn options(instances: u32, seed: u64) -> Options {
    Options {
        instances,
        seed,
        duplicates_percent: 5,
        shuffle_percent: 5,
        ..Options::until("2026-11-20T03:05:54.580807Z".parse().unwrap())
    }
}

/// Returns options with samples by every route, a few in each message.
fn metering(samples: u32) -> MeteringOptions {
    MeteringOptions {
        samples,
        samples_per_message: 7,
        routes: [Route::Polling, Route::Notifier, Route::Rpc].into(),
        ..MeteringOptions::default()
    }
}

/// Returns the message in a body, without its envelope.
pub(super) fn open(body: &[u8]) -> Value {
    let outer: Value = serde_json::from_slice(body).unwrap();
    match outer.get("oslo.message") {
        Some(inner) => serde_json::from_str(inner.as_str().unwrap()).unwrap(),
        None => outer,
    }
}

/// Returns the sender's time, from either kind of header.
pub(super) fn sent_at(message: &Value) -> Timestamp {
    match message.get("timestamp") {
        Some(naive) => {
            let naive: DateTime = naive.as_str().unwrap().replace(' ', "T").parse().unwrap();
            naive.to_zoned(TimeZone::UTC).unwrap().timestamp()
        }
        None => message["time"].as_str().unwrap().parse().unwrap(),
    }
}

fn instance_id(message: &Value) -> &str {
    let (data, payload) = (&message["data"], &message["payload"]);
    let versioned = &payload["nova_object.data"];
    [&data["instance_id"], &payload["instance_id"], &versioned["uuid"], &versioned["instance_uuid"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_options_give_the_same_bytes(instances in 0u32..12, seed: u64) {
        let monitoring = MonitoringOptions { hosts: 2, interval_s: 600 };
        let deploying = DeploymentOptions { deployments: 3, ..DeploymentOptions::default() };
        let metering = metering(100);
        let options = Options { metering, monitoring, deploying, ..options(instances, seed) };
        let (one, two) = (plan(&options), plan(&options));
        prop_assert_eq!(one.truth(), two.truth());
        prop_assert!(one.messages().eq(two.messages()));
    }

    #[test]
    fn every_message_is_well_formed(instances in 1u32..25, seed: u64) {
        let options = options(instances, seed);
        let plan = plan(&options);
        for message in plan.messages() {
            prop_assert!(!message.body.contains(&b'\n'));
            let opened = open(&message.body);
            let text = String::from_utf8(message.body.clone()).unwrap();
            prop_assert!(sent_at(&opened) < options.end);
            if message.exchange == "nova" {
                prop_assert!(message.body.is_ascii());
                let priority = opened["priority"].as_str().unwrap().to_lowercase();
                prop_assert!(message.routing_key.ends_with(&priority));
                prop_assert_eq!(opened["message_id"].as_str(), Some(&*message.message_id));
                prop_assert!((1_500..4_800).contains(&text.len()), "{}: {text}", text.len());
            } else {
                prop_assert_eq!(message.exchange, "stackledger");
                prop_assert_eq!(opened["type"].as_str(), Some(&*message.routing_key));
                prop_assert_eq!(opened["id"].as_str(), Some(&*message.message_id));
            }
        }
    }

    #[test]
    fn the_counts_are_those_of_the_messages(
        instances in 0u32..25,
        samples in 0u32..300,
        hosts in 0u32..4,
        deployments in 0u32..4,
        seed: u64,
        duplicates_percent in 0u8..=100,
        shuffle_percent in 0u8..=100,
    ) {
        let options = Options {
            metering: metering(samples),
            monitoring: MonitoringOptions { hosts, interval_s: 600 },
            deploying: DeploymentOptions { deployments, ..DeploymentOptions::default() },
            duplicates_percent,
            shuffle_percent,
            ..options(instances, seed)
        };
        let plan = plan(&options);
        let mut families: BTreeMap<String, BTreeSet<String>> =
            plan.truth().messages.by_family.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
        for message in plan.messages() {
            let family = match (message.exchange, message.routing_key.as_str()) {
                ("nova", _) => "instance",
                ("ceilometer", _) => "meter",
                (_, "perf.sampled") => "perf",
                (_, key) if key.starts_with("build.") || key.starts_with("bootstrap.") => "recipe",
                (_, key) if key.starts_with("recipe.") => "recipe",
                _ => "deployment",
            };
            families.get_mut(family).unwrap().insert(message.message_id);
        }
        let counts = &plan.truth().messages;
        prop_assert_eq!(counts.published, plan.messages().count() as u64);
        prop_assert_eq!(counts.published, plan.len() as u64);
        prop_assert_eq!(counts.unique, families.values().map(|ids| ids.len() as u64).sum::<u64>());
        for (family, ids) in families {
            prop_assert_eq!(counts.by_family[&family], ids.len() as u64);
        }
    }

    #[test]
    fn no_two_messages_of_an_instance_share_a_time(instances in 1u32..25, seed: u64) {
        let options = Options { duplicates_percent: 0, ..options(instances, seed) };
        let mut seen = BTreeSet::new();
        for message in plan(&options).messages() {
            let opened = open(&message.body);
            prop_assert!(seen.insert((instance_id(&opened).to_owned(), sent_at(&opened))));
        }
    }

    #[test]
    fn the_truth_agrees_with_itself(instances in 0u32..60, seed: u64) {
        let plan = plan(&options(instances, seed));
        let truth = plan.truth();
        prop_assert_eq!(truth.instances.len() as u32, instances);
        for timing in &truth.timings {
            let of = |truth: &truth::InstanceTruth| {
                truth.operations.get(&timing.operation).copied().unwrap_or_default()
            };
            let sum = |part: fn(truth::OperationTruth) -> u32| -> u64 {
                truth.instances.iter().map(|instance| u64::from(part(of(instance)))).sum()
            };
            prop_assert_eq!(timing.complete, sum(|counts| counts.complete));
            prop_assert_eq!(timing.failed, sum(|counts| counts.failed));
            prop_assert_eq!(timing.open, sum(|counts| counts.open));
            prop_assert_eq!(timing.start_missing, sum(|counts| counts.start_missing));
            prop_assert_eq!(timing.complete > 0, timing.min_s.is_some());
            prop_assert!(timing.min_s <= timing.p50_s && timing.p50_s <= timing.p95_s);
            prop_assert!(timing.p95_s <= timing.max_s);
        }
        for build in truth.instances.iter().map(|instance| &instance.build) {
            let over = matches!(build.status, BuildStatus::Complete | BuildStatus::Failed);
            prop_assert_eq!(over, build.ended_at.is_some());
            prop_assert_eq!(
                build.duration_s.is_some(),
                build.started_at.is_some() && build.ended_at.is_some()
            );
            prop_assert!(build.error.is_none() || build.status == BuildStatus::Failed);
        }
    }

    #[test]
    fn the_truth_survives_json(seed: u64) {
        let plan = plan(&Options { metering: metering(100), ..options(5, seed) });
        let text = serde_json::to_string(plan.truth()).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Truth>(&text).unwrap(), plan.truth());
    }
}

#[test]
fn a_large_cloud_has_every_kind_of_build() {
    let plan = plan(&options(1_500, 1));
    let builds = || plan.truth().instances.iter().map(|instance| &instance.build);
    for status in [
        BuildStatus::Building,
        BuildStatus::Bootstrapping,
        BuildStatus::Complete,
        BuildStatus::Failed,
    ] {
        assert!(builds().any(|build| build.status == status), "none is {status:?}");
    }
    assert!(builds().any(|build| build.attempts == 3 && build.status == BuildStatus::Complete));
    let no_valid_host = builds().find(|build| build.attempts == 0).expect("some find no host");
    assert_eq!((no_valid_host.started_at, no_valid_host.duration_s), (None, None));
    assert!(builds().any(|build| build.error.as_deref() == Some("deleted while building")));
    let lost = |build: &&truth::BuildTruth| {
        build.started_at.is_none() && build.status == BuildStatus::Complete
    };
    assert_eq!(builds().find(lost).expect("some starts are lost").attempts, 1);
    let complete = builds().filter(|build| build.status == BuildStatus::Complete).count();
    assert!((1_200..1_420).contains(&complete), "{complete} of 1500 are complete");
}

#[test]
fn duplicates_come_later_and_only_their_unique_id_may_differ() {
    let plan =
        plan(&Options { metering: metering(1_000), duplicates_percent: 40, ..options(30, 3) });
    let mut first: HashMap<String, Message> = HashMap::new();
    let mut other_unique_id = 0;
    for message in plan.messages() {
        let Some(original) = first.get(&message.message_id) else {
            first.insert(message.message_id.clone(), message);
            continue;
        };
        let (mut one, mut two) = (open(&original.body), open(&message.body));
        other_unique_id += u32::from(one["_unique_id"] != two["_unique_id"]);
        (one["_unique_id"], two["_unique_id"]) = (Value::Null, Value::Null);
        assert_eq!(one, two);
    }
    assert!(other_unique_id > 0);
}

#[test]
fn a_file_holds_one_body_a_line() {
    let plan = plan(&options(3, 9));
    let mut file = Vec::new();
    plan.write_to(&mut file).unwrap();
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), plan.len() + 1, "every line is terminated, the last one included");
    assert!(plan.messages().zip(lines).all(|(message, line)| message.body == line));
}
