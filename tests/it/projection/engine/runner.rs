//! Who may project, and what becomes of a projection that cannot go on. On the real log and tables.

use stackledger::projection::timing;

use crate::support::broker::broker;
use crate::support::cloud::{
    append, assert_consistent, assert_verified, cloud, combine, publish, wait_until_complete,
};
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;
use crate::support::process::{Process, command, run, succeed};
use crate::support::projector::{project, wait_until_applied};

/// A cloud's events, applied; nobody projects any more.
async fn projected(instances: u32, seed: u64) -> TestDatabase {
    let db = database().await;
    append(&cloud(instances, seed), &db).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    db
}

/// How many sets of tables timing has.
const CHECKPOINTS: &str = "SELECT count(*) FROM projection.checkpoint WHERE name = 'timing'";

async fn checkpoint(db: &TestDatabase, column: &str) -> i64 {
    db.number(&format!(
        "SELECT {column}::bigint FROM projection.checkpoint WHERE name = 'timing' AND slot = 'live'"
    ))
    .await
}

/// Somebody else takes the lease while a process projects: not a single step of it is accepted any
/// more; when the other one is gone, it goes on from where the other one stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_lease_was_taken_is_refused() {
    let db = database().await;
    let projecting = project(&db);
    append(&cloud(20, 61), &db).await;
    wait_until_applied(&db).await;
    let superuser = std::sync::Arc::new(db.superuser().await);
    let waiting = async |sessions: i64| {
        let count = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("sessions wait", || async { db.number(count).await == sessions }).await;
    };
    for seed in 62..65 {
        // A step is in the middle of writing when somebody wants its row: who wants it waits.
        let mut locker = db.superuser().await;
        let lock = locker.transaction().await.unwrap();
        lock.batch_execute("LOCK TABLE timing.instance IN SHARE MODE").await.unwrap();
        append(&cloud(40, seed), &db).await;
        waiting(1).await;
        let taking = tokio::spawn({
            let superuser = std::sync::Arc::clone(&superuser);
            async move {
                let take = "UPDATE projection.checkpoint
                    SET fence = fence + 1, holder = 'somebody else', lease_until = now() + interval '1 hour'
                    WHERE name = 'timing' RETURNING position";
                superuser.query_one(take, &[]).await.unwrap()
            }
        });
        waiting(2).await;
        lock.commit().await.unwrap();
        let taken = taking.await.unwrap();
        eventually("it stands by", || async {
            db.number(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                 AND query LIKE '-- checkpoint::acquire%' AND state = 'idle'",
            )
            .await
                == 1
        })
        .await;
        assert_eq!(checkpoint(&db, "position").await, taken.get::<_, i64>(0));
        assert_eq!(checkpoint(&db, "(holder = 'somebody else')::int").await, 1);
        superuser
            .execute("UPDATE projection.checkpoint SET lease_until = 'epoch'", &[])
            .await
            .unwrap();
        eventually("it has the lease again", || async {
            checkpoint(&db, "(holder = 'somebody else')::int").await == 0
        })
        .await;
        wait_until_applied(&db).await;
    }
    projecting.stop().await;
    assert_eq!(checkpoint(&db, "(holder IS NULL)::int").await, 1, "the lease was given back");
    assert_verified(&db).await;
}

/// What was made by another version, or with another configuration, is replayed at the start.
#[tokio::test(flavor = "multi_thread")]
async fn another_version_or_configuration_is_replayed_at_the_start() {
    let db = projected(30, 71).await;
    for change in ["version = 0", "config = 'another'"] {
        // Rows as another version would have made them.
        db.superuser()
            .await
            .batch_execute(&format!(
                "UPDATE projection.checkpoint SET {change} WHERE name = 'timing'; UPDATE timing.instance SET name = 'old'"
            ))
            .await
            .unwrap();
        let projecting = project(&db);
        eventually("they are made anew", || async {
            let version = i64::from(timing::PROJECTION.version);
            checkpoint(&db, "(config = '')::int * version").await == version
        })
        .await;
        wait_until_applied(&db).await;
        projecting.stop().await;
        assert_eq!(db.number(CHECKPOINTS).await, 1);
        assert_eq!(db.number("SELECT count(*) FROM timing.instance WHERE name = 'old'").await, 0);
        assert_verified(&db).await;
    }
}

/// In a rolling upgrade the older program leaves the newer one's tables alone.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_version_are_left_alone() {
    let db = projected(10, 73).await;
    let superuser = db.superuser().await;
    let made_by = async |version: i32| {
        let sql =
            format!("UPDATE projection.checkpoint SET version = {version} WHERE name = 'timing'");
        superuser.batch_execute(&sql).await.unwrap();
    };
    made_by(999).await;
    let before = checkpoint(&db, "fence").await;
    let projecting = project(&db);
    append(&cloud(10, 74), &db).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(checkpoint(&db, "fence").await, before, "nobody took it");
    assert_eq!(db.number(CHECKPOINTS).await, 1, "nobody replays");
    // The newer one is rolled back: its tables are this program's again.
    made_by(timing::PROJECTION.version).await;
    wait_until_applied(&db).await;
    projecting.stop().await;
}

