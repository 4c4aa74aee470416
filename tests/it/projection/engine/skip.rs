//! Events that the code of a read model panics over, or that stop it until an operator skips them. On the real log and
//! tables.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use stackledger::config::{Config, File};
use stackledger::event::{Family, Recorded};
use stackledger::health::Health;
use stackledger::log::{self, Limit};
use stackledger::projection::{self, Decode, Projection, Skip, StretchFacts, UnusedEvents};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::cases::polled;
use crate::support::database::{TestDatabase, database};
use crate::support::events::{append, event, events, now};
use crate::support::eventually;
use crate::support::process::{command, run, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

/// Keeps the number of each event, but for three.
static PICKY: Projection = Projection {
    name: "picky",
    version: 1,
    families: &[Family::Other],
    config: |_| String::new(),
    ddl: "CREATE TABLE seen (n bigint PRIMARY KEY);",
    indexes: "",
    tables: &["seen"],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |_| Box::<Decoder>::default(),
    apply: |tx, _, facts| {
        let numbers = *facts.downcast::<Vec<i64>>().expect("its own facts");
        Box::pin(async move {
            tx.execute("INSERT INTO seen SELECT unnest($1::bigint[])", &[&numbers]).await?;
            assert!(!numbers.contains(&PANICS_IN_APPLY), "it cannot be folded");
            if numbers.contains(&FAILS_IN_APPLY) {
                bail!("it does not fit");
            }
            Ok(())
        })
    },
    routes: OpenApiRouter::new,
};

static ONLY_PICKY: &[&Projection] = &[&PICKY];

const PANICS_IN_DECODE: i64 = 7;
const PANICS_IN_APPLY: i64 = 13;
const FAILS_IN_APPLY: i64 = 21;

#[derive(Default)]
struct Decoder(Vec<i64>);

impl Decode for Decoder {
    fn read(&mut self, Recorded { event, .. }: Recorded) {
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        let Some(n) = body["n"].as_i64() else { return };
        assert_ne!(n, PANICS_IN_DECODE, "it cannot be read");
        self.0.push(n);
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.0), unused: UnusedEvents::default() }
    }
}

/// Events that PICKY goes without: position, reason, and who skipped it.
async fn without(db: &TestDatabase) -> Vec<(i64, String, Option<String>)> {
    let client = db.superuser().await;
    let events = projection::list_set_aside(&client, None, 10).await.unwrap();
    events.into_iter().map(|it| (it.position, it.reason, it.skipped_by)).collect()
}

async fn obstacle(db: &TestDatabase) -> Option<i64> {
    projection::find_obstacle(&db.superuser().await, &PICKY).await.unwrap()
}

