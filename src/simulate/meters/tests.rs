//! Properties of the samples of every plan, as its messages contain them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::*;
use crate::simulate::{
    Message, MeteringOptions, Plan, Route, compare_meters, plan, sum_samples, tests,
};

/// Returns the options of a cloud with samples alone.
fn metered(metering: MeteringOptions, seed: u64) -> Options {
    Options { metering, ..tests::options(0, seed) }
}

fn metering(samples: u32, routes: &[Route]) -> MeteringOptions {
    MeteringOptions {
        samples,
        routes: routes.iter().copied().collect(),
        ..MeteringOptions::default()
    }
}

const ALL: [Route; 3] = [Route::Polling, Route::Notifier, Route::Rpc];

/// Returns the route of a message, and its samples.
fn read(message: &Message) -> (Route, Vec<Value>) {
    assert_eq!(message.exchange, "ceilometer");
    let mut opened = tests::open(&message.body);
    let list = |value: &mut Value| match value.take() {
        Value::Array(samples) => samples,
        one => vec![one],
    };
    match message.routing_key.as_str() {
        "notifications.sample" => {
            assert_eq!(opened["event_type"], "telemetry.polling");
            (Route::Polling, list(&mut opened["payload"]["samples"]))
        }
        "metering.sample" => {
            assert_eq!(opened["event_type"], "metering");
            (Route::Notifier, list(&mut opened["payload"]))
        }
        "metering" => {
            assert_eq!(opened["method"], "record_metering_data");
            (Route::Rpc, list(&mut opened["args"]["data"]))
        }
        other => panic!("{other}"),
    }
}

/// Project, meter, resource, time.
type Identity = [String; 4];

fn identity(sample: &Value) -> Identity {
    ["project_id", "counter_name", "resource_id", "timestamp"]
        .map(|field| sample[field].as_str().unwrap().to_owned())
}

fn volume(sample: &Value) -> Decimal {
    let text = sample["counter_volume"].to_string();
    Decimal::from_scientific(&text).unwrap_or_else(|_| text.parse().unwrap())
}

/// Returns the distinct samples of the plan by route.
fn samples_by_route(plan: &Plan) -> BTreeMap<Route, BTreeMap<Identity, Value>> {
    let mut routes: BTreeMap<Route, BTreeMap<Identity, Value>> = BTreeMap::new();
    for message in plan.messages() {
        let (route, samples) = read(&message);
        for sample in samples {
            let before = routes.entry(route).or_default().insert(identity(&sample), sample.clone());
            assert!(before.is_none_or(|before| before == sample), "duplicates are equal");
        }
    }
    routes
}

