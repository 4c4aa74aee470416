//! What is away shows in `/readyz` within a second or two, and so does its return, whether or not messages come.

use std::time::{Duration, Instant};

use lapin::options::{QueueDeleteOptions, QueuePurgeOptions};

use crate::support::broker::{TestBroker, broker, declare_as_oslo, publish};
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::services::{PrivateServer, Shutdown};

const QUEUE: &str = "stackledger.only";

/// The time in which a change has to show. It is more than the second or two that are meant, since the machine may be
/// busy with other tests.
const SOON: Duration = Duration::from_secs(5);

/// Starts a process with a single queue: another one, idle, would notice a lost connection.
async fn started(db: &TestDatabase, broker: &TestBroker) -> Process {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(crate::support::unique("toml"));
    let source = format!(
        "[sources]\nbuilt_in = []\n[[source]]\nexchange = 'nova'\n[[source.queue]]\nname = '{QUEUE}'\nkeys = ['notifications.*']\n"
    );
    std::fs::write(&file, source).unwrap();
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let variables = [("STACKLEDGER_CONFIG", file.to_str().unwrap())];
    let process = Process::start_with("up", db, broker, &variables);
    process.wait_until_ready().await;
    eventually("the queue is bound", || async {
        let bindings = broker.ask("bindings").await;
        bindings.as_array().unwrap().iter().any(|binding| binding["source"] == "nova")
    })
    .await;
    process
}

async fn publish_some(broker: &TestBroker, count: u32) {
    let (_connection, cloud) = broker.channel().await;
    for nth in 0..count {
        let body = format!(
            r#"{{"specversion": "1.0", "id": "{nth}", "source": "cloud", "type": "made.up"}}"#
        );
        publish(&cloud, "nova", "notifications.info", body.as_bytes(), &[]).await;
    }
}

/// A process that holds five messages, since its database is away.
struct Held {
    postgres: PrivateServer,
    broker: TestBroker,
    db: TestDatabase,
    process: Process,
}

async fn hold_five() -> Held {
    let (postgres, broker) = (PrivateServer::postgres().await, broker().await);
    let db = postgres.database().await;
    let process = started(&db, &broker).await;
    postgres.stop(Shutdown::Fast).await;
    publish_some(&broker, 5).await;
    shows(&process, "database: ", true).await;
    Held { postgres, broker, db, process }
}

/// Closes the connections until the broker has the messages again and the process has connected anew: until it has
/// noticed that a connection is lost, it may still store the messages that came over it.
async fn give_back(broker: &TestBroker, messages: u32) {
    let mut closed = Vec::new();
    loop {
        closed.extend(broker.close_connections().await);
        if broker.left().await == messages {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually("the process has connected anew", || async {
        broker.connections().await.iter().any(|connection| {
            connection["user_provided_name"] == "stackledger consume"
                && !closed.iter().any(|name| connection["name"] == name.as_str())
        })
    })
    .await;
}

/// Returns the reasons of `/readyz`; none if it is ready.
async fn reasons(process: &Process) -> String {
    let (status, answer) = process.get("/readyz").await;
    match status {
        200 => String::new(),
        _ => answer["detail"].as_str().unwrap().to_owned(),
    }
}

/// Waits until the reasons contain these words, or no longer do. Returns how long it took.
async fn shows(process: &Process, words: &str, expected: bool) -> Duration {
    let started = Instant::now();
    eventually(&format!("{words:?} in /readyz: {expected}"), || async {
        reasons(process).await.contains(words) == expected
    })
    .await;
    started.elapsed()
}

/// Waits until it is ready. Returns how long it took.
async fn is_ready(process: &Process) -> Duration {
    let started = Instant::now();
    process.wait_until_ready().await;
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_broker_shows_while_the_database_is_away() {
    let (postgres, rabbitmq) = (PrivateServer::postgres().await, PrivateServer::rabbitmq().await);
    let (db, broker) = (postgres.database().await, rabbitmq.broker().await);
    let process = started(&db, &broker).await;
    postgres.stop(Shutdown::Fast).await;
    publish_some(&broker, 5).await;
    shows(&process, "database: ", true).await;
    rabbitmq.stop(Shutdown::Immediate).await;
    let took = shows(&process, "broker amqp://", true).await;
    assert!(took < SOON, "the lost broker showed after {took:?}");
    rabbitmq.start().await;
    let took = shows(&process, "broker amqp://", false).await;
    assert!(took < SOON, "the broker's return showed after {took:?}");
    postgres.start().await;
    let took = is_ready(&process).await;
    assert!(took < SOON, "the database's return showed after {took:?}");
    eventually("the messages are in the log", || async {
        db.number("SELECT position FROM log.head").await == 5
    })
    .await;
    assert_eq!(process.terminate().await.0, Some(0));
}

/// The messages that could not be stored are gone, and no others come.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_s_return_shows_without_a_message() {
    let Held { postgres, broker, db, process } = hold_five().await;
    give_back(&broker, 5).await;
    let (_connection, channel) = broker.channel().await;
    channel.queue_purge(QUEUE.into(), QueuePurgeOptions::default()).await.unwrap();
    postgres.start().await;
    let took = is_ready(&process).await;
    assert!(took < SOON, "the database's return showed after {took:?}");
    assert_eq!(db.number("SELECT position FROM log.head").await, 0);
    assert_eq!(process.terminate().await.0, Some(0));
}

/// The end of a queue does not wait for the messages that are held.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_deleted_while_the_database_is_away_is_declared_again() {
    let Held { postgres, broker, db, process } = hold_five().await;
    let (_connection, channel) = broker.channel().await;
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await.unwrap();
    eventually("the queue is declared again", || async {
        broker.depths().await.get(QUEUE) == Some(&0)
    })
    .await;
    eventually("it is bound again", || async {
        let bindings = broker.ask("bindings").await;
        bindings.as_array().unwrap().iter().any(|binding| binding["source"] == "nova")
    })
    .await;
    publish_some(&broker, 7).await;
    postgres.start().await;
    is_ready(&process).await;
    eventually("the later messages are in the log", || async {
        db.number("SELECT position FROM log.head").await == 7
    })
    .await;
    assert_eq!(process.terminate().await.0, Some(0));
}

/// A message that was given back when the connection was lost stays with the broker: each delivery counts.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_delivered_again_while_the_database_is_away() {
    let Held { postgres, broker, db, process } = hold_five().await;
    assert_eq!(broker.left().await, 0, "the messages are held");
    give_back(&broker, 5).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(broker.left().await, 5, "taken although the database is away");
    }
    shows(&process, "broker amqp://", false).await;
    postgres.start().await;
    is_ready(&process).await;
    eventually("the messages are in the log", || async {
        db.number("SELECT position FROM log.head").await == 5
    })
    .await;
    assert_eq!(process.terminate().await.0, Some(0));
}
