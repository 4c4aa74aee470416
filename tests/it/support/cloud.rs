//! Simulated clouds, and the check that the database and the answers are as they should be.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use stackledger::projection::ALL;
use stackledger::simulate::truth::{MeterTruth, TimingTruth, Truth};
use stackledger::simulate::{
    MeteringOptions, Options, Plan, Route, compare_incomplete_builds, compare_instance,
    compare_meters, compare_timing, plan, sum_samples,
};

use super::broker::TestBroker;
use super::database::TestDatabase;
use super::eventually;
use super::process::{Process, command, succeed};

/// Plans a cloud with a fifth of its messages twice and a fifth out of order. It ends at a fixed time, so that
/// the same seed gives the same cloud.
pub fn cloud(instances: u32, seed: u64) -> Plan {
    cloud_at(instances, seed, 0)
}

/// As [`cloud`], with that many messages per second.
pub fn cloud_at(instances: u32, seed: u64, rate: u32) -> Plan {
    cloud_of(instances, MeteringOptions::default(), seed, rate)
}

/// As [`cloud`], with that many samples, each of them by three routes.
pub fn metered_cloud(instances: u32, samples: u32, seed: u64) -> Plan {
    signed_cloud(instances, samples, "", seed)
}

/// As [`metered_cloud`], with samples that are signed.
pub fn signed_cloud(instances: u32, samples: u32, secret: &str, seed: u64) -> Plan {
    let routes = [Route::Polling, Route::Notifier, Route::Rpc].into();
    let secret = secret.to_owned();
    let metering = MeteringOptions { samples, routes, secret, ..MeteringOptions::default() };
    cloud_of(instances, metering, seed, 0)
}

fn cloud_of(instances: u32, metering: MeteringOptions, seed: u64, rate: u32) -> Plan {
    plan(&Options {
        instances,
        metering,
        rate,
        seed,
        duplicates_percent: 20,
        shuffle_percent: 20,
        ..Options::until("2026-11-01T12:00:00Z".parse().unwrap())
    })
}

/// Publishes a plan. A consumer must be running, or start within a minute.
pub async fn publish(plan: &Plan, broker: &TestBroker) {
    stackledger::simulate::publish(&broker.url, plan, false).await.unwrap();
}

/// Returns the truth about two clouds together.
pub fn combine(one: &Truth, other: &Truth) -> Truth {
    let mut both = one.clone();
    both.messages.unique += other.messages.unique;
    for (family, count) in &other.messages.by_family {
        *both.messages.by_family.entry(family.clone()).or_default() += count;
    }
    both.instances.extend(other.instances.iter().cloned());
    for timing in &other.timings {
        match both.timings.iter_mut().find(|own| own.operation == timing.operation) {
            Some(own) => add(own, timing),
            None => both.timings.push(timing.clone()),
        }
    }
    for meter in &other.meters {
        let is_same = |own: &&mut MeterTruth| {
            (&own.meter, &own.meter_type, &own.unit)
                == (&meter.meter, &meter.meter_type, &meter.unit)
        };
        match both.meters.iter_mut().find(is_same) {
            Some(own) => {
                own.samples += meter.samples;
                own.sum = (own.sum + meter.sum).normalize();
                own.first_at = own.first_at.min(meter.first_at);
                own.last_at = own.last_at.max(meter.last_at);
            }
            None => both.meters.push(meter.clone()),
        }
    }
    both.meters.sort_by(|a, b| a.meter.cmp(&b.meter));
    both.metered_projects.extend(other.metered_projects.iter().cloned());
    both
}

/// Adds the timings of another cloud's operation. Mean and percentiles do not follow from those of the parts,
/// so they become unknown.
fn add(timing: &mut TimingTruth, other: &TimingTruth) {
    timing.count += other.count;
    timing.complete += other.complete;
    timing.failed += other.failed;
    timing.open += other.open;
    timing.start_missing += other.start_missing;
    let both = |one: Option<f64>, other: Option<f64>, pick: fn(f64, f64) -> f64| {
        one.zip(other).map(|(one, other)| pick(one, other)).or(one).or(other)
    };
    timing.min_s = both(timing.min_s, other.min_s, f64::min);
    timing.max_s = both(timing.max_s, other.max_s, f64::max);
    (timing.mean_s, timing.p50_s, timing.p95_s) = (None, None, None);
}

/// Appends the events of a plan without a broker.
pub async fn append(plan: &Plan, db: &TestDatabase) {
    let bodies = plan.messages().map(|message| message.body);
    let events: Vec<_> =
        bodies.map(|body| stackledger::event::decode(body, None).unwrap()).collect();
    for events in events.chunks(1000) {
        super::events::append(&db.database, events).await;
    }
}

/// Waits until the log contains as many events as there are distinct messages, and all are applied.
pub async fn wait_until_complete(db: &TestDatabase, truth: &Truth) {
    let expected = truth.messages.unique as i64;
    eventually(&format!("{expected} events are applied"), || async {
        db.number(&format!(
            "SELECT count(*) FROM projection.checkpoint AS c, log.head AS h
             WHERE c.slot = 'live' AND least(c.position, h.position) >= {expected}"
        ))
        .await
            == ALL.len() as i64
    })
    .await;
}

