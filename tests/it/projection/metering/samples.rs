//! Samples, from the log to clients that read them with SQL.

use serde_json::{Value, json};
use stackledger::simulate::compare_meters;
use tokio_postgres::Client;

use crate::support::broker::broker;
use crate::support::cloud::{metered_cloud, publish, wait_until_complete};
use crate::support::database::{TestDatabase, database};
use crate::support::events::append;
use crate::support::eventually;
use crate::support::is_long;
use crate::support::process::{Process, command, succeed};
use crate::support::projector::{project, wait_until_applied};
use crate::support::samples::{polled, sample, with};

/// A day of two resources, in the order of the log. Some samples arrive twice.
async fn a_day() -> TestDatabase {
    let db = database().await;
    for number in 0..24_u32 {
        let samples: Vec<Value> = (0..4)
            .flat_map(|nth| {
                let minute = number * 60 + nth * 10;
                [sample(minute, "r", json!(minute)), sample(minute, "s", json!(0.5))]
            })
            .collect();
        let again: Vec<Value> = samples
            .iter()
            .map(|sample| with(sample.clone(), &json!({"message_id": "0"})))
            .collect();
        let (one, other) = (u128::from(number) * 2, u128::from(number) * 2 + 1);
        append(&db.database, &[polled(one, &samples), polled(other, &again[..4])]).await;
    }
    db
}

/// A connection with the rights of a member of the reading role.
async fn reader(db: &TestDatabase) -> Client {
    let client = db.superuser().await;
    client.batch_execute("SET ROLE stackledger_reader; SET timezone = 'UTC'").await.unwrap();
    client
}

async fn explained(client: &Client, sql: &str) -> String {
    let rows = client.query(&format!("EXPLAIN (COSTS OFF) {sql}"), &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

/// Samples by three routes at once, a fifth of the messages twice and a fifth out of order. Each sample is
/// stored once, and the sums are exact; a million samples with `--long`.
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_of_a_cloud_is_there_once_and_the_sums_are_exact() {
    let (db, broker) = (database().await, broker().await);
    let plan = metered_cloud(0, if is_long() { 1_000_000 } else { 5_000 }, 13);
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    publish(&plan, &broker).await;
    wait_until_complete(&db, plan.truth()).await;
    let sums = db
        .rows(
            r#"SELECT counter_name AS meter, counter_type AS "type", counter_unit AS unit, count(*) AS samples,
                      sum(counter_volume)::text AS sum, min("timestamp") AS first_at, max("timestamp") AS last_at
               FROM meter_samples GROUP BY 1, 2, 3"#,
        )
        .await;
    let sums: Vec<Value> = sums.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
    let wrong = compare_meters(&plan.truth().meters, &sums);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let count: u64 = plan.truth().meters.iter().map(|meter| meter.samples).sum();
    assert_eq!(count, if is_long() { 1_000_000 } else { 5_000 });
    assert_eq!(db.number("SELECT count(*) FROM metering.rejected").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_makes_the_same_rows_and_the_view_follows_it() {
    let db = a_day().await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let reader = reader(&db).await;
    let count =
        reader.prepare("SELECT count(*), sum(counter_volume)::text FROM meter_samples").await;
    let count = count.unwrap();
    let counted = async || -> (i64, String) {
        let row = reader.query_one(&count, &[]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let before = counted().await;
    assert_eq!(before.0, 192);
    assert_eq!(db.number("SELECT count(*) FROM metering.superseded").await, 96);

    let mut verify = command(&db, None);
    verify.args(["verify", "--read-models"]);
    let output = succeed(verify).await;
    assert!(output.contains("metering: ") && output.contains("the same when rebuilt"), "{output}");
    let mut replay = command(&db, None);
    replay.args(["replay", "metering"]);
    succeed(replay).await;
    assert_eq!(counted().await, before, "a statement prepared before finds the new tables");
    assert_eq!(db.number("SELECT count(*) FROM metering.meter_samples").await, 192);
}

/// However few samples there are, and without statistics: in the index of meters those of all resources are neighbours.
#[tokio::test(flavor = "multi_thread")]
async fn series_are_looked_up_in_the_index_of_identities() {
    let db = database().await;
    let projecting = project(&db);
    // 6000 samples, then the same ones with other ids.
    for round in 0..2 {
        for minute in 0..20 {
            let again = |nth: u32| {
                let sample = sample(minute, &format!("r-{nth}"), json!(nth));
                with(sample, &json!({"message_id": format!("{round}-{nth}")}))
            };
            let samples: Vec<Value> = (0..300).map(again).collect();
            let id = u128::from(round * 20 + minute);
            append(&db.database, &[polled(id, &samples)]).await;
        }
        wait_until_applied(&db).await;
    }
    projecting.stop().await;
    let scans = |columns: &str| {
        let statement = format!(
            "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes
             WHERE indexrelname LIKE 'sample\\_202611\\_{columns}%'"
        );
        let db = &db;
        async move { db.number(&statement).await }
    };
    eventually("the scans are counted", || async { scans("resource_id").await > 0 }).await;
    assert_eq!(scans("counter_name").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_the_view_reach_the_indexes() {
    let db = a_day().await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let reader = reader(&db).await;
    reader.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
    for view in ["public.meter_samples", "metering.meter_samples"] {
        for (condition, reached) in [
            ("resource_id = 'r'", "(resource_id = 'r'::text)"),
            ("counter_name = 'cpu'", "(counter_name = 'cpu'::text)"),
            ("project_id = 'p'", "(project_id = 'p'::text)"),
        ] {
            let plan = explained(
                &reader,
                &format!(
                    "SELECT * FROM {view} WHERE {condition} AND \"timestamp\" >= '2026-11-20T01:00:00Z'
                     AND \"timestamp\" < '2026-11-20T02:00:00Z'"
                ),
            )
            .await;
            let conditions = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or("");
            assert!(conditions.contains(reached), "{view}, {condition}:\n{plan}");
            assert!(conditions.contains("\"timestamp\" >="), "{plan}");
            assert!(plan.contains("sample_202611") && !plan.contains("Filter"), "{plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reading_role_reads_read_models_and_not_the_log() {
    let db = a_day().await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let reader = reader(&db).await;
    for table in ["metering.sample", "metering.resource", "timing.instance", "public.meter_samples"]
    {
        reader.query(&format!("SELECT * FROM {table}"), &[]).await.unwrap();
    }
    for refused in [
        "SELECT * FROM log.event",
        "SELECT * FROM log.dead_letter",
        "DELETE FROM metering.sample",
        "UPDATE metering.meter SET samples = 0",
        "CREATE TABLE metering.t ()",
    ] {
        let error = reader.batch_execute(refused).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{refused}");
    }
}
