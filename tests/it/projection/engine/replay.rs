//! Blue/green: a replay fills tables beside those that answer, and takes their place at once.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stackledger::config::File;
use stackledger::projection::{self, deployment, metering, rollup, sales, timing};
use tokio_util::sync::CancellationToken;

use crate::support::broker::broker;
use crate::support::cloud::{append, assert_verified, cloud, read_models};
use crate::support::database::{TestDatabase, database};
use crate::support::process::{Process, command, run, succeed};
use crate::support::projector::{project, wait_until_applied};
use crate::support::{eventually, is_long};

fn replay(db: &TestDatabase) -> std::process::Command {
    let mut replay = command(db, None);
    replay.args(["replay", "timing"]);
    replay
}

/// Queries of every kind, over and over while replays swap the tables under them, never see missing
/// tables or a part of the rows.
#[tokio::test(flavor = "multi_thread")]
async fn queries_during_replays_see_whole_tables() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(if is_long() { 1000 } else { 60 }, 101);
    append(&plan, &db).await;
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    wait_until_applied(&db).await;
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut askers = Vec::new();
    for sql in [
        "SELECT count(*) FROM timing.instance",
        "SELECT count(DISTINCT i.instance_id) FROM timing.instance i JOIN timing.operation o USING (instance_id)",
    ] {
        let (client, done, asked) = (db.client().await, Arc::clone(&done), Arc::clone(&asked));
        askers.push(tokio::spawn(async move {
            // The same statement all the time, and one that is parsed anew each time.
            let prepared = client.prepare(sql).await.unwrap();
            let whole: i64 = client.query_one(&prepared, &[]).await.unwrap().get(0);
            assert!(whole > 0);
            while !done.load(Ordering::Relaxed) {
                let again: i64 = client.query_one(&prepared, &[]).await.unwrap().get(0);
                let anew: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
                assert_eq!((again, anew), (whole, whole), "{sql}");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let some = format!("{}/v1/instances/{}", process.url, plan.truth().instances[0].instance_id);
    let is_done = Arc::clone(&done);
    askers.push(tokio::spawn(async move {
        let client = reqwest::Client::new();
        while !is_done.load(Ordering::Relaxed) {
            assert_eq!(client.get(&some).send().await.unwrap().status(), 200);
        }
    }));
    for _ in 0..if is_long() { 30 } else { 6 } {
        let said = succeed(replay(&db)).await;
        assert!(said.starts_with("timing: replayed"), "{said}");
    }
    done.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.await.unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 50, "{asked:?}");
    eventually("whoever projects has taken up the new tables", || async {
        process.get("/readyz").await.0 == 200
    })
    .await;
    assert_verified(&db).await;
}

/// Killed in the middle, a replay leaves the old tables answering; the next one goes on from the
/// checkpoint of the first, once its lease has passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_where_a_killed_one_stood() {
    let db = database().await;
    append(&cloud(20, 111), &db).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    projecting.stop().await;
    let before = read_models(&db).await;
    let head = db.number("SELECT position FROM log.head").await;
    // Whoever holds the live checkpoint's lock keeps the replay from swapping.
    let mut superuser = db.superuser().await;
    let lock = superuser.transaction().await.unwrap();
    lock.execute("SELECT FROM projection.checkpoint WHERE slot = 'live' FOR UPDATE", &[])
        .await
        .unwrap();
    let mut killed = replay(&db).stdout(Stdio::null()).spawn().unwrap();
    eventually("all is applied beside", || async {
        db.number(
            "SELECT coalesce((SELECT position FROM projection.checkpoint WHERE slot = 'next'), 0)",
        )
        .await
            == head
    })
    .await;
    // It waits for the swap, longer than its lease: nobody takes over all the same.
    eventually("its lease has passed", || async {
        let passed = "SELECT count(*) FROM projection.checkpoint WHERE slot = 'next' AND lease_until < clock_timestamp()";
        db.number(passed).await == 1
    })
    .await;
    let refused = run(replay(&db)).await;
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(refused.stderr).unwrap(),
        "stackledger: replaying timing: another process is replaying it\n"
    );
    killed.kill().unwrap();
    killed.wait().unwrap();
    lock.rollback().await.unwrap();
    assert!(read_models(&db).await == before, "the old tables answer");

    // What is marked by hand in the half-made tables shows that they were gone on with.
    superuser
        .batch_execute(
            "UPDATE timing__next.instance SET attempts = -1
             WHERE ctid = (SELECT min(ctid) FROM timing__next.instance)",
        )
        .await
        .unwrap();
    eventually("the killed replay's lease passes", || async {
        run(replay(&db)).await.status.success()
    })
    .await;
    assert_eq!(db.number("SELECT count(*) FROM timing.instance WHERE attempts = -1").await, 1);
    assert_eq!(
        db.number("SELECT count(*) FROM projection.checkpoint WHERE name = 'timing'").await,
        1
    );
    // Only a fresh one starts anew.
    succeed(replay(&db)).await;
    assert!(read_models(&db).await == before);
}

/// The tables are swapped while `verify --read-models` compares them: it compares one set, whole.
#[tokio::test(flavor = "multi_thread")]
async fn verify_is_not_misled_by_a_replay() {
    let db = database().await;
    append(&cloud(10, 131), &db).await;
    let projecting = project(&db);
    wait_until_applied(&db).await;
    let (mut replaying, stop, file) = (None, CancellationToken::new(), Arc::<File>::default());
    let compared =
        projection::compare(&db.database, &timing::PROJECTION, &file, &stop, |position, until| {
            if position < until || replaying.is_some() {
                return;
            }
            // Its snapshot is taken, and it has not looked at the live tables yet.
            let mut replay = replay(&db).stdout(Stdio::null()).spawn().unwrap();
            let began = std::time::Instant::now();
            while replay.try_wait().unwrap().is_none() && began.elapsed().as_secs() < 2 {
                std::thread::yield_now();
            }
            replaying = Some(replay);
        })
        .await
        .unwrap();
    assert_eq!(compared.difference, None);
    assert!(compared.rows > 0);
    assert!(replaying.unwrap().wait().unwrap().success());
    assert_verified(&db).await;
    projecting.stop().await;
}

/// Asked to stop, it says where it stands; one that another version began is thrown away.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_another_version_is_not_gone_on_with() {
    let db = database().await;
    append(&cloud(10, 121), &db).await;
    let file = Arc::<File>::default();
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped =
        projection::replay(&db.database, &timing::PROJECTION, &file, "one", &stop, |_| {}).await;
    assert_eq!(
        stopped.unwrap_err().to_string(),
        "stopped at position 0: the next replay continues there"
    );
    db.superuser()
        .await
        .batch_execute(
            "UPDATE projection.checkpoint SET lease_until = 'epoch', position = 5, version = 999",
        )
        .await
        .unwrap();
    let stop = CancellationToken::new();
    projection::replay(&db.database, &timing::PROJECTION, &file, "two", &stop, |_| {})
        .await
        .unwrap();
    assert_eq!(
        db.rows("SELECT slot, version, error FROM projection.checkpoint").await,
        [format!(
            "{{\"slot\": \"live\", \"error\": null, \"version\": {}}}",
            timing::PROJECTION.version
        )]
    );
    // Its comparison is of all of them.
    for projection in
        [&metering::PROJECTION, &rollup::PROJECTION, &sales::PROJECTION, &deployment::PROJECTION]
    {
        projection::replay(&db.database, projection, &file, "two", &stop, |_| {}).await.unwrap();
    }
    assert_verified(&db).await;
}
