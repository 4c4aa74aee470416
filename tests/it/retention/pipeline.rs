//! Retention as users see it: files, commands and HTTP.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Output;

use serde_json::Value;

use super::{append_three_days, body, days, report};
use crate::support::cloud::{append, assert_verified, cloud, read_models};
use crate::support::database::{TestDatabase, database};
use crate::support::process::{command, run, succeed};
use crate::support::projector::{project, wait_until_applied};
use crate::support::{eventually, unique};

async fn import(db: &TestDatabase, lines: &[String]) -> Output {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("samples"));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(lines.join("\n").as_bytes()).unwrap();
    let mut import = command(db, None);
    import.arg("import").arg(&path);
    let output = run(import).await;
    std::fs::remove_file(path).unwrap();
    output
}

fn stackledger(db: &TestDatabase, arguments: &[&str]) -> std::process::Command {
    let mut command = command(db, None);
    command.args(arguments);
    command
}

async fn count_by_family(db: &TestDatabase) -> BTreeMap<String, i64> {
    let rows = db.superuser().await;
    let rows = rows.query("SELECT family, count(*) FROM log.event GROUP BY 1", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Days of raw samples are dropped; read models, the chain and every other family stay unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_raw_samples_goes_and_nothing_else() {
    let db = database().await;
    append(&cloud(10, 41), &db).await;
    let samples: Vec<String> =
        (1..=3).flat_map(|day| (0..24).map(move |hour| body("h", day, hour))).collect();
    assert!(import(&db, &samples).await.status.success());
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let (models, mut families) = (read_models(&db).await, count_by_family(&db).await);
    let head = db.number("SELECT position FROM log.head").await;

    let at = ["--at", "2020-03-05T12:30:00Z"];
    let planned = succeed(stackledger(&db, &["retain", at[0], at[1], "--dry-run"])).await;
    assert!(planned.contains("log.event_perf_20200302") && planned.contains("due"), "{planned}");
    assert!(count_by_family(&db).await == families);
    let done = succeed(stackledger(&db, &["retain", at[0], at[1]])).await;
    for step in
        ["horizon of perf to 2020-03-03", "log.event_perf_20200301", "log.event_perf_20200302"]
    {
        assert!(done.lines().any(|line| line.contains(step) && line.ends_with("done")), "{done}");
    }
    let again = succeed(stackledger(&db, &["retain", at[0], at[1]])).await;
    assert_eq!(again, "no data is older than its retention\n");

    families.insert("perf".to_owned(), 24);
    *families.entry("other".to_owned()).or_default() += 1;
    assert_eq!(count_by_family(&db).await, families);
    assert!(read_models(&db).await == models);
    let verify = succeed(stackledger(&db, &["verify"])).await;
    assert!(verify.contains("the log is unchanged"), "{verify}");
    assert!(verify.contains("dropped: event_perf_20200301, 24 events, positions "), "{verify}");
    let json = succeed(stackledger(&db, &["verify", "--read-models", "--json"])).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["fault"], json["events"].as_i64()), (&Value::Null, Some(head + 1 - 48)));
    assert_eq!(json["dropped"][1]["leaf"], "event_perf_20200302");
    assert_eq!(json["dropped"][1]["events"], 24);
    for model in json["read_models"].as_array().unwrap() {
        // Of 48 hours of one metric: as many minutes and hours, two days, and no rejected value.
        let frozen = if model["name"] == "rollup" { 48 + 48 + 2 } else { 0 };
        assert_eq!(model["frozen"], frozen, "{model}");
    }
    let status = succeed(stackledger(&db, &["status"])).await;
    assert!(status.contains("horizon of perf 2020-03-03T00:00:00Z\n"), "{status}");

    // A projection that is started again, and replays.
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    assert_verified(&db).await;
    succeed(stackledger(&db, &["replay", "--all"])).await;
    assert!(read_models(&db).await == models);

    // Two late events, a known one, and a new neighbour.
    let late = [samples[0].clone(), samples[71].clone(), body("late", 1, 7), body("new", 3, 7)];
    let output = import(&db, &late).await;
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        printed.ends_with("4 lines, 1 new events, 1 known already, 2 kept as dead letters\n"),
        "{printed}"
    );
    assert_eq!(db.number("SELECT position FROM log.head").await, head + 2);
    let letters = succeed(stackledger(&db, &["dead-letters", "list"])).await;
    assert_eq!(letters.matches("before_horizon: events of perf").count(), 2, "{letters}");
    let redriven = run(stackledger(&db, &["dead-letters", "redrive", "--all"])).await;
    assert_eq!(redriven.status.code(), Some(1));
    let printed = String::from_utf8(redriven.stdout).unwrap();
    assert!(printed.contains("before_horizon: events of perf"), "{printed}");
    assert_eq!(db.number("SELECT count(*) FROM log.dead_letter").await, 2);
}

/// A run is killed while it waits for a leaf that is being read; the next run does the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_finished_by_the_next() {
    let db = database().await;
    append_three_days(&db).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let mut reading = db.superuser().await;
    let transaction = reading.transaction().await.unwrap();
    transaction.execute("SELECT FROM log.event_perf_20200302", &[]).await.unwrap();
    let retain = || stackledger(&db, &["retain", "--at", "2020-03-05T12:30:00Z"]);
    let mut killed = retain().stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("the first day is dropped", || async {
        days(&db).await == ["2020-03-02", "2020-03-03"]
    })
    .await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(report(&db).await.fault, None);
    transaction.rollback().await.unwrap();
    // The server needs a moment to notice that the connection is gone.
    eventually("the next run does the rest", || async { run(retain()).await.status.success() })
        .await;
    assert_eq!(days(&db).await, ["2020-03-03"]);
    assert_eq!(report(&db).await.dropped.len(), 2);
}

/// Only the log itself creates events that move a horizon.
#[tokio::test]
async fn only_the_log_moves_a_horizon() {
    let db = database().await;
    let moved = r#"{"specversion":"1.0","id":"1","source":"stackledger","type":"stackledger.horizon.moved","data":{"family":"perf","before":"2020-03-03T00:00:00Z"}}"#;
    let notification =
        r#"{"event_type":"stackledger.horizon.moved","publisher_id":"stackledger","payload":{}}"#;
    // Of any type: it would have the id of the event that is to come.
    let other = r#"{"specversion":"1.0","id":"perf/2020-03-03T00:00:00Z","source":"stackledger","type":"other"}"#;
    let output = import(&db, &[moved, notification, other].map(str::to_owned)).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        db.number(
            "SELECT count(*) FROM log.dead_letter WHERE reason LIKE 'only stackledger creates%'"
        )
        .await,
        3
    );
    assert_eq!(db.number("SELECT position FROM log.head").await, 0);
}

/// A typing error in `--at` does not drop data.
#[tokio::test]
async fn steps_of_the_future_can_be_planned_but_not_taken() {
    let db = database().await;
    let future = ["retain", "--at", "2200-01-01T00:00:00Z"];
    let output = run(stackledger(&db, &future)).await;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--at 2200-01-01T00:00:00Z is in the future"), "{error}");
    let planned =
        succeed(stackledger(&db, &[&future[..], &["--dry-run", "--json"]].concat())).await;
    let planned: Value = serde_json::from_str(&planned).unwrap();
    assert!(planned["steps"].is_array(), "{planned}");
}
