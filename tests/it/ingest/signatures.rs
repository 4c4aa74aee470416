//! Signatures of samples: every source checks them, and the result is stored with the event.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use stackledger::event::{self, meter};
use stackledger::secret::Secret;

use crate::support::broker::{broker, declare_as_oslo, publish};
use crate::support::cloud::signed_cloud;
use crate::support::consumer::consume_with;
use crate::support::database::{TestDatabase, database};
use crate::support::events::fixture;
use crate::support::eventually;
use crate::support::process::{Process, command, succeed};

/// The secret that the samples here are signed with.
const SECRET: &str = "change this for valid signing";

/// A batch of eight signed samples; the third was tampered with.
fn batch() -> Vec<u8> {
    let body = String::from_utf8(fixture("meter/units-of-every-era.json")).unwrap();
    let tampered = body.replace("c5a3f1d2-c5b1-11f0-9a1b-fa163e3b3023", "another message id");
    assert_ne!(tampered, body);
    tampered.into_bytes()
}

/// The `bad_signatures` of the only event in the log.
async fn stored(db: &TestDatabase) -> Value {
    let rows = db.rows("SELECT bad_signatures FROM log.event").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    serde_json::from_str::<Value>(&rows[0]).unwrap()["bad_signatures"].take()
}

#[tokio::test]
async fn a_tampered_sample_is_noted_by_queue() {
    for (secret, expected) in [
        (Some(SECRET), json!([2])),
        (Some("another secret"), json!([0, 1, 2, 3, 4, 5, 6, 7])),
        (None, json!(null)),
    ] {
        let (db, broker) = (database().await, broker().await);
        let (_connection, cloud) = broker.channel().await;
        declare_as_oslo(&cloud, "ceilometer").await;
        let consuming = consume_with(&db, &broker, |config| {
            config.metering_secret = secret.map(Secret::new);
        });
        eventually("bound", || async {
            let bindings = broker.ask("bindings").await;
            let keys = bindings.as_array().unwrap().iter();
            keys.filter(|binding| binding["source"] == "ceilometer").count() == 2
        })
        .await;
        publish(&cloud, "ceilometer", "metering.sample", &batch(), &[]).await;
        eventually("it is stored", || async {
            db.number("SELECT position FROM log.head").await == 1
        })
        .await;
        consuming.stop().await;
        assert_eq!(stored(&db).await, expected);
    }
}

#[tokio::test]
async fn a_tampered_sample_is_noted_by_file_and_once() {
    let db = database().await;
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::unique("signed"));
    std::fs::write(&file, batch()).unwrap();
    let import = |secret: &str| {
        let mut import = command(&db, None);
        import.arg("import").arg(&file).env("METERING_SECRET", secret);
        import
    };
    assert!(succeed(import(SECRET)).await.contains("1 new events"));
    assert_eq!(stored(&db).await, json!([2]));
    // The event in the log does not change.
    assert!(succeed(import("another secret")).await.contains("1 known already"));
    assert_eq!(stored(&db).await, json!([2]));

    let db = database().await;
    let mut import = command(&db, None);
    import.arg("import").arg(&file).env("METERING_SECRET", "");
    succeed(import).await;
    assert_eq!(stored(&db).await, json!(null), "an empty variable counts as not set");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_tampered_sample_is_noted_when_it_is_redriven() {
    let db = database().await;
    let letter = "INSERT INTO log.dead_letter (sha256, reason, origin, received_at, body)
                  VALUES ('\\x00', 'a defect that is mended', 'a queue', now(), $1)";
    db.superuser().await.execute(letter, &[&batch()]).await.unwrap();
    let mut redrive = command(&db, None);
    redrive.args(["dead-letters", "redrive", "--all"]).env("METERING_SECRET", SECRET);
    succeed(redrive).await;
    assert_eq!(stored(&db).await, json!([2]));
}

/// Samples are not meant to arrive over HTTP, but a body can be both a CloudEvent and a notification.
#[tokio::test]
async fn a_tampered_sample_is_noted_over_http_and_shown() {
    let (db, broker) = (database().await, broker().await);
    let server = Process::start_with("up", &db, &broker, &[("METERING_SECRET", SECRET)]);
    server.wait_until_ready().await;
    let envelope: Value = serde_json::from_slice(&batch()).unwrap();
    let mut body: Value = serde_json::from_str(envelope["oslo.message"].as_str().unwrap()).unwrap();
    for (key, value) in [("specversion", "1.0"), ("type", "t"), ("source", "s"), ("id", "1")] {
        body[key] = json!(value);
    }
    let posted = reqwest::Client::new().post(format!("{}/v1/events", server.url));
    assert_eq!(posted.body(body.to_string()).send().await.unwrap().status(), 201);
    assert_eq!(stored(&db).await, json!([2]));
    let (status, shown) = server.get("/v1/events/1").await;
    assert_eq!((status, &shown["family"]), (200, &json!("meter")));
    assert_eq!(shown["bad_signatures"], json!([2]));
    let (_, list) = server.get("/v1/events").await;
    assert_eq!(list["items"][0]["bad_signatures"], json!([2]));
}

/// The simulated cloud signs and counts with code of its own, and both agree with the decoded samples.
#[test]
fn a_simulated_cloud_s_samples_are_signed_and_add_up_to_its_truth() {
    let plan = signed_cloud(0, 2_000, SECRET, 11);
    let truth = plan.truth();
    let mut facts = HashSet::new();
    let mut sums: BTreeMap<String, (u64, rust_decimal::Decimal)> = BTreeMap::new();
    for message in plan.messages() {
        let event = event::decode(message.body, None).unwrap();
        let samples = meter::samples(&event.body).unwrap();
        assert_eq!(meter::bad_signatures(&event.body, SECRET), [0; 0], "{}", event.kind);
        let bad = meter::bad_signatures(&event.body, "another secret");
        assert_eq!(bad, (0..samples.len() as i32).collect::<Vec<_>>());
        for sample in samples {
            let sample = sample.unwrap();
            let name = sample.counter_name;
            let fact = (sample.project_id, name.clone(), sample.resource_id, sample.timestamp);
            if facts.insert(fact) {
                let (count, sum) = sums.entry(name).or_default();
                (*count, *sum) = (*count + 1, *sum + sample.counter_volume);
            }
        }
    }
    assert_eq!(facts.len(), 2_000);
    let expected =
        truth.meters.iter().map(|meter| (meter.meter.clone(), (meter.samples, meter.sum)));
    assert_eq!(sums, expected.collect());
}
