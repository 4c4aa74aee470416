//! Outages: while a service is away, consuming pauses and nothing is acked that is not stored; afterwards
//! everything continues by itself.

use stackledger::simulate::Plan;
use tokio::task::JoinHandle;

use crate::support::broker::{TestBroker, broker};
use crate::support::cloud::{
    assert_consistent, cloud, cloud_at, combine, publish, wait_until_complete,
};
use crate::support::database::{TestDatabase, database};
use crate::support::process::{Process, command, run};
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::{eventually, is_long};

fn instances() -> u32 {
    if is_long() { 2000 } else { 60 }
}

fn publishing(plan: &Plan, broker: &TestBroker) -> JoinHandle<()> {
    let (plan, url) = (plan.clone(), broker.url.clone());
    tokio::spawn(async move {
        stackledger::simulate::publish(&url, &plan, false).await.unwrap();
    })
}

/// Waits until `/readyz` answers 503, with a reason that contains these words.
async fn not_ready(process: &Process, words: &[&str]) {
    eventually(&format!("/readyz answers 503 with {words:?}"), || async {
        // The process may not listen yet.
        let Ok(response) = reqwest::get(format!("{}/readyz", process.url)).await else {
            return false;
        };
        let status = response.status();
        let problem: serde_json::Value = response.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap_or_default();
        status == 503 && words.iter().all(|word| detail.contains(word))
    })
    .await;
}

/// Waits until the log grows.
async fn grows(db: &TestDatabase) {
    let before = db.number("SELECT position FROM log.head").await;
    eventually("the log grows", || async {
        db.number("SELECT position FROM log.head").await > before
    })
    .await;
}

/// RabbitMQ is ended twice while it has messages that we received but did not ack. Each time, transient exchanges
/// and all their bindings disappear; queues stay.
#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_is_stopped_and_crashes() {
    let (db, rabbitmq) = (database().await, PrivateServer::rabbitmq().await);
    let broker = rabbitmq.broker().await;
    let mut process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;

    let mut truth = None;
    for (how, seed) in [(Shutdown::Fast, 31), (Shutdown::Immediate, 32)] {
        let plan = cloud(instances(), seed);
        let mut locker = db.superuser().await;
        let lock = locker.transaction().await.unwrap();
        // No append is possible now: all published messages stay in the queues or, unacked, with us.
        lock.query_one("SELECT position FROM log.head FOR UPDATE", &[]).await.unwrap();
        publish(&plan, &broker).await;
        rabbitmq.stop(how).await;
        // Our messages are stored now, but can no longer be acked: they are delivered again.
        lock.commit().await.unwrap();
        not_ready(&process, &["broker amqp://guest:***@"]).await;
        if matches!(how, Shutdown::Immediate) {
            // The next process starts without a broker.
            assert_eq!(process.terminate().await.0, Some(0));
            process = Process::start("up", &db, &broker);
            let words = ["broker amqp://guest:***@", "check that it runs, and AMQP_URL"];
            not_ready(&process, &words).await;
        }
        rabbitmq.start().await;
        let exchanges = broker.ask("exchanges").await;
        // RabbitMQ 4.3 keeps a transient exchange over a restart, older ones do not.
        if exchanges.as_array().unwrap().iter().any(|exchange| exchange["name"] == "nova") {
            broker.delete("exchanges", "nova").await;
        }
        process.wait_until_ready().await;
        // The cloud declares its exchange anew and publishes: messages arrive only if we bind again.
        let later = cloud(20, seed + 100);
        publish(&later, &broker).await;
        let both = combine(plan.truth(), later.truth());
        let all = truth.map_or_else(|| both.clone(), |before| combine(&before, &both));
        wait_until_complete(&db, &all).await;
        assert_consistent(&db, &process, &all).await;
        truth = Some(all);
    }
    assert_eq!(process.terminate().await.0, Some(0));
    assert_eq!(broker.left().await, 0);
}

/// PostgreSQL is ended while messages flow: once regularly and once by a crash.
#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_stopped_and_crashes() {
    let (postgres, broker) = (PrivateServer::postgres().await, broker().await);
    let db = postgres.database().await;
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let mut truth = None;
    for (how, seed) in [(Shutdown::Fast, 41), (Shutdown::Immediate, 42)] {
        // Slow enough to be interrupted half way on any machine.
        let plan = cloud_at(instances(), seed, if is_long() { 4000 } else { 300 });
        let publishing = publishing(&plan, &broker);
        grows(&db).await;
        let before = process.metrics().await;
        postgres.stop(how).await;
        not_ready(&process, &["the database does not answer"]).await;
        assert_eq!(process.get("/healthz").await.0, 200);
        // What the database said last is still told, with its age.
        let metrics = process.metrics().await;
        assert_eq!(metrics["stackledger_database_up"], 0.0, "{metrics:?}");
        assert_eq!(metrics["stackledger_ready"], 0.0, "{metrics:?}");
        assert_eq!(metrics["stackledger_log_head"], before["stackledger_log_head"]);
        let age = "stackledger_database_read_age_seconds";
        assert!(metrics[age] > before[age], "{metrics:?}");
        // The cloud is not affected: its messages wait in the queues.
        publishing.await.unwrap();
        eventually("messages wait", || async { broker.depths().await.values().any(|n| *n > 0) })
            .await;
        postgres.start().await;
        process.wait_until_ready().await;
        let latest = plan.truth();
        let all = truth.map_or_else(|| latest.clone(), |before| combine(&before, latest));
        wait_until_complete(&db, &all).await;
        assert_consistent(&db, &process, &all).await;
        truth = Some(all);
    }
    assert_eq!(process.terminate().await.0, Some(0));
    assert_eq!(broker.left().await, 0);

    // Without a database, every role ends with an error line that contains the remedy.
    postgres.stop(Shutdown::Immediate).await;
    for role in ["up", "consume", "project", "serve"] {
        let mut started = command(&db, Some(&broker));
        started.arg(role);
        let output = run(started).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
        assert!(
            error.starts_with(&format!("stackledger: no PostgreSQL answers at {}", db.url))
                && error.ends_with(": check that it runs, and DATABASE_URL\n"),
            "{error}"
        );
    }
    postgres.start().await;
}

/// The disk is full: the server answers every insert into one leaf with SQLSTATE 53100.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_messages_back_until_there_is_room() {
    let (db, broker) = (database().await, broker().await);
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
             END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON log.event_instance
                FOR EACH ROW EXECUTE FUNCTION public.full_disk()",
        )
        .await
        .unwrap();
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let plan = cloud(instances(), 51);
    publish(&plan, &broker).await;
    not_ready(&process, &["could not extend file", "53100"]).await;
    // Other leaves still have space. All messages for the full one stay with the broker.
    let recipes = plan.truth().messages.by_family["recipe"] as i64;
    let notifications = plan.messages().filter(|message| message.exchange == "nova").count();
    eventually("the recipes are stored, the notifications are unacked", || async {
        db.number("SELECT position FROM log.head").await == recipes
            && broker.depths().await["stackledger.instance"] == notifications as i64
    })
    .await;
    superuser.batch_execute("DROP TRIGGER full_disk ON log.event_instance").await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    process.wait_until_ready().await;
    assert_consistent(&db, &process, plan.truth()).await;
    assert_eq!(process.terminate().await.0, Some(0));
    assert_eq!(broker.left().await, 0);
}
