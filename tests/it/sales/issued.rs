//! Orders as events.

use serde_json::json;

use super::world::*;
use crate::support::process::{command, succeed};
use crate::support::unique;

#[tokio::test]
async fn a_replay_brings_the_orders_back_byte_by_byte() {
    let server = serving(config(""), &days("t", &["2026-11-02", "2026-11-03"])).await;
    for end in ["2026-11-03", "2026-11-04"] {
        server.made("/sales_order", json!({"tenant": "t", "end": end})).await;
    }
    let orders = "SELECT order_id, body, position, issued_at FROM sales.sales_order ORDER BY 3";
    let before = server.db.rows(orders).await;
    assert_eq!(before.len(), 2);
    server.stop.cancel();
    let db = server.db;
    db.superuser()
        .await
        .batch_execute(
            "DELETE FROM projection.checkpoint;
             DROP SCHEMA sales CASCADE; DROP SCHEMA metering CASCADE; DROP SCHEMA timing CASCADE;
             DROP SCHEMA rollup CASCADE",
        )
        .await
        .unwrap();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("orders"));
    std::fs::write(&path, format!("{USAGE}{}", rates())).unwrap();
    let stackledger = |arguments: &[&str]| {
        let mut command = command(&db, None);
        command.args(arguments).env("STACKLEDGER_CONFIG", &path);
        succeed(command)
    };
    stackledger(&["replay", "--all"]).await;
    assert_eq!(db.rows(orders).await, before);
    let output = stackledger(&["verify", "--orders", "--read-models"]).await;
    assert!(output.contains("2 sales orders have the same bytes"), "{output}");
    assert!(output.contains("sales: 2 rows at position"), "{output}");
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn an_event_contains_the_basis_and_the_settings_of_its_order() {
    let server =
        serving(config("billing_timezone = 'Europe/Prague'"), &days("t", &["2026-11-02"])).await;
    let order = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    assert_eq!(order["to"], "2026-11-02T23:00:00Z");
    let events = server.ok("/v1/events?family=billing&stream=t").await;
    let event = &events["items"][0];
    assert_eq!(
        (&event["kind"], &event["project_id"]),
        (&json!("billing.sales_order.issued"), &json!("t"))
    );
    let event = server.ok(&format!("/v1/events/{}", event["position"])).await;
    let data = &event["body"]["data"];
    assert_eq!((&data["order"], &data["order_id"]), (&order, &order["order_id"]));
    assert_eq!(
        data["settings"],
        json!({
            "billing_timezone": "Europe/Prague", "settle_s": 600, "allow_unrated": false, "trust_sources": null,
            "clock_s": [86400, 2678400]
        })
    );
    assert_eq!(data["basis"]["rates"].as_array().unwrap().len(), 3);
    assert_eq!(data["basis"]["mappings"].as_array().unwrap().len(), 3);
    assert_eq!(data["basis"]["calculation"], 2);
}
