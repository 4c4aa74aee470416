//! The rows that a late sample writes.

use serde_json::json;

use crate::support::database::{TestDatabase, database};
use crate::support::events::append;
use crate::support::perf::{one, sampled};
use crate::support::process::{command, succeed};
use crate::support::projector::{project, wait_until_applied};

/// Two hours of two hosts and two metrics, a value a minute.
async fn two_hours(db: &TestDatabase) {
    let events: Vec<_> = (0..240_u64)
        .map(|n| {
            let (minute, host) = (n / 2, ["a", "b"][(n % 2) as usize]);
            let time = format!("2026-11-20T{:02}:{:02}:30Z", 3 + minute / 60, minute % 60);
            sampled(n, &json!({"host": host, "time": time, "metrics": {"cpu": n, "mem": 0.5}}))
        })
        .collect();
    append(&db.database, &events).await;
}

/// Returns the versions of the rows of all tables, which change when a row is written.
async fn versions(db: &TestDatabase) -> Vec<String> {
    let of = |table: &str| {
        let key = if table == "series" { "'-'" } else { "start::text" };
        format!(
            "SELECT '{table}' AS name, host, metric, {key} AS start, ctid, xmin::text FROM rollup.{table}"
        )
    };
    let tables = ["minute", "hour", "day", "series"].map(of);
    db.rows(&tables.join(" UNION ALL ")).await
}

/// Returns `table host metric start` of the rows that were written in between.
fn written(before: &[String], after: &[String]) -> Vec<String> {
    let mut written: Vec<String> = after
        .iter()
        .filter(|row| !before.contains(row))
        .map(|row| {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            ["name", "host", "metric", "start"].map(|key| row[key].as_str().unwrap()).join(" ")
        })
        .collect();
    written.sort();
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_sample_writes_a_minute_an_hour_and_a_day() {
    let db = database().await;
    two_hours(&db).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    let before = versions(&db).await;
    append(&db.database, &[one(1000, "a", "cpu", "2026-11-20T03:10:59Z", json!(7.25))]).await;
    wait_until_applied(&db).await;
    let after = versions(&db).await;
    assert_eq!(
        written(&before, &after),
        [
            "day a cpu 2026-11-20 00:00:00+00",
            "hour a cpu 2026-11-20 03:00:00+00",
            "minute a cpu 2026-11-20 03:10:00+00",
        ]
    );
    assert_eq!(after.len(), before.len());

    // A sample before all others creates a minute, and moves the beginning of its series.
    append(&db.database, &[one(1001, "b", "mem", "2026-11-20T02:59:59.999999Z", json!(1))]).await;
    wait_until_applied(&db).await;
    assert_eq!(
        written(&after, &versions(&db).await),
        [
            "day b mem 2026-11-20 00:00:00+00",
            "hour b mem 2026-11-20 02:00:00+00",
            "minute b mem 2026-11-20 02:59:00+00",
            "series b mem -",
        ]
    );
    projecting.stop().await;
    let mut verify = command(&db, None);
    verify.args(["verify", "--read-models"]);
    let output = succeed(verify).await;
    assert!(output.contains("rollup: ") && output.contains("the same when rebuilt"), "{output}");
}

/// Each day and month has a table of its own, whatever the time of a sample.
#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_in_the_partitions_of_their_days_and_months() {
    let db = database().await;
    let ends = [
        one(1, "a", "cpu", "2026-11-30T23:59:59.999999Z", json!(1)),
        one(2, "a", "cpu", "2026-12-01T00:00:00Z", json!(2)),
        one(3, "a", "cpu", "2001-01-01T00:00:00Z", json!(3)),
    ];
    append(&db.database, &ends).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let tables = "SELECT tableoid::regclass || ' ' || last AS row FROM rollup.minute UNION ALL
                  SELECT tableoid::regclass || ' ' || last FROM rollup.hour";
    let mut rows = db.rows(tables).await;
    rows.sort();
    let expected = [
        "hour_200101 3",
        "hour_202611 1",
        "hour_202612 2",
        "minute_20010101 3",
        "minute_20261130 1",
        "minute_20261201 2",
    ]
    .map(|row| format!(r#"{{"row": "rollup.{row}"}}"#));
    assert_eq!(rows, expected);
    assert_eq!(db.number("SELECT count(*) FROM rollup.day").await, 3);
}
