//! Messages to our exchange with a key that no queue is bound by.

use lapin::options::ExchangeDeclareOptions;
use serde_json::json;

use crate::support::broker::{broker, declare, publish};
use crate::support::consumer::consume;
use crate::support::database::database;
use crate::support::eventually;

const POLICY: &str = "stackledger-unrouted";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_a_wrong_key_reaches_the_log() {
    let (db, broker) = (database().await, broker().await);
    let consuming = consume(&db, &broker);
    eventually("the policy is there", || async {
        let policies = broker.ask("policies").await;
        policies.as_array().unwrap().iter().any(|policy| policy["name"] == POLICY)
    })
    .await;
    let (_connection, sender) = broker.channel().await;
    // A publisher declares the exchange as it always did.
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    declare(&sender, "stackledger", durable).await;
    let stored = || async { db.rows("SELECT family, kind FROM log.event ORDER BY position").await };
    let started = |id: u32| {
        let event = json!({"specversion": "1.0", "id": id.to_string(), "source": "chef", "type": "recipe.started",
                           "time": "2026-11-20T01:00:00Z", "data": {"instance_id": "i", "recipe": "r"}});
        event.to_string().into_bytes()
    };
    // Until the policy and the queue's binding are in force, the broker drops it.
    eventually("it is stored", || async {
        publish(&sender, "stackledger", "recpie.started", &started(1), &[]).await;
        !stored().await.is_empty()
    })
    .await;
    publish(&sender, "stackledger", "", b"{}", &[]).await;
    eventually("what cannot be read is a dead letter", || async {
        db.number(
            "SELECT count(*) FROM log.dead_letter WHERE origin LIKE
                   'queue stackledger.unrouted, exchange stackledger, routing key %'",
        )
        .await
            == 1
    })
    .await;
    publish(&sender, "stackledger", "recipe.started", &started(2), &[]).await;
    eventually("both are stored", || async { stored().await.len() == 2 }).await;
    assert!(stored().await.iter().all(|row| row.contains("\"recipe.started\"")));
    consuming.stop().await;
}

/// An administrator's policy counts.
#[tokio::test(flavor = "multi_thread")]
async fn another_policy_is_left_alone() {
    let (db, broker) = (database().await, broker().await);
    let theirs = json!({"pattern": ".*", "definition": {"alternate-exchange": "elsewhere"},
                        "apply-to": "exchanges"});
    broker.put("policies", "theirs", &theirs).await;
    let consuming = consume(&db, &broker);
    eventually("our exchange exists", || async {
        let exchanges = broker.ask("exchanges").await;
        exchanges
            .as_array()
            .unwrap()
            .iter()
            .any(|exchange| exchange["name"] == "stackledger" && exchange["policy"] == "theirs")
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let policies = broker.ask("policies").await;
    assert_eq!(policies.as_array().unwrap().len(), 1, "{policies}");
    assert!(consuming.health.faults().is_empty(), "{:?}", consuming.health.faults());
    consuming.stop().await;
}
