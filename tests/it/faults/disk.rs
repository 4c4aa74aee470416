//! A disk without room: PostgreSQL cannot make its files longer, and may end over that.

use serde_json::json;

use crate::support::broker::{TestBroker, broker, publish as publish_body};
use crate::support::cloud::{assert_consistent, cloud, publish, wait_until_complete};
use crate::support::process::Process;
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::{eventually, is_long};

const MIB: u64 = 1 << 20;

/// Publishes events of a megabyte that no compression makes smaller, as many as fill a limit of 16 MiB. Returns their
/// number.
async fn publish_large_events(broker: &TestBroker) -> u64 {
    let count = if is_long() { 200 } else { 20 };
    let (_connection, channel) = broker.channel().await;
    channel.confirm_select(Default::default()).await.unwrap();
    for nth in 0..count {
        let noise: String = (0..MIB / 64)
            .map(|block| blake3::hash(format!("{nth} {block}").as_bytes()).to_hex().to_string())
            .collect();
        let body = json!({"event_type": "made.up", "publisher_id": "cloud", "message_id": format!("large-{nth}"),
            "timestamp": "2026-11-01 12:00:00", "priority": "INFO", "payload": {"noise": noise}});
        let body = body.to_string();
        publish_body(&channel, "nova", "notifications.info", body.as_bytes(), &[]).await;
    }
    count
}

async fn room_ends_and_comes_back(limit: u64, needs_a_start: bool) {
    let (postgres, broker) = (PrivateServer::postgres().await, broker().await);
    let db = postgres.database().await;
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    postgres.limit_file_size(Some(limit));
    let plan = cloud(if is_long() { 2000 } else { 60 }, 61);
    publish(&plan, &broker).await;
    let large = publish_large_events(&broker).await;
    eventually("/readyz says that the database does not store", || async {
        let (status, answer) = process.get("/readyz").await;
        status == 503 && answer["detail"].as_str().unwrap_or_default().contains("database")
    })
    .await;
    assert_eq!(process.get("/healthz").await.0, 200);
    let waits = || async { broker.depths().await.values().sum::<i64>() > 0 };
    eventually("what is not stored is not acked", waits).await;
    if needs_a_start {
        postgres.stop(Shutdown::Immediate).await;
        postgres.start().await;
    } else {
        postgres.limit_file_size(None);
    }
    let mut truth = plan.truth().clone();
    truth.messages.unique += large;
    *truth.messages.by_family.entry("other".to_owned()).or_default() += large;
    wait_until_complete(&db, &truth).await;
    process.wait_until_ready().await;
    assert_consistent(&db, &process, &truth).await;
    assert_eq!(process.terminate().await.0, Some(0));
    assert_eq!(broker.left().await, 0);
}

/// No table can grow beyond 16 MiB; the write-ahead log can.
#[tokio::test(flavor = "multi_thread")]
async fn tables_cannot_grow() {
    room_ends_and_comes_back(16 * MIB, false).await;
}

/// No new file of the write-ahead log can be made, of 16 MiB: the server ends, and cannot recover before there is room.
#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_cannot_grow() {
    room_ends_and_comes_back(8 * MIB, true).await;
}