/// A projection that cannot go on says why and where, and stops alone; the log grows on. A replay
/// repairs it while the process runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_fails_stops_alone() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let (first, second) = (cloud(20, 81), cloud(20, 82));
    publish(&first, &broker).await;
    wait_until_complete(&db, first.truth()).await;
    db.superuser()
        .await
        .batch_execute("ALTER TABLE timing.instance DROP COLUMN name")
        .await
        .unwrap();
    publish(&second, &broker).await;
    let truth = combine(first.truth(), second.truth());
    eventually("the log grows on", || async {
        db.number("SELECT position FROM log.head").await == truth.messages.unique as i64
    })
    .await;
    eventually("the checkpoint contains the error", || async {
        checkpoint(&db, "(error IS NOT NULL)::int").await == 1
    })
    .await;
    let standing = checkpoint(&db, "position").await;
    assert_eq!(checkpoint(&db, "error_at").await, standing);
    assert!(standing < truth.messages.unique as i64);
    let error = db.rows("SELECT error FROM projection.checkpoint WHERE name = 'timing'").await;
    assert!(error[0].contains("column \\\"name\\\"") && error[0].contains("42703"), "{error:?}");
    let (status, problem) = process.get("/readyz").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        status == 503 && detail.contains("projection timing is stopped by an error"),
        "{detail}"
    );
    let (status, projections) = process.get("/v1/projections").await;
    let states = projections["items"].as_array().unwrap().iter();
    let states: Vec<_> = states.map(|item| (item["name"].as_str(), &item["state"])).collect();
    let expected = [
        (Some("deployment"), &"running".into()),
        (Some("metering"), &"running".into()),
        (Some("rollup"), &"running".into()),
        (Some("sales"), &"running".into()),
        (Some("timing"), &"failed".into()),
    ];
    assert_eq!((status, &*states), (200, &expected[..]));
    assert_eq!(projections["items"][4]["error_at"], standing);
    let mut status = command(&db, Some(&broker));
    status.arg("status");
    let said = succeed(status).await;
    assert!(said.contains("failed") && said.contains("42703"), "{said}");

    let mut replay = command(&db, None);
    replay.args(["replay", "timing"]);
    succeed(replay).await;
    process.wait_until_ready().await;
    publish(&cloud(1, 83), &broker).await;
    let truth = combine(&truth, cloud(1, 83).truth());
    wait_until_complete(&db, &truth).await;
    assert_consistent(&db, &process, &truth).await;
}

/// A row of any table that was changed by hand is found and shown.
#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_a_row_changed_by_hand_in_every_table() {
    let db = projected(10, 91).await;
    let changes = [
        ("instance", "UPDATE timing.instance SET attempts = attempts + 1", "attempts - 1"),
        ("operation", "UPDATE timing.operation SET skewed = NOT skewed", "NOT skewed"),
        (
            "failed_call",
            "INSERT INTO timing.failed_call VALUES ('i', now(), gen_random_uuid(), '{}', 'r', 'h')",
            "",
        ),
        ("operation_hour", "UPDATE timing.operation_hour SET count = count + 1", "count - 1"),
        ("recipe", "UPDATE timing.recipe SET is_ttm = NOT is_ttm", "NOT is_ttm"),
        (
            "ttm_recipe_call",
            "INSERT INTO timing.ttm_recipe_call VALUES ('i', now(), gen_random_uuid())",
            "",
        ),
        ("request", "UPDATE timing.request SET kind = kind || 'x'::text", "trim_array(kind, 1)"),
    ];
    assert_eq!(changes.map(|change| change.0), timing::PROJECTION.tables);
    let superuser = db.superuser().await;
    for (table, change, back) in changes {
        let some = format!("WHERE ctid = (SELECT min(ctid) FROM timing.{table})");
        let is_update = change.starts_with("UPDATE");
        let changed = if is_update {
            format!("{change} {some} RETURNING ctid::text")
        } else {
            format!("{change} RETURNING ctid::text")
        };
        let row: String = superuser.query_one(&changed, &[]).await.unwrap().get(0);
        let mut verify = command(&db, None);
        verify.args(["verify", "--read-models"]);
        let output = run(verify).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("timing: differs when rebuilt: timing.{table}, only ")),
            "{table}: {said}"
        );
        let undo = if is_update {
            let column = change.split(' ').nth(3).unwrap();
            format!("UPDATE timing.{table} SET {column} = {back} WHERE ctid = '{row}'")
        } else {
            format!("DELETE FROM timing.{table}")
        };
        superuser.batch_execute(&undo).await.unwrap();
    }
    assert_verified(&db).await;
}
