//! Processes with different configurations.

use std::time::Duration;

use serde_json::Value;

use crate::support::broker::broker;
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;
use crate::support::process::{Process, command, run, succeed};
use crate::support::unique;

async fn conflicts(db: &TestDatabase) -> Vec<Value> {
    let mut status = command(db, None);
    status.args(["status", "--json"]);
    let status: Value = serde_json::from_str(&succeed(status).await).unwrap();
    status["conflicts"].as_array().unwrap().clone()
}

/// The first one goes on undisturbed, and the second one says which process has what other configuration; when the
/// first one has ended, the second one's counts.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_configurations_one_counts_and_the_process_with_the_other_says_so() {
    let (db, broker) = (database().await, broker().await);
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("toml"));
    std::fs::write(&file, "[metering]\nclock_ahead_s = 60\n").unwrap();
    let other = [("STACKLEDGER_CONFIG", file.to_str().unwrap())];

    let first = Process::start("up", &db, &broker);
    first.wait_until_ready().await;
    let second = Process::start_with("up", &db, &broker, &other);
    let is_told = |answer: &(u16, Value)| {
        answer.0 == 503 && answer.1.to_string().contains("projects it with another configuration")
    };
    eventually("the second one says so", || async {
        let ready = reqwest::get(format!("{}/readyz", second.url)).await;
        ready.is_ok_and(|ready| ready.status() == 503) && is_told(&second.get("/readyz").await)
    })
    .await;
    let told = conflicts(&db).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["projection"], "metering");
    let pid = |process: &Process| format!("pid {} on ", process.pid());
    assert!(told[0]["process"].as_str().unwrap().starts_with(&pid(&second)), "{told:?}");
    assert!(told[0]["with"].as_str().unwrap().starts_with(&pid(&first)), "{told:?}");
    let difference = told[0]["difference"].as_str().unwrap();
    assert!(difference.contains("it has clock = 60, "), "{difference}");

    // Neither it nor a replay by hand with its configuration replaces the tables.
    let mut replay = command(&db, None);
    replay.args(["replay", "metering"]).envs(other);
    let refused = run(replay).await;
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("with another configuration (it has clock = 60"), "{error}");
    let leases = || async {
        db.number("SELECT sum(fence)::bigint FROM projection.checkpoint WHERE name = 'metering'")
            .await
    };
    let before = leases().await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(first.get("/readyz").await.0, 200);
        assert!(is_told(&second.get("/readyz").await));
    }
    assert_eq!(leases().await, before, "the first one kept its lease");

    assert_eq!(first.terminate().await.0, Some(0));
    second.wait_until_ready().await;
    let of_second = "SELECT count(*) FROM projection.checkpoint
        WHERE name = 'metering' AND slot = 'live' AND config LIKE '%clock = 60,%'";
    assert_eq!(db.number(of_second).await, 1);
    assert_eq!(conflicts(&db).await, Vec::<Value>::new());
    assert_eq!(second.terminate().await.0, Some(0));
    assert_eq!(db.number("SELECT count(*) FROM projection.candidate").await, 0);
}
