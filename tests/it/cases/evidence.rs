//! Host, state and deletion of instances: the message of the one who did it counts, not the newest clock.

use serde_json::{Value, json};

use super::{read_lines, run, run_lines};
use crate::support::server::Server;

/// Returns the instances of a list, by their ids.
async fn ids(server: &Server, query: &str) -> Vec<String> {
    let list = server.ok(&format!("/v1/instances?{query}")).await;
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["instance_id"].as_str().unwrap().to_owned()).collect()
}

async fn show(server: &Server, id: &str) -> Value {
    server.ok(&format!("/v1/instances/{id}")).await
}

/// The messages in Nova's versioned format, as far as instances are concerned.
fn versioned(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|line| to_versioned(&serde_json::from_str(line).unwrap()).to_string())
        .collect()
}

fn to_versioned(legacy: &Value) -> Value {
    let payload = &legacy["payload"];
    let or_null = |key: &str| match payload[key].as_str() {
        Some("") | None => Value::Null,
        Some(text) => json!(text.split('.').next().unwrap().to_owned() + "Z"),
    };
    let name = |text: &str, from: &str, to: &str| text.replace(from, to);
    let kind = name(legacy["event_type"].as_str().unwrap(), "compute.", "");
    let kind = name(&name(&kind, "._post", "_post"), "live_migration.", "live_migration_");
    let kind = name(&kind, "post.dest", "post_dest");
    let publisher = legacy["publisher_id"].as_str().unwrap();
    let mut data = json!({
        "uuid": payload["instance_id"], "tenant_id": payload["tenant_id"], "host": payload["host"],
        "node": payload["node"], "display_name": payload["display_name"], "state": payload["state"],
        "task_state": payload["state_description"], "request_id": legacy["_context_request_id"],
        "launched_at": or_null("launched_at"), "deleted_at": or_null("deleted_at"),
        "terminated_at": or_null("terminated_at"),
        "flavor": {"nova_object.data": {"name": payload["instance_type"]}},
    });
    if !payload["old_state"].is_null() {
        data["state_update"] = json!({"nova_object.data": {
            "old_state": payload["old_state"], "state": payload["state"],
        }});
    }
    json!({
        "message_id": format!("f{}", &legacy["message_id"].as_str().unwrap()[1..]),
        "publisher_id": publisher.replace("compute.", "nova-compute:"), "event_type": kind,
        "priority": legacy["priority"], "timestamp": legacy["timestamp"],
        "payload": {"nova_object.name": "InstancePayload", "nova_object.data": data},
        "_context_request_id": legacy["_context_request_id"],
    })
}

/// Runs a case in either format, and in both at once.
async fn run_in_formats(case: &str, check: impl AsyncFn(&Server)) {
    let legacy = read_lines(case);
    let versioned = versioned(&legacy);
    let both = [legacy.clone(), versioned.clone()].concat();
    for lines in [legacy, versioned, both] {
        run_lines(&lines, &check).await;
    }
}

#[tokio::test]
async fn after_a_live_migration_the_host_is_the_destination() {
    let id = "ce39b18d-e96e-54ba-8332-c0bc43aa0181";
    run_in_formats("44-live-migrated-in-the-order-nova-tells-it", async |server| {
        assert_eq!(show(server, id).await["host"], "cn-b");
        assert_eq!(ids(server, "host=cn-b").await, [id]);
        assert_eq!(ids(server, "host=cn-a").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn an_update_of_a_clock_that_is_ahead_does_not_undo_a_deletion() {
    let id = "ec3efeb7-8eb1-5acc-9ac4-7d998d66b97b";
    run_in_formats("40-an-update-is-stamped-after-the-delete", async |server| {
        let shown = show(server, id).await;
        assert_eq!(
            (&shown["state"], &shown["deleted_at"]),
            (&json!("deleted"), &json!("2026-11-20T11:00:04Z"))
        );
        assert_eq!(ids(server, "state=deleted").await, [id]);
        assert_eq!(ids(server, "state=active").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_is_shelved_and_offloaded_is_on_no_host() {
    let id = "2cfedefd-2c61-5442-bc4e-d38050521531";
    run_in_formats("41-shelved-and-offloaded-has-no-host", async |server| {
        let shown = show(server, id).await;
        let values = (&shown["state"], &shown["host"]);
        assert_eq!(values, (&json!("shelved_offloaded"), &Value::Null));
        assert_eq!(ids(server, "host=cn-a").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_soft_deletion_is_undone_by_a_restore_alone() {
    for (case, state, deleted_at) in [
        ("soft-deleted", "soft-delete", json!("2026-11-20T11:00:00Z")),
        ("soft-deleted-and-restored", "active", Value::Null),
    ] {
        run(case, async |server| {
            let shown = show(server, "b4b3b0d5-0d7e-5c52-8a60-3f2ad1d60f55").await;
            assert_eq!((&shown["state"], &shown["deleted_at"]), (&json!(state), &deleted_at));
        })
        .await;
    }
}

#[tokio::test]
async fn after_a_resize_state_and_flavor_are_the_destinations() {
    run("resized-with-an-audit", async |server| {
        let shown = show(server, "3f0a6c8e-51b5-5d0c-b8f1-8d5e0f7f9a22").await;
        let values = (&shown["host"], &shown["flavor"], &shown["state"]);
        assert_eq!(values, (&json!("cn-b"), &json!("m1.large"), &json!("resized")));
    })
    .await;
}
