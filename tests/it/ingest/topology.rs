//! The exchanges and queues that we declare on a cloud's broker, and the ones we must not: a wrong declaration
//! breaks the cloud's own publishing, or loses its messages.

use std::time::{Duration, Instant};

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::broker::{TestBroker, broker, declare, declare_as_oslo, publish};
use crate::support::consumer::{consume, consume_file};
use crate::support::database::{TestDatabase, database};
use crate::support::events::fixture;
use crate::support::eventually;

async fn names(broker: &TestBroker, what: &str) -> Vec<String> {
    let all = broker.ask(what).await;
    all.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

async fn bound(broker: &TestBroker, exchange: &str) -> Vec<(String, String)> {
    let all = broker.ask("bindings").await;
    let text = |binding: &Value, key: &str| binding[key].as_str().unwrap_or_default().to_owned();
    all.as_array()
        .unwrap()
        .iter()
        .filter(|binding| binding["source"] == exchange)
        .map(|binding| (text(binding, "destination"), text(binding, "routing_key")))
        .collect()
}

/// Waits until the log contains exactly this many events.
async fn holds(db: &TestDatabase, events: i64) {
    eventually("the events are in the log", || async {
        db.number("SELECT position FROM log.head").await == events
    })
    .await;
}

#[tokio::test]
async fn the_cloud_s_exchanges_are_awaited_and_never_declared() {
    let (db, broker) = (database().await, broker().await);
    let consuming = consume(&db, &broker);
    eventually("our queues exist", || async {
        let queues = names(&broker, "queues").await;
        queues.len() == 6 && queues.iter().all(|name| name.starts_with("stackledger."))
    })
    .await;
    // We have looked for the missing exchanges several times now, and have created neither them nor a queue of the
    // cloud (named like its routing keys).
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let exchanges = names(&broker, "exchanges").await;
    assert!(exchanges.contains(&"stackledger".to_owned()));
    assert!(!exchanges.iter().any(|name| name == "nova" || name == "ceilometer"), "{exchanges:?}");

    // The cloud starts, declares its exchange with its own flags, and publishes.
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    eventually("bound to nova", || async { bound(&broker, "nova").await.len() == 2 }).await;
    publish(
        &cloud,
        "nova",
        "notifications.info",
        &fixture("instance/legacy-create-start.json"),
        &[],
    )
    .await;
    holds(&db, 1).await;
    declare_as_oslo(&cloud, "nova").await;
    consuming.stop().await;
}

#[tokio::test]
async fn an_exchange_is_bound_to_whatever_its_flags() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    declare(&cloud, "nova", durable).await;
    let auto_delete = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    declare(&cloud, "ceilometer", auto_delete).await;
    let consuming = consume(&db, &broker);
    eventually("bound to both", || async {
        bound(&broker, "nova").await.len() == 2 && bound(&broker, "ceilometer").await.len() == 2
    })
    .await;
    for (exchange, key, name) in [
        ("nova", "notifications.error", "instance/dump-2-legacy-create-error-bare.json"),
        ("nova", "versioned_notifications.info", "instance/dump-3-versioned-create-end.json"),
        ("ceilometer", "metering.sample", "meter/dump-4-notifier-batch.json"),
        ("ceilometer", "metering", "meter/dump-6-rpc-single-sample.json"),
        ("ceilometer", "notifications.sample", "meter/dump-5-telemetry-polling.json"),
    ] {
        publish(&cloud, exchange, key, &fixture(name), &[]).await;
    }
    holds(&db, 5).await;
    consuming.stop().await;
}

/// When a broker restarts, transient exchanges and our bindings to them disappear; our queues stay. Deleting the
/// exchange while we are connected has the same effect.
#[tokio::test]
async fn bindings_are_made_again_after_an_exchange_was_deleted() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let consuming = consume(&db, &broker);
    eventually("bound", || async { bound(&broker, "nova").await.len() == 2 }).await;
    cloud.exchange_delete("nova".into(), ExchangeDeleteOptions::default()).await.unwrap();
    declare_as_oslo(&cloud, "nova").await;
    assert!(bound(&broker, "nova").await.is_empty());
    // The management API lists a new connection only after some seconds.
    eventually("connections are closed", || async { !broker.close_connections().await.is_empty() })
        .await;
    eventually("bound again", || async { bound(&broker, "nova").await.len() == 2 }).await;
    let (_connection, cloud) = broker.channel().await;
    publish(&cloud, "nova", "notifications.info", &fixture("instance/delete-start.json"), &[])
        .await;
    holds(&db, 1).await;
    consuming.stop().await;
}

