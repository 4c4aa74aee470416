//! A broker that is short of memory takes no messages from publishers, and goes on delivering.

use std::time::Duration;

use crate::support::broker::TestBroker;
use crate::support::cloud::{assert_consistent, cloud, publish, wait_until_complete};
use crate::support::database::database;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::services::{PrivateServer, Shutdown};

async fn is_short_of_memory(broker: &TestBroker) -> bool {
    let nodes = reqwest::get(format!("{}/api/nodes", broker.management)).await.unwrap();
    let nodes: serde_json::Value = nodes.json().await.unwrap();
    nodes[0]["mem_alarm"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_consumed_while_publishers_are_blocked() {
    let (db, rabbitmq) = (database().await, PrivateServer::rabbitmq().await);
    let broker = rabbitmq.broker().await;
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let plan = cloud(20, 71);
    {
        let mut locker = db.superuser().await;
        let lock = locker.transaction().await.unwrap();
        // No append is possible until the broker is back, so its messages wait with it.
        lock.query_one("SELECT position FROM log.head FOR UPDATE", &[]).await.unwrap();
        publish(&plan, &broker).await;
        rabbitmq.configure_rabbitmq("vm_memory_high_watermark.absolute = 1MB");
        rabbitmq.stop(Shutdown::Fast).await;
        rabbitmq.start().await;
        lock.commit().await.unwrap();
    }
    eventually("the broker has its alarm", || is_short_of_memory(&broker)).await;
    process.wait_until_ready().await;
    wait_until_complete(&db, plan.truth()).await;
    assert_consistent(&db, &process, plan.truth()).await;
    assert!(is_short_of_memory(&broker).await);

    // The cloud's own publishers are blocked: that was the alarm.
    let publishing = tokio::spawn({
        let (plan, url) = (cloud(1, 72), broker.url.clone());
        async move { stackledger::simulate::publish(&url, &plan, false).await }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!publishing.is_finished(), "the broker takes nothing");
    publishing.abort();
    assert_eq!(process.terminate().await.0, Some(0));
    assert_eq!(broker.left().await, 0);
}
