//! Queues of ours that nobody consumes.

use lapin::options::{QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use serde_json::{Value, json};

use crate::support::broker::{TestBroker, broker, publish};
use crate::support::consumer::consume;
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;
use crate::support::process::{command, succeed};

const QUEUE: &str = "stackledger.left";

/// What `status` lists of the queue.
async fn listed(db: &TestDatabase, broker: &TestBroker) -> Option<Value> {
    let mut status = command(db, Some(broker));
    status.args(["status", "--json"]);
    let status: Value = serde_json::from_str(&succeed(status).await).unwrap();
    status["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == QUEUE).cloned()
}

/// As a source leaves it that was taken out of the configuration.
#[tokio::test]
async fn a_bound_queue_that_nobody_consumes_is_named_while_it_has_messages() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    let consuming = consume(&db, &broker);
    eventually("our exchange exists", || async {
        let exchanges = broker.ask("exchanges").await;
        exchanges.as_array().unwrap().iter().any(|exchange| exchange["name"] == "stackledger")
    })
    .await;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    for name in [QUEUE, "stackledger.unbound", "another"] {
        cloud.queue_declare(name.into(), durable, FieldTable::default()).await.unwrap();
    }
    for name in [QUEUE, "another"] {
        let (exchange, key) = ("stackledger".into(), "left.#".into());
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        cloud.queue_bind(name.into(), exchange, key, options, arguments).await.unwrap();
    }
    for _ in 0..3 {
        publish(&cloud, "stackledger", "left.over", b"{}", &[]).await;
        publish(&cloud, "", "stackledger.unbound", b"{}", &[]).await;
    }
    eventually("it is named", || async {
        consuming
            .health
            .faults()
            .into_values()
            .any(|reason| reason.starts_with(&format!("{QUEUE} has 3 messages: ")))
    })
    .await;
    assert_eq!(consuming.health.faults().len(), 1, "{:?}", consuming.health.faults());
    let listed = listed(&db, &broker).await.unwrap();
    assert_eq!((&listed["messages"], &listed["consumers"]), (&3.into(), &0.into()));
    assert_eq!(listed["bindings"], json!([{"exchange": "stackledger", "key": "left.#"}]));
    assert_eq!(listed["error"], "it is not in the configuration");
    cloud.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await.unwrap();
    eventually("it is gone", || async { consuming.health.faults().is_empty() }).await;
    consuming.stop().await;
}
