//! Quorum queues: a broker drops a message that was delivered too often, unless its limit is off. Nothing is consumed
//! from a queue that could lose messages.

use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use serde_json::{Value, json};
use stackledger::config::File;

use crate::support::broker::{TestBroker, broker, declare_as_oslo, publish};
use crate::support::consumer::{Consumer, consume_file, consume_with};
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;

const QUEUE: &str = "stackledger.instance";

fn sources(further: &str) -> File {
    format!(
        "[sources]\nbuilt_in = []\n[[source]]\nexchange = 'nova'\n[[source.queue]]\nname = '{QUEUE}'\nkeys = ['notifications.*']\n{further}"
    )
    .parse()
    .unwrap()
}

fn quorum() -> File {
    sources("type = 'quorum'")
}

/// Publishes as many different messages.
async fn publish_some(broker: &TestBroker, prefix: &str, count: u32) {
    let (_connection, cloud) = broker.channel().await;
    // A message that is not confirmed may still be with the client when the connection is dropped.
    cloud.confirm_select(Default::default()).await.unwrap();
    for nth in 0..count {
        let id = format!("{prefix}-{nth}");
        let body = json!({"specversion": "1.0", "id": id, "source": "cloud", "type": "made.up"});
        publish(&cloud, "nova", "notifications.info", body.to_string().as_bytes(), &[]).await;
    }
}

async fn is_bound(broker: &TestBroker) -> bool {
    let bindings = broker.ask("bindings").await;
    bindings.as_array().unwrap().iter().any(|binding| binding["source"] == "nova")
}

/// Waits until the queue has a fault with these words.
async fn is_refused(consuming: &Consumer, words: &[&str]) {
    eventually(&format!("the queue is not consumed: {words:?}"), || async {
        consuming.health.faults().iter().any(|(part, reason)| {
            part.starts_with(&format!("queue {QUEUE} at "))
                && words.iter().all(|word| reason.contains(word))
        })
    })
    .await;
}

async fn is_well(consuming: &Consumer) {
    eventually("there is no fault", || async { consuming.health.faults().is_empty() }).await;
}

async fn holds(db: &TestDatabase, events: i64) {
    eventually("the events are in the log", || async {
        db.number("SELECT position FROM log.head").await == events
    })
    .await;
}

/// The exact number of messages, once nobody consumes.
async fn is_left(broker: &TestBroker, messages: u32) {
    eventually("the messages are in the queue", || async { broker.left().await == messages }).await;
}

/// Consumes from a quorum queue, which is bound and has no fault.
async fn consumed() -> (TestDatabase, TestBroker, Consumer) {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let consuming = consume_file(&db, &broker, quorum());
    eventually("the queue is bound", || is_bound(&broker)).await;
    is_well(&consuming).await;
    (db, broker, consuming)
}

fn low() -> Value {
    json!({"pattern": ".*", "apply-to": "queues", "definition": {"delivery-limit": 3}})
}

/// A policy limits the deliveries to three more. The database is away and the consumer starts again ten times.
#[tokio::test]
async fn a_queue_with_a_low_limit_is_not_consumed_and_keeps_its_messages() {
    let (db, broker) = (database().await, broker().await);
    broker.put("policies", "low", &low()).await;
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let mut consuming = consume_file(&db, &broker, quorum());
    is_refused(&consuming, &["drops a message after 3 redeliveries", "policy low"]).await;
    eventually("its queue is bound all the same", || is_bound(&broker)).await;
    publish_some(&broker, "held", 50).await;

    let mut locker = db.superuser().await;
    let lock = locker.transaction().await.unwrap();
    lock.query_one("SELECT position FROM log.head FOR UPDATE", &[]).await.unwrap();
    for _ in 0..10 {
        consuming.stop().await;
        consuming = consume_file(&db, &broker, quorum());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    lock.commit().await.unwrap();
    is_refused(&consuming, &["policy low"]).await;
    is_left(&broker, 50).await;

    // Without the policy they come, all of them.
    broker.delete("policies", "low").await;
    is_well(&consuming).await;
    holds(&db, 50).await;
    consuming.stop().await;
}

/// RabbitMQ 4 has a limit of 20 by default. A client takes the messages and loses its connection 25 times.
#[tokio::test]
async fn a_queue_of_ours_has_no_limit() {
    let (db, broker, consuming) = consumed().await;
    consuming.stop().await;
    publish_some(&broker, "held", 50).await;
    for nth in 0..25 {
        is_left(&broker, 50).await;
        let (connection, channel) = broker.channel().await;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let deliveries = channel.basic_consume(QUEUE.into(), "held".into(), options, arguments);
        let taken = deliveries.await.unwrap().take(50).count().await;
        assert_eq!(taken, 50, "in round {nth}");
        connection.close(200, "cut".into()).await.unwrap();
    }
    let consuming = consume_file(&db, &broker, quorum());
    holds(&db, 50).await;
    consuming.stop().await;
}

/// A policy that comes later ends the consumer, which first stores what it was given.
#[tokio::test]
async fn a_policy_that_comes_later_is_noticed() {
    let (db, broker, consuming) = consumed().await;
    publish_some(&broker, "before", 5).await;
    holds(&db, 5).await;
    broker.put("policies", "low", &low()).await;
    is_refused(&consuming, &["drops a message after 3 redeliveries"]).await;
    publish_some(&broker, "after", 5).await;
    is_left(&broker, 5).await;
    broker.delete("policies", "low").await;
    holds(&db, 10).await;
    is_well(&consuming).await;
    consuming.stop().await;
}

/// What cannot be read is not trusted, unless the configuration says that somebody has checked.
#[tokio::test]
async fn without_the_management_api_a_quorum_queue_is_not_consumed() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let unreachable = |file: File| {
        consume_with(&db, &broker, |config| {
            config.file = file.into();
            config.amqp_management_urls =
                vec![stackledger::secret::ConnectionString::new("http://u:geheim@127.0.0.1:1")];
        })
    };
    let consuming = unreachable(quorum());
    let words = ["http://u:***@127.0.0.1:1", "AMQP_MANAGEMENT_URL", "check_delivery_limit = false"];
    is_refused(&consuming, &words).await;
    eventually("its queue is bound all the same", || is_bound(&broker)).await;
    publish_some(&broker, "held", 5).await;
    is_left(&broker, 5).await;
    consuming.stop().await;

    let consuming = unreachable(sources("type = 'quorum'\ncheck_delivery_limit = false"));
    holds(&db, 5).await;
    is_well(&consuming).await;
    consuming.stop().await;
}

/// The default type of queues belongs to the virtual host. RabbitMQ applies it from 3.11 on.
#[tokio::test]
async fn a_classic_queue_is_classic_whatever_the_virtual_host_s_default() {
    let (db, broker) = (database().await, broker().await);
    broker.set_default_queue_type("quorum").await;
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let consuming = consume_file(&db, &broker, sources(""));
    eventually("the queue is bound", || is_bound(&broker)).await;
    let queues = broker.ask("queues").await;
    assert_eq!((&queues[0]["name"], &queues[0]["type"]), (&json!(QUEUE), &json!("classic")));
    consuming.stop().await;
}
