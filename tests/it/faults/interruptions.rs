//! Faults that must leave no trace: messages flow, something fails, and afterwards everything is as if nothing had
//! happened.

use std::time::Duration;

use crate::support::broker::{TestBroker, broker};
use crate::support::cloud::{assert_consistent, cloud, publish, wait_until_complete};
use crate::support::database::{TestDatabase, database};
use crate::support::process::{Process, command, succeed};
use crate::support::{eventually, is_long};

/// A small seeded random number generator, so that a failing run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn instances() -> u32 {
    if is_long() { 2000 } else { 100 }
}

/// Starts a process and waits until it has declared its queues, in which messages wait while it is dead.
async fn started(db: &TestDatabase, broker: &TestBroker) -> Process {
    let process = Process::start("up", db, broker);
    process.wait_until_ready().await;
    process
}

/// The process is killed twenty times at seeded moments, while it consumes, projects and replays.
#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_nothing_is_lost_and_nothing_twice() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(instances(), 7);
    let mut process = started(&db, &broker).await;
    let publishing = tokio::spawn({
        let (plan, url) = (plan.clone(), broker.url.clone());
        async move { stackledger::simulate::publish(&url, &plan, false).await.unwrap() }
    });
    let mut random = Random(7);
    for round in 0..20 {
        tokio::time::sleep(Duration::from_millis(20 + random.below(400))).await;
        process.kill();
        process = Process::start("up", &db, &broker);
        if round % 5 == 4 {
            // A replay is killed, too: the old tables keep serving.
            let mut replay = command(&db, None).arg("replay").arg("timing").spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(random.below(200))).await;
            let _ = replay.kill();
            let _ = replay.wait();
        }
    }
    publishing.await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    process.wait_until_ready().await;
    assert_consistent(&db, &process, plan.truth()).await;
    let mut replay = command(&db, None);
    replay.args(["replay", "--all"]);
    // The lease of a killed replay expires within seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    succeed(replay).await;
    assert_consistent(&db, &process, plan.truth()).await;
}

/// The broker closes all connections, again and again, while messages flow.
#[tokio::test(flavor = "multi_thread")]
async fn the_broker_closes_connections() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(instances(), 11);
    let process = started(&db, &broker).await;
    let mut closed = 0;
    // The publisher's own connection must survive, so the connections are closed after it has finished.
    publish(&plan, &broker).await;
    for _ in 0..3 {
        closed += broker.close_connections().await.len();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    wait_until_complete(&db, plan.truth()).await;
    eventually("the consumer is back", || async { process.get("/readyz").await.0 == 200 }).await;
    publish(&cloud(20, 12), &broker).await;
    let more = cloud(20, 12).truth().messages.unique + plan.truth().messages.unique;
    eventually("later messages are stored as well", || async {
        db.number("SELECT position FROM log.head").await == more as i64
    })
    .await;
    assert!(closed > 0 || !is_long(), "the management API saw no connection to close");
}

/// The database terminates all our sessions, again and again, while messages flow.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_terminates_sessions() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(instances(), 13);
    let process = started(&db, &broker).await;
    let publishing = tokio::spawn({
        let (plan, url) = (plan.clone(), broker.url.clone());
        async move { stackledger::simulate::publish(&url, &plan, false).await.unwrap() }
    });
    let superuser = db.superuser().await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        superuser
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
                &[],
            )
            .await
            .unwrap();
    }
    publishing.await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    eventually("it is ready again", || async { process.get("/readyz").await.0 == 200 }).await;
    assert_consistent(&db, &process, plan.truth()).await;
}

/// Four processes share the queues and the log. The one that projects is killed, and another takes over within
/// seconds.
#[tokio::test(flavor = "multi_thread")]
async fn four_processes_share_the_work_and_a_standby_takes_over() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(instances(), 17);
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(started(&db, &broker).await);
    }
    publish(&plan, &broker).await;
    // The holder's name begins with its process id.
    let holder = db
        .rows("SELECT split_part(holder, '-', 1) AS pid FROM projection.checkpoint WHERE name = 'timing'")
        .await;
    let at = processes
        .iter()
        .position(|process| holder[0].contains(&format!("\"{}\"", process.pid())))
        .expect("one of them projects");
    processes.swap_remove(at).kill();
    let more = cloud(20, 18);
    publish(&more, &broker).await;
    let mut both = plan.truth().clone();
    both.messages.unique += more.truth().messages.unique;
    let killed_at = std::time::Instant::now();
    wait_until_complete(&db, &both).await;
    assert!(
        killed_at.elapsed() < Duration::from_secs(30),
        "the standby took {:?}",
        killed_at.elapsed()
    );
}

/// SIGTERM under load ends the process within 10 s. Messages in hand are stored and acked, or given back.
#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_under_load_it_stops_well() {
    let (db, broker) = (database().await, broker().await);
    let plan = cloud(instances(), 19);
    let process = started(&db, &broker).await;
    let publishing = tokio::spawn({
        let (plan, url) = (plan.clone(), broker.url.clone());
        async move { stackledger::simulate::publish(&url, &plan, false).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (code, took) = process.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let process = started(&db, &broker).await;
    publishing.await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    assert_consistent(&db, &process, plan.truth()).await;
}
