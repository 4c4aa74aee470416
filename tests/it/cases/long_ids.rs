//! Ids that are made of names.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{import, run, usage};
use crate::support::server::Server;

const TENANT: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn containers_are_found_by_the_ids_that_were_sent() {
    let ids = [
        format!("{TENANT}/{}1", "c".repeat(255)),
        format!("{TENANT}/{}2", "c".repeat(255)),
        format!("{TENANT}/{}", "ž".repeat(128)),
        format!("{TENANT}/my/deep container%2F?"),
    ];
    run("17-container-names-of-256-bytes", async |server: &Server| {
        let used = usage(server, TENANT, "2026-11-20T10:00:00", "2026-11-20T11:00:00").await;
        let sizes =
            used.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        assert_eq!((used.len(), sizes.sum::<u64>()), (4, 10_737_418_240), "{used:?}");
        for id in &ids {
            assert_found(server, id).await;
        }
        let resources = server.ok("/v1/resources?limit=1").await;
        let next = resources["next"].as_str().unwrap();
        let rest = server.ok(&format!("/v1/resources?cursor={next}")).await;
        assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn ids_of_1024_bytes_are_kept_and_longer_ones_stay_different() {
    let server = Server::with_projector().await;
    let longest = "č".repeat(512);
    let (a, b) = (format!("{longest}a"), format!("{longest}b"));
    let lines = [&longest, &a, &b].map(|id| sample(id));
    import(&server, &lines.each_ref().map(String::as_str)).await;
    assert_found(&server, &longest).await;
    let found = server.ok(&format!("/v1/samples?project_id={TENANT}")).await;
    let ids: Vec<&Value> =
        found["items"].as_array().unwrap().iter().map(|item| &item["resource_id"]).collect();
    assert_eq!(ids.len(), 3, "{found}");
    let problem = server.refused(&format!("/v1/samples?resource_id={}", encoded(&a))).await;
    assert_eq!(problem["parameter"], "resource_id");
}

/// A flavor's name is a text of any length, and the name of a service.
#[tokio::test]
async fn a_service_of_a_long_name_does_not_stop_the_projection() {
    let server = Server::with_projector().await;
    let flavor: String = (0..400).map(|n| format!("{n:x}-{}", n * 7919)).collect();
    let mut message: Value = serde_json::from_str(&sample("vm")).unwrap();
    let sample = &mut message["payload"]["samples"][0];
    sample["counter_name"] = json!("vcpus");
    sample["resource_metadata"] = json!({"status": "active", "flavor": {"name": flavor}});
    import(&server, &[&message.to_string()]).await;
    let used = usage(&server, TENANT, "2026-11-20T10:00:00", "2026-11-20T11:00:00").await;
    assert_eq!(used.len(), 1);
    assert!(used[0].starts_with("vm 0-01-79192-"), "{used:?}");
}

async fn assert_found(server: &Server, id: &str) {
    let found = server.ok(&format!("/v1/samples?resource_id={}", encoded(id))).await;
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{id}: {found}");
    assert_eq!(items[0]["resource_id"], id);
}

fn encoded(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

/// Returns a message with the size of a container.
fn sample(id: &str) -> String {
    json!({
        "message_id": format!("m-{id}"), "publisher_id": "ceilometer.polling",
        "event_type": "telemetry.polling", "priority": "SAMPLE", "timestamp": "2026-11-20 10:05:00",
        "payload": {"samples": [{
            "source": "openstack", "counter_name": "storage.containers.objects.size",
            "counter_type": "gauge", "counter_unit": "B", "counter_volume": 1, "user_id": null,
            "project_id": TENANT, "resource_id": id, "timestamp": "2026-11-20T10:05:00",
            "resource_metadata": {}, "message_id": format!("s-{id}"), "message_signature": "",
        }]},
    })
    .to_string()
}
