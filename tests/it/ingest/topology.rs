//! What we declare on a cloud's broker and what we never do: a wrong declaration breaks the cloud's
//! own publishing, or loses its messages.

use std::time::{Duration, Instant};

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation, ExchangeKind};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::broker::{TestBroker, broker, declare, declare_as_oslo, publish};
use crate::support::consuming::{consume, consume_file};
use crate::support::database::{TestDatabase, database};
use crate::support::events::fixture;
use crate::support::eventually;

async fn names(broker: &TestBroker, what: &str) -> Vec<String> {
    let all = broker.ask(what).await;
    all.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

async fn bound(broker: &TestBroker, exchange: &str) -> Vec<(String, String)> {
    let all = broker.ask("bindings").await;
    let of = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    all.as_array()
        .unwrap()
        .iter()
        .filter(|it| it["source"] == exchange)
        .map(|it| (of(it, "destination"), of(it, "routing_key")))
        .collect()
}

async fn holds(db: &TestDatabase, events: i64) {
    eventually("the events are in the log", || async {
        db.number("SELECT position FROM log.head").await == events
    })
    .await;
}

#[tokio::test]
async fn the_cloud_s_exchanges_are_waited_for_never_declared() {
    let (db, broker) = (database().await, broker().await);
    let consuming = consume(&db, &broker);
    eventually("our queues stand", || async {
        let queues = names(&broker, "queues").await;
        queues.len() == 5 && queues.iter().all(|name| name.starts_with("stackledger."))
    })
    .await;
    // Several looks for the missing exchanges later, they are still not there, nor is any queue of
    // the cloud's (named as its routing keys).
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let exchanges = names(&broker, "exchanges").await;
    assert!(exchanges.contains(&"stackledger".to_owned()));
    assert!(!exchanges.iter().any(|name| name == "nova" || name == "ceilometer"), "{exchanges:?}");

    // The cloud comes up, with its own flags, and publishes.
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
async fn an_exchange_is_taken_with_whatever_flags_it_has() {
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

/// A broker's restart takes transient exchanges and our bindings to them; our queue stays. Somebody
/// deleting the exchange while we are connected comes to the same.
#[tokio::test]
async fn bindings_are_made_again_when_an_exchange_vanished() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let consuming = consume(&db, &broker);
    eventually("bound", || async { bound(&broker, "nova").await.len() == 2 }).await;
    cloud.exchange_delete("nova".into(), ExchangeDeleteOptions::default()).await.unwrap();
    declare_as_oslo(&cloud, "nova").await;
    assert!(bound(&broker, "nova").await.is_empty());
    // The management API learns of connections with a delay of seconds.
    eventually("connections are closed", || async { broker.close_connections().await > 0 }).await;
    eventually("bound again", || async { bound(&broker, "nova").await.len() == 2 }).await;
    let (_connection, cloud) = broker.channel().await;
    publish(&cloud, "nova", "notifications.info", &fixture("instance/delete-start.json"), &[])
        .await;
    holds(&db, 1).await;
    consuming.stop().await;
}

/// What of ours stands there with other flags or arguments is named with the one that differs, the
/// others go on, and it is taken up as soon as somebody has removed it.
#[tokio::test]
async fn what_is_ours_with_other_flags_is_named() {
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
    let file = "[[source]]\nexchange = 'heat'\n[[source.queue]]\nname = 'stackledger.heat'\nkeys = ['notifications.*']\n\
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

/// RabbitMQ lets a quorum queue be bound to before it takes messages: what is routed to it in that
/// moment is lost.
#[tokio::test]
async fn what_is_routed_to_a_new_quorum_queue_is_in_the_log() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    cloud.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut waiting: Vec<String> = (0..10).map(|nth| format!("cloud-{nth}")).collect();
    let mut file = String::new();
    for exchange in &waiting {
        declare_as_oslo(&cloud, exchange).await;
        file += &format!(
            "[[source]]\nexchange = '{exchange}'\n[[source.queue]]\nname = 'stackledger.{exchange}'\n\
             keys = ['notifications.*']\ntype = 'quorum'\n"
        );
    }
    let consuming = consume_file(&db, &broker, file.parse().unwrap());
    // Each exchange is published to until the first message is routed.
    let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
    let started = Instant::now();
    let (mut published, mut not_taken) = (0, 0);
    while !waiting.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "nobody is bound to {waiting:?}");
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
                Ok(Ok(Confirmation::Nack(_))) | Err(_) => not_taken += 1,
                Ok(other) => panic!("{other:?}"),
            }
        }
        waiting = unrouted;
    }
    assert_eq!(not_taken, 0, "messages for queues that were bound and did not take them");
    holds(&db, 10).await;
    consuming.stop().await;
}