/// Asserts the properties that every fault must preserve: each message is one event and none is missing, the
/// answers equal the truth, the chain verifies, and the read models equal a fresh replay.
pub async fn assert_consistent(db: &TestDatabase, process: &Process, truth: &Truth) {
    assert_eq!(db.number("SELECT position FROM log.head").await, truth.messages.unique as i64);
    let families =
        db.rows("SELECT family, count(*) AS n FROM log.event GROUP BY 1 ORDER BY 1").await;
    let families: BTreeMap<String, u64> = families
        .iter()
        .map(|row| {
            let row: Value = serde_json::from_str(row).unwrap();
            (row["family"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap())
        })
        .collect();
    let mut expected = truth.messages.by_family.clone();
    expected.retain(|_, count| *count > 0);
    assert_eq!(families, expected);
    assert_eq!(db.number("SELECT count(*) FROM log.dead_letter").await, 0);
    let client = reqwest::Client::new();
    let answers: Vec<Value> = stream::iter(&truth.instances)
        .map(|instance| {
            let url = format!("{}/v1/instances/{}", process.url, instance.instance_id);
            let asked = client.get(url).send();
            async move { asked.await.unwrap().json::<Value>().await.unwrap() }
        })
        .buffered(8)
        .collect()
        .await;
    let pairs = truth.instances.iter().zip(&answers);
    let mut wrong: Vec<String> =
        pairs.flat_map(|(instance, answer)| compare_instance(instance, answer)).collect();
    let incomplete = items(process, "/v1/builds/incomplete?limit=1000").await;
    let ages = incomplete.iter().map(|build| build["age_s"].as_f64().unwrap());
    assert!(ages.rev().is_sorted(), "incomplete builds are listed oldest first");
    assert!(incomplete.len() <= truth.instances.len());
    wrong.extend(compare_incomplete_builds(&truth.instances, &incomplete));
    wrong.extend(compare_timings(process, truth, &answers).await);
    wrong.extend(compare_samples(process, truth).await);
    assert!(
        wrong.is_empty(),
        "{} differences, e.g. {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    assert_verified(db).await;
}

/// Compares timings with the truth. Exact ones must be equal to it; those of the sketches may differ by 1 %
/// from the duration with the same rank.
async fn compare_timings(process: &Process, truth: &Truth, answers: &[Value]) -> Vec<String> {
    let exact = items(process, "/v1/timings?exact=true&limit=1000").await;
    let hourly = items(process, "/v1/timings?limit=1000").await;
    assert_eq!((exact.len(), hourly.len()), (truth.timings.len(), truth.timings.len()));
    let mut wrong = Vec::new();
    for timing in &truth.timings {
        let operation = timing.operation.as_str();
        let find =
            |list: &[Value]| list.iter().find(|item| item["group"] == operation).unwrap().clone();
        wrong.extend(compare_timing(timing, &find(&exact), 0.0));
        let operations = answers.iter().flat_map(|answer| answer["operations"].as_array().unwrap());
        let mut durations: Vec<f64> = operations
            .filter(|o| o["operation"] == operation && o["status"] == "complete")
            .map(|operation| operation["duration_s"].as_f64().unwrap())
            .collect();
        durations.sort_unstable_by(f64::total_cmp);
        let ranked = |q: f64| {
            let rank = (q * durations.len() as f64).ceil() as usize;
            durations.get(rank.saturating_sub(1)).copied()
        };
        let expected = TimingTruth { p50_s: ranked(0.5), p95_s: ranked(0.95), ..timing.clone() };
        wrong.extend(compare_timing(&expected, &find(&hourly), 0.01));
    }
    wrong
}

/// Compares meters, and the sums of all samples, with the truth.
async fn compare_samples(process: &Process, truth: &Truth) -> Vec<String> {
    let summed = items(process, "/v1/meters?limit=1000").await;
    let mut wrong = compare_meters(&truth.meters, &summed);
    let listed = sum_samples(&items(process, "/v1/samples?limit=1000").await);
    let listed: Vec<Value> =
        listed.iter().map(|meter| serde_json::to_value(meter).unwrap()).collect();
    wrong.extend(compare_meters(&truth.meters, &listed));
    wrong
}

/// Returns all items of a list, read page by page.
async fn items(process: &Process, path: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), path.to_owned());
    loop {
        let (status, page) = process.get(&next).await;
        assert_eq!(status, 200, "{next}: {page}");
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return all,
        }
    }
}

/// Asserts that `verify --read-models` passes.
pub async fn assert_verified(db: &TestDatabase) {
    let mut verify = command(db, None);
    verify.args(["verify", "--read-models"]);
    let output = succeed(verify).await;
    assert!(output.contains("the same when rebuilt"), "{output}");
}

/// Returns all rows of the read models by table.
pub async fn read_models(db: &TestDatabase) -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::new();
    for projection in stackledger::projection::ALL {
        for table in projection.tables {
            let name = format!("{}.{table}", projection.name);
            let mut rows = db.rows(&format!("SELECT * FROM {name}")).await;
            rows.sort();
            tables.insert(name, rows);
        }
    }
    tables
}

/// Removes everything that depends on the order of arrival: positions, and superseded samples.
pub fn without_positions(
    mut tables: BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<String>> {
    tables.remove("metering.superseded");
    for rows in tables.values_mut() {
        for row in rows.iter_mut() {
            let mut columns: Value = serde_json::from_str(row).unwrap();
            columns.as_object_mut().unwrap().remove("position");
            *row = columns.to_string();
        }
        rows.sort();
    }
    tables
}
