//! A simulated cloud, and whether everything came of it that should.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use stackledger::simulate::truth::Truth;
use stackledger::simulate::{Options, Plan, differences, plan};

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
    plan(&Options {
        instances,
        duration: std::time::Duration::from_secs(3600),
        rate,
        seed,
        duplicates_percent: 20,
        shuffle_percent: 20,
        start: "2026-11-01T12:00:00Z".parse().unwrap(),
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
    both
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
        db.number(
            "SELECT coalesce((SELECT least(c.position, h.position) FROM projection.checkpoint AS c, log.head AS h
             WHERE c.name = 'timing' AND c.slot = 'live'), 0)",
        )
        .await
            >= expected
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
    let wrong: Vec<String> = stream::iter(&truth.instances)
        .map(|instance| {
            let url = format!("{}/v1/instances/{}", process.url, instance.instance_id);
            let asked = client.get(url).send();
            async move { (instance, asked.await.unwrap().json::<Value>().await.unwrap()) }
        })
        .buffered(8)
        .flat_map(|(instance, answer)| stream::iter(differences(instance, &answer)))
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} differences, e.g. {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    verified(db).await;
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