/// If one of our queues or our exchange exists with other flags or arguments, the fault names the difference, the
/// others are consumed, and this one is, too, as soon as somebody has deleted it.
#[tokio::test]
async fn our_queues_and_exchange_with_other_flags_are_named() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, channel) = broker.channel().await;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let mut ttl = FieldTable::default();
    ttl.insert("x-message-ttl".into(), AMQPValue::LongInt(60_000));
    for (queue, options, arguments) in [
        ("instance", QueueDeclareOptions::default(), FieldTable::default()),
        ("meter", QueueDeclareOptions { auto_delete: true, ..durable }, FieldTable::default()),
        ("recipe", durable, ttl),
    ] {
        let name = format!("stackledger.{queue}");
        channel.queue_declare(name.into(), options, arguments).await.unwrap();
    }
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel
        .exchange_declare(
            "stackledger".into(),
            ExchangeKind::Direct,
            durable,
            FieldTable::default(),
        )
        .await
        .unwrap();

    let consuming = consume(&db, &broker);
    eventually("the faults are known", || async {
        let faults = consuming.health.faults();
        [
            ("queue stackledger.instance ", "inequivalent arg 'durable'"),
            ("queue stackledger.meter ", "inequivalent arg 'auto_delete'"),
            ("queue stackledger.recipe ", "inequivalent arg 'x-message-ttl'"),
            ("exchange stackledger ", "inequivalent arg 'type'"),
        ]
        .iter()
        .all(|(part, reason)| {
            faults.iter().any(|(name, why)| name.starts_with(part) && why.contains(reason))
        })
    })
    .await;
    declare_as_oslo(&channel, "nova").await;
    let queues = names(&broker, "queues").await;
    assert!(queues.contains(&"stackledger.perf".to_owned()), "{queues:?}");

    let options = QueueDeleteOptions::default();
    channel.queue_delete("stackledger.instance".into(), options).await.unwrap();
    eventually("it is consumed", || async {
        !consuming.health.faults().keys().any(|part| part.contains("stackledger.instance"))
    })
    .await;
    eventually("bound to nova", || async { bound(&broker, "nova").await.len() == 2 }).await;
    publish(
        &channel,
        "nova",
        "notifications.info",
        &fixture("instance/legacy-create-start.json"),
        &[],
    )
    .await;
    holds(&db, 1).await;
    consuming.stop().await;
}

#[tokio::test]
async fn further_exchanges_and_quorum_queues_come_from_the_configuration() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "heat").await;
    let file = "[sources]\nbuilt_in = []\n[[source]]\nexchange = 'heat'\n[[source.queue]]\nname = 'stackledger.heat'\nkeys = ['notifications.*']\n\
         type = 'quorum'\nmax_length_bytes = 1000000"
        .parse()
        .unwrap();
    let consuming = consume_file(&db, &broker, file);
    eventually("bound", || async { bound(&broker, "heat").await.len() == 1 }).await;
    let queues = broker.ask("queues").await;
    assert_eq!(queues[0]["type"], "quorum");
    let stack = fixture("deployment/dump-7-heat-stack-create.json");
    publish(&cloud, "heat", "notifications.info", &stack, &[]).await;
    holds(&db, 1).await;
    assert_eq!(db.rows("SELECT family FROM log.event").await, [r#"{"family": "deployment"}"#]);
    consuming.stop().await;
}

/// RabbitMQ accepts a binding while it creates a quorum queue, and drops messages that are routed to it meanwhile.
#[tokio::test]
async fn messages_routed_to_a_new_quorum_queue_are_in_the_log() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    let (exchanges, file) = ten_clouds(&cloud).await;
    let consuming = consume_file(&db, &broker, file.parse().unwrap());
    publish_until_routed(&cloud, exchanges).await;
    holds(&db, 10).await;
    consuming.stop().await;
}

/// The queues exist with another type at first, are bound as they are, and are deleted by somebody.
#[tokio::test]
async fn messages_routed_to_a_quorum_queue_that_replaces_another_are_in_the_log() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    let (exchanges, file) = ten_clouds(&cloud).await;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let name = |exchange: &str| format!("stackledger.{exchange}");
    for exchange in &exchanges {
        cloud.queue_declare(name(exchange).into(), durable, FieldTable::default()).await.unwrap();
    }
    let consuming = consume_file(&db, &broker, file.parse().unwrap());
    eventually("they are refused and bound", || async {
        consuming.health.faults().len() == 10
            && bound(&broker, "cloud-9").await.len() == 1
            && bound(&broker, "cloud-0").await.len() == 1
    })
    .await;
    for exchange in &exchanges {
        cloud.queue_delete(name(exchange).into(), QueueDeleteOptions::default()).await.unwrap();
    }
    publish_until_routed(&cloud, exchanges).await;
    holds(&db, 10).await;
    consuming.stop().await;
}

/// Declares ten exchanges. Returns their names, and a configuration with a quorum queue for each.
async fn ten_clouds(cloud: &Channel) -> (Vec<String>, String) {
    cloud.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let exchanges: Vec<String> = (0..10).map(|nth| format!("cloud-{nth}")).collect();
    let mut file = "[sources]\nbuilt_in = []\n".to_owned();
    for exchange in &exchanges {
        declare_as_oslo(cloud, exchange).await;
        file += &format!(
            "[[source]]\nexchange = '{exchange}'\n[[source.queue]]\nname = 'stackledger.{exchange}'\n\
             keys = ['notifications.*']\ntype = 'quorum'\n"
        );
    }
    (exchanges, file)
}

/// Publishes to each exchange until the first message is routed, which must be confirmed.
async fn publish_until_routed(cloud: &Channel, mut waiting: Vec<String>) {
    let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
    let started = Instant::now();
    let (mut published, mut unconfirmed) = (0, 0);
    while !waiting.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no queue is bound to {waiting:?}");
        let mut unrouted = Vec::new();
        for exchange in waiting {
            published += 1;
            let body = json!({"specversion": "1.0", "id": published.to_string(), "source": "cloud", "type": "made.up"});
            let (body, properties) = (body.to_string(), BasicProperties::default());
            let (to, key) = (exchange.as_str().into(), "notifications.info".into());
            let sent = cloud.basic_publish(to, key, mandatory, body.as_bytes(), properties);
            match timeout(Duration::from_secs(5), sent.await.unwrap()).await {
                Ok(Ok(Confirmation::Ack(Some(_returned)))) => unrouted.push(exchange),
                Ok(Ok(Confirmation::Ack(None))) => {}
                Ok(Ok(Confirmation::Nack(_))) | Err(_) => unconfirmed += 1,
                Ok(other) => panic!("{other:?}"),
            }
        }
        waiting = unrouted;
    }
    assert_eq!(unconfirmed, 0, "messages for queues that were bound but did not run");
}