async fn skip(db: &TestDatabase, position: i64, id: &str) -> Result<()> {
    let skip = Skip { position, by: "alice".to_owned(), reason: "a test of ours".to_owned() };
    projection::skip(&db.database, &PICKY, &skip, id, now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_sets_its_event_aside_and_another_failure_waits_for_a_skip() {
    let db = database().await;
    // The number of each event is its position.
    append(&db.database, &events(1, 40)).await;
    append(&db.database, &[event(Family::Recipe, 41)]).await;
    let config = Arc::new(Config::from_vars([]).unwrap());
    let stop = CancellationToken::new();
    let (health, database) = (Arc::new(Health::default()), db.database.clone());
    let running = tokio::spawn(projection::run(
        ONLY_PICKY,
        database,
        config,
        Arc::clone(&health),
        stop.clone(),
    ));
    eventually("it stands on an event", || async { obstacle(&db).await == Some(21) }).await;

    let panics = [
        (7, "it panicked: assertion `left != right` failed: it cannot be read; left: 7; right: 7"),
        (13, "it panicked: it cannot be folded"),
    ];
    let panics = panics.map(|(position, reason)| (position, reason.to_owned(), None));
    assert_eq!(without(&db).await, panics);
    assert_eq!(db.number("SELECT count(*) FROM picky.seen").await, 18, "its neighbours count");
    assert_eq!(health.faults()["projection picky"], "it does not fit");

    for (position, expected) in [
        (
            20,
            "picky is past position 20: it applied the event, or goes without it (see /v1/skipped)",
        ),
        (41, "picky does not read the event at position 41, which is of the family recipe"),
        (42, "the log has no event at position 42"),
    ] {
        let refused = skip(&db, position, "refused").await.unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
    assert_eq!(db.number("SELECT position FROM log.head").await, 41, "nothing was recorded");

    skip(&db, 21, "first").await.unwrap();
    let all_seen = || async { db.number("SELECT count(*) FROM picky.seen").await == 37 };
    eventually("it goes on", all_seen).await;
    eventually("it works", || async { health.faults().is_empty() }).await;
    assert_eq!(obstacle(&db).await, None);
    let skipped = (21, "a test of ours".to_owned(), Some("alice".to_owned()));
    let expected = [&panics[..], std::slice::from_ref(&skipped)].concat();
    assert_eq!(without(&db).await, expected);
    let recorded = log::read_at(&db.superuser().await, 42).await.unwrap().unwrap();
    assert_eq!(recorded.event.kind, "stackledger.event.skipped");
    let body: Value = serde_json::from_slice(&recorded.event.body).unwrap();
    let data =
        json!({"projection": "picky", "position": 21, "by": "alice", "reason": "a test of ours"});
    assert_eq!(body["data"], data);

    // A replay tries all of them again, and stands on the same event until it is skipped once more.
    let (file, never) = (Arc::new(File::default()), CancellationToken::new());
    let replay = || projection::replay(&db.database, &PICKY, &file, "test", &never, |_| {});
    assert_eq!(replay().await.unwrap_err().to_string(), "it does not fit");
    assert_eq!(obstacle(&db).await, Some(21));
    skip(&db, 21, "second").await.unwrap();
    replay().await.unwrap();
    eventually("it goes on", all_seen).await;
    assert_eq!(without(&db).await, expected);
    let comparison = projection::compare(&db.database, &PICKY, &file, &never, |_, _| {}).await;
    assert_eq!(comparison.unwrap().difference, None);
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Stops the read model at each resource whose id begins with `stops`, by an error that is not the event's alone.
const STOP: &str = "
    CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.resource_id LIKE 'stops%' THEN
            RAISE 'the disk of % is odd', NEW.resource_id;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER stop BEFORE INSERT ON metering.resource
    FOR EACH ROW EXECUTE FUNCTION public.stop()";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_skips_the_event_that_stops_a_read_model() {
    let server = Server::with_projector_of(File::default()).await;
    wait_until_applied(&server.db).await;
    server.db.superuser().await.batch_execute(STOP).await.unwrap();
    let at = "2026-11-20T10:00:00";
    let sample =
        |id: &str| polled("vcpus", "p", id, at, 1, &json!({"status": "active"})).into_bytes();
    let ids = ["a", "b", "stops", "c"];
    let decoded = ids.map(|id| stackledger::event::decode(sample(id), None).unwrap());
    append(&server.db.database, &decoded).await;
    let metering = || async {
        let projections = server.ok("/v1/projections").await;
        let items = projections["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["name"] == "metering").unwrap()
    };
    eventually("it stands", || async { metering().await["error"] != Value::Null }).await;
    let stands = metering().await;
    assert_eq!(
        (&stands["error"], &stands["error_at"], &stands["checkpoint"]),
        (&json!("the disk of stops is odd [P0001]"), &json!(2), &json!(2))
    );

    let skip = |arguments: &[&str]| {
        let mut skip = command(&server.db, None);
        skip.args(["skip", "metering"]).args(arguments);
        skip.args(["--by", "alice", "--reason", "its disk is odd"]);
        skip
    };
    let said = succeed(skip(&[])).await;
    assert_eq!(
        said,
        "metering: goes without the event at position 3, until a replay tries it again\n"
    );
    wait_until_applied(&server.db).await;
    assert_eq!(metering().await["error"], Value::Null);
    assert_eq!(server.db.number("SELECT count(*) FROM metering.resource").await, 3);
    let listed = server.ok("/v1/skipped").await;
    let listed = &listed["items"][0];
    assert_eq!(
        (&listed["projection"], &listed["position"], &listed["reason"], &listed["skipped_by"]),
        (&json!("metering"), &json!(3), &json!("its disk is odd"), &json!("alice"))
    );

    let output = run(skip(&[])).await;
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("no event stops metering: name the position"), "{line}");
    // An event that has not arrived cannot be skipped.
    let output = run(skip(&["99"])).await;
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("the log has no event at position 99"), "{line}");
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
}
