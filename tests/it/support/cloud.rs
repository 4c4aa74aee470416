//! A simulated cloud, and whether everything came of it that should.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use stackledger::projection::ALL;
use stackledger::simulate::truth::{TimingTruth, Truth};
use stackledger::simulate::{
    Metering, Options, Plan, Route, differences, incomplete_differences, meter_differences, meters,
    plan, timing_differences,
};

use super::broker::TestBroker;
use super::database::TestDatabase;
use super::eventually;
use super::process::{Process, command, succeed};

/// A cloud with a fifth of its messages twice and a fifth out of order. It ends at a fixed time, so
/// that the same seed is the same cloud.
pub fn cloud(instances: u32, seed: u64) -> Plan {
    cloud_at(instances, seed, 0)
}

/// As [`cloud`], at so many messages a second.
pub fn cloud_at(instances: u32, seed: u64, rate: u32) -> Plan {
    cloud_of(instances, Metering::default(), seed, rate)
}

/// As [`cloud`], and so many samples, each of them by three routes.
pub fn metered_cloud(instances: u32, samples: u32, seed: u64) -> Plan {
    signed_cloud(instances, samples, "", seed)
}

/// As [`metered_cloud`], the samples signed with a secret.
pub fn signed_cloud(instances: u32, samples: u32, secret: &str, seed: u64) -> Plan {
    let routes = [Route::Polling, Route::Notifier, Route::Rpc].into();
    let secret = secret.to_owned();
    let metering = Metering { samples, routes, secret, ..Metering::default() };
    cloud_of(instances, metering, seed, 0)
}

fn cloud_of(instances: u32, metering: Metering, seed: u64, rate: u32) -> Plan {
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

/// Publishes it while something consumes.
pub async fn publish(plan: &Plan, broker: &TestBroker) {
    stackledger::simulate::publish(&broker.url, plan, false).await.unwrap();
}

/// What two clouds tell together.
pub fn together(one: &Truth, other: &Truth) -> Truth {
    let mut both = one.clone();
    both.messages.unique += other.messages.unique;
    for (family, count) in &other.messages.by_family {
        *both.messages.by_family.entry(family.clone()).or_default() += count;
    }
    both.instances.extend(other.instances.iter().cloned());
    for told in &other.timings {
        match both.timings.iter_mut().find(|timing| timing.operation == told.operation) {
            Some(timing) => add(timing, told),
            None => both.timings.push(told.clone()),
        }
    }
    both
}

/// The timings of two clouds' operations. Of what is in the middle they do not tell together.
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

/// Appends its events without a broker.
pub async fn append(plan: &Plan, db: &TestDatabase) {
    let bodies = plan.messages().map(|message| message.body);
    let events: Vec<_> =
        bodies.map(|body| stackledger::event::decode(body, None).unwrap()).collect();
    for events in events.chunks(1000) {
        super::events::append(&db.database, events).await;
    }
}

/// Waits until as many events as there are messages are in the log, and applied.
pub async fn settled(db: &TestDatabase, truth: &Truth) {
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

/// Everything a fault must leave as it was: each message is one event and none is missing, answers
/// equal the truth, the chain verifies, and the read models equal a fresh replay.
pub async fn all_is_well(db: &TestDatabase, process: &Process, truth: &Truth) {
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
    let mut told = truth.messages.by_family.clone();
    told.retain(|_, count| *count > 0);
    assert_eq!(families, told);
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
    let told = truth.instances.iter().zip(&answers);
    let mut wrong: Vec<String> =
        told.flat_map(|(instance, answer)| differences(instance, answer)).collect();
    let incomplete = items(process, "/v1/builds/incomplete?limit=1000").await;
    let ages = incomplete.iter().map(|build| build["age_s"].as_f64().unwrap());
    assert!(ages.rev().is_sorted(), "incomplete builds are listed oldest first");
    assert!(incomplete.len() <= truth.instances.len());
    wrong.extend(incomplete_differences(&truth.instances, &incomplete));
    wrong.extend(timings_differ(process, truth, &answers).await);
    wrong.extend(meters_differ(process, truth).await);
    assert!(
        wrong.is_empty(),
        "{} differences, e.g. {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    verified(db).await;
}

/// Where timings differ from the truth: the exact ones at all, those of the sketches by more than
/// 1 % from the duration whose rank it is.
async fn timings_differ(process: &Process, truth: &Truth, answers: &[Value]) -> Vec<String> {
    let exact = items(process, "/v1/timings?exact=true&limit=1000").await;
    let hourly = items(process, "/v1/timings?limit=1000").await;
    assert_eq!((exact.len(), hourly.len()), (truth.timings.len(), truth.timings.len()));
    let mut wrong = Vec::new();
    for told in &truth.timings {
        let of = |list: &[Value]| {
            list.iter().find(|item| item["group"] == told.operation.as_str()).unwrap().clone()
        };
        wrong.extend(timing_differences(told, &of(&exact), 0.0));
        let operations = answers.iter().flat_map(|answer| answer["operations"].as_array().unwrap());
        let mut durations: Vec<f64> = operations
            .filter(|o| o["operation"] == told.operation.as_str() && o["status"] == "complete")
            .map(|operation| operation["duration_s"].as_f64().unwrap())
            .collect();
        durations.sort_unstable_by(f64::total_cmp);
        let ranked = |q: f64| {
            let rank = (q * durations.len() as f64).ceil() as usize;
            durations.get(rank.saturating_sub(1)).copied()
        };
        let told = TimingTruth { p50_s: ranked(0.5), p95_s: ranked(0.95), ..told.clone() };
        wrong.extend(timing_differences(&told, &of(&hourly), 0.01));
    }
    wrong
}

/// Where meters, and what all samples come to, differ from the truth.
async fn meters_differ(process: &Process, truth: &Truth) -> Vec<String> {
    let summed = items(process, "/v1/meters?limit=1000").await;
    let mut wrong = meter_differences(&truth.meters, &summed);
    let listed = meters(&items(process, "/v1/samples?limit=1000").await);
    let listed: Vec<Value> =
        listed.iter().map(|meter| serde_json::to_value(meter).unwrap()).collect();
    wrong.extend(meter_differences(&truth.meters, &listed));
    wrong
}

/// All items of a list, page by page.
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

/// `verify --read-models` passes.
pub async fn verified(db: &TestDatabase) {
    let mut verify = command(db, None);
    verify.args(["verify", "--read-models"]);
    let said = succeed(verify).await;
    assert!(said.contains("the same when rebuilt"), "{said}");
}

/// All rows of the read models, table by table.
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

/// The same, but for what depends on the order of arrival: positions, and samples that counted for
/// a while.
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