/// Returns a sample in the shape of `/v1/samples`.
fn as_answered(sample: &Value) -> Value {
    let unit = match sample["counter_unit"].as_str() {
        Some("MB") => json!("MiB"),
        Some("GB") => json!("GiB"),
        Some("") | None => Value::Null,
        Some(same) => json!(same),
    };
    let at = sample["timestamp"].as_str().unwrap().trim_end_matches("+00:00");
    json!({
        "counter_name": sample["counter_name"],
        "counter_type": sample["counter_type"],
        "counter_unit": unit,
        "counter_volume": volume(sample).to_string(),
        "timestamp": format!("{at}Z"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Every route has the same samples, and their sums are the truth.
    #[test]
    fn the_truth_is_the_sum_of_the_samples_of_every_route(
        samples in 1u32..900,
        seed: u64,
        samples_per_message in 1u32..70,
        routes in proptest::sample::subsequence(&ALL, 1..=3),
        resources in proptest::option::of(1u32..60),
        duplicates_percent in 0u8..=50,
        shuffle_percent in 0u8..=50,
    ) {
        let metering =
            MeteringOptions { samples_per_message, resources, ..metering(samples, &routes) };
        let plan = plan(&Options {
            duplicates_percent,
            shuffle_percent,
            ..metered(metering, seed)
        });
        let by_route = samples_by_route(&plan);
        prop_assert!(by_route.keys().eq(&routes));
        for distinct in by_route.values() {
            prop_assert_eq!(distinct.len() as u32, samples);
            let answers: Vec<Value> = distinct.values().map(as_answered).collect();
            let found = sum_samples(&answers);
            prop_assert_eq!(&found, &plan.truth().meters);
            let answers: Vec<Value> =
                found.iter().map(|meter| serde_json::to_value(meter).unwrap()).collect();
            let differences = compare_meters(&plan.truth().meters, &answers);
            prop_assert!(differences.is_empty(), "{:?}", differences);
            let projects: BTreeSet<&str> =
                distinct.values().map(|sample| sample["project_id"].as_str().unwrap()).collect();
            prop_assert!(plan.truth().metered_projects.iter().map(String::as_str).eq(projects));
        }
    }

    /// The notifier and the RPC publisher use the same ids, polling uses others. No two samples share one.
    #[test]
    fn ids_belong_to_samples(seed: u64) {
        let by_route = samples_by_route(&plan(&metered(metering(300, &ALL), seed)));
        let ids = |route: Route| -> Vec<&str> {
            let samples = by_route[&route].values();
            samples.map(|sample| sample["message_id"].as_str().unwrap()).collect()
        };
        prop_assert_eq!(ids(Route::Notifier), ids(Route::Rpc));
        let both: BTreeSet<&str> =
            ids(Route::Polling).into_iter().chain(ids(Route::Notifier)).collect();
        prop_assert_eq!(both.len(), 600);
    }

    /// A message has samples of one meter and one time, at most as many as the options allow; and a batch of
    /// one is cast without a list.
    #[test]
    fn a_message_has_samples_of_one_meter_and_one_time(
        seed: u64,
        samples_per_message in 1u32..70,
    ) {
        let options = metered(MeteringOptions { samples_per_message, ..metering(500, &ALL) }, seed);
        for message in plan(&options).messages() {
            let (route, samples) = read(&message);
            if route != Route::Rpc {
                prop_assert!(tests::sent_at(&tests::open(&message.body)) < options.end);
            }
            prop_assert!((1..=samples_per_message as usize).contains(&samples.len()));
            let measurements: BTreeSet<_> = samples
                .iter()
                .map(|sample| [&sample["counter_name"], &sample["timestamp"]])
                .map(|values| values.map(Value::to_string))
                .collect();
            prop_assert_eq!(measurements.len(), 1);
            if route == Route::Rpc {
                let data = tests::open(&message.body)["args"]["data"].take();
                prop_assert_eq!(data.is_object(), samples.len() == 1);
            }
        }
    }
}

/// Returns the samples of each meter of each resource, in time order.
fn by_series(plan: &Plan) -> BTreeMap<(String, String), Vec<Value>> {
    let mut series: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    let samples = samples_by_route(plan).into_values().next().unwrap();
    for ([_, meter, resource, _], sample) in samples {
        series.entry((meter, resource)).or_default().push(sample);
    }
    series
}

/// Counters of instances begin at 0 after a restart, and grow otherwise.
#[test]
fn counters_grow_until_a_restart() {
    let metering = MeteringOptions { resources: Some(40), ..metering(20_000, &[Route::Polling]) };
    let series = by_series(&plan(&metered(metering, 1)));
    let (mut grown, mut restarted) = (0, 0);
    for ((meter, _), samples) in &series {
        if samples[0]["counter_type"] == "cumulative" {
            for pair in samples.windows(2) {
                if volume(&pair[1]) < volume(&pair[0]) {
                    restarted += 1;
                } else {
                    grown += 1;
                }
            }
        }
        if meter == "power.state" {
            assert!(samples.iter().all(|sample| {
                let is_up = sample["counter_volume"] == 1;
                sample["resource_metadata"]["status"] == if is_up { "active" } else { "stopped" }
            }));
        }
    }
    assert!(grown > 50 * restarted && restarted > 20, "{grown} and {restarted}");

    let states = |samples: &Vec<Value>| -> String {
        let letter = |sample: &Value| {
            sample["resource_metadata"]["status"].as_str().unwrap()[..1].to_uppercase()
        };
        let mut states: Vec<String> = samples.iter().map(letter).collect();
        states.dedup();
        states.concat()
    };
    let of = |meter: &'static str| series.iter().filter(move |((name, _), _)| name == meter);
    assert!(of("vcpus").any(|(_, samples)| states(samples).contains("ASA")));
    assert!(
        of("cpu").all(|(_, samples)| states(samples) == "A"),
        "libvirt has no values of a stopped instance"
    );
    assert!(of("ip.floating").any(|(_, samples)| {
        samples.iter().any(|sample| sample["counter_volume"] == 1)
            && samples.iter().any(|sample| sample["counter_volume"] == 3)
    }));
}

#[test]
fn a_large_cloud_has_every_spelling_of_a_number_and_of_a_time() {
    let plan = plan(&metered(metering(8_000, &[Route::Polling]), 2));
    assert_eq!(plan.truth().meters.len(), METERS.len(), "a large cloud has every meter");
    let samples = samples_by_route(&plan).into_values().next().unwrap();
    let volumes: Vec<String> =
        samples.values().map(|sample| sample["counter_volume"].to_string()).collect();
    assert!(volumes.iter().any(|text| text.ends_with("e-05")));
    let is_long_decimal =
        |text: &String| text.contains('.') && text.len() >= 14 && !text.contains('e');
    assert!(volumes.iter().any(is_long_decimal));
    assert!(volumes.iter().any(|text| !text.contains('.') && text.len() >= 13));
    let times: Vec<&str> = samples.keys().map(|[.., at]| at.as_str()).collect();
    assert!(times.iter().any(|at| at.len() == "2026-11-19T10:00:02".len()));
    assert!(times.iter().any(|at| at.ends_with("+00:00")));
}

#[test]
fn fifty_samples_are_as_large_as_in_a_real_cloud() {
    let metering =
        MeteringOptions { resources: Some(1_000), ..metering(5_000, &[Route::Notifier]) };
    let sizes: Vec<usize> = plan(&metered(metering, 3))
        .messages()
        .filter(|message| {
            let samples = read(message).1;
            samples.len() == 50 && samples[0]["counter_name"] == "cpu"
        })
        .map(|message| message.body.len())
        .collect();
    assert!(
        !sizes.is_empty() && sizes.iter().all(|size| (60_000..90_000).contains(size)),
        "{sizes:?}"
    );
}

#[test]
fn old_publishers_use_old_units_and_fields() {
    let by_route = samples_by_route(&plan(&metered(metering(500, &ALL), 4)));
    for (identity, old) in &by_route[&Route::Rpc] {
        let new = &by_route[&Route::Polling][identity];
        assert_eq!(new["counter_volume"], old["counter_volume"]);
        assert_eq!(as_answered(new), as_answered(old));
        assert!(new.get("monotonic_time").is_some() && old.get("monotonic_time").is_none());
        assert!(new["counter_unit"] != "MB" && old["counter_unit"] != "MiB");
    }
}

#[test]
fn the_signature_depends_on_the_secret() {
    let signed = |secret: &str| -> BTreeSet<String> {
        let metering =
            MeteringOptions { secret: secret.to_owned(), ..metering(200, &[Route::Polling]) };
        let samples = samples_by_route(&plan(&metered(metering, 5))).into_values().next().unwrap();
        let signature = |sample: &Value| sample["message_signature"].as_str().unwrap().to_owned();
        samples.values().map(signature).collect()
    };
    assert_eq!(signed(""), BTreeSet::from([String::new()]));
    let (one, other) = (signed("one"), signed("other"));
    assert_eq!((one.len(), other.len()), (200, 200));
    assert!(one.is_disjoint(&other) && one.iter().all(|signature| signature.len() == 64));
}

#[test]
fn the_truth_does_not_repeat_the_secret() {
    let metering = MeteringOptions { secret: "s3cr3t".to_owned(), ..metering(1, &ALL) };
    let truth = serde_json::to_string(plan(&metered(metering, 6)).truth()).unwrap();
    assert!(!truth.contains("s3cr3t"));
}

#[test]
fn without_a_route_there_are_no_samples() {
    let plan = plan(&metered(metering(100, &[]), 7));
    assert!(plan.is_empty() && plan.truth().meters.is_empty());
}

#[test]
fn projects_and_resources_can_be_chosen() {
    let metering =
        MeteringOptions { resources: Some(2_000), ..metering(40_000, &[Route::Polling]) };
    let options = Options { projects: Some(100), ..metered(metering, 8) };
    assert_eq!(plan(&options).truth().metered_projects.len(), 100);
}
