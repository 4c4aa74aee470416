//! Several nodes of a cluster: any one will do.

use crate::support::broker::{TestBroker, declare_as_oslo, publish};
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::services::{PrivateServer, Shutdown};

async fn publish_one(broker: &TestBroker, id: &str) {
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    eventually("the queue is bound", || async {
        let bindings = broker.ask("bindings").await;
        bindings.as_array().unwrap().iter().any(|binding| binding["source"] == "nova")
    })
    .await;
    let body =
        format!(r#"{{"specversion": "1.0", "id": "{id}", "source": "cloud", "type": "made.up"}}"#);
    publish(&cloud, "nova", "notifications.info", body.as_bytes(), &[]).await;
}

async fn holds(db: &TestDatabase, events: i64) {
    eventually("the events are in the log", || async {
        db.number("SELECT position FROM log.head").await == events
    })
    .await;
}

/// Two brokers of their own stand for two nodes: what a client sees of a cluster is which of its nodes answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_node_is_consumed_from_and_readyz_fails_only_without_any() {
    let db = database().await;
    let (one, other) = (PrivateServer::rabbitmq().await, PrivateServer::rabbitmq().await);
    let (first, second) = (one.broker().await, other.broker().await);
    let urls = format!("{};{}", first.url, second.url);
    let process = Process::start_with("up", &db, &first, &[("AMQP_URL", &urls)]);
    process.wait_until_ready().await;
    publish_one(&first, "by the first").await;
    holds(&db, 1).await;

    one.stop(Shutdown::Immediate).await;
    let connected = tokio::spawn({
        let readyz = format!("{}/readyz", process.url);
        async move {
            let mut failures = Vec::new();
            for _ in 0..30 {
                let answer = reqwest::get(&readyz).await.unwrap();
                if answer.status() != 200 {
                    failures.push(answer.text().await.unwrap());
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            failures
        }
    });
    publish_one(&second, "by the second").await;
    holds(&db, 2).await;
    assert_eq!(connected.await.unwrap(), [""; 0], "another node answers");

    other.stop(Shutdown::Immediate).await;
    eventually("/readyz names both nodes", || async {
        let (status, answer) = process.get("/readyz").await;
        let detail = answer["detail"].as_str().unwrap_or_default();
        let node = |url: &str| url.replace("guest:guest@", "guest:***@");
        status == 503
            && detail.contains(&format!("{}: it cannot be reached", node(&first.url)))
            && detail.contains(&format!("{}: it cannot be reached", node(&second.url)))
    })
    .await;
    one.start().await;
    process.wait_until_ready().await;
    publish_one(&first, "by the first again").await;
    holds(&db, 3).await;
    assert_eq!(process.terminate().await.0, Some(0));
}
