//! Names of tenants.

use serde_json::{Value, json};
use stackledger::config::File;
use stackledger::sales::verify;
use tokio_util::sync::CancellationToken;

use super::{draft, import, run};
use crate::support::server::Server;

const USAGE: &str = "/get_usage?tenant=t30&start=2026-11-20T10:00:00&end=2026-11-20T14:00:00";

#[tokio::test]
async fn a_tenant_has_the_latest_name_that_was_reported() {
    run("30-project-name-is-told", async |server: &Server| {
        assert_eq!(server.ok(USAGE).await["usage"]["name"], "Blue Whale Ltd");
        assert_eq!(draft(server, "t30", "2026-11-21").await["name"], "Blue Whale Ltd");
        let request = json!({"tenant": "t30", "end": "2026-11-21", "force": true, "at": AT});
        let (status, order) = server.post("/sales_order", request.to_string()).await;
        assert!(status == 200 || status == 409, "{order}");
        // A name of an earlier time changes nothing, one of a later time does.
        let earlier = sample("t30", "2026-11-20T09:00:00", json!({"project_name": "Whale"}));
        let context = notification("t30", "Blue Whale plc", "2026-11-20 12:00:00.000001");
        import(server, &[&earlier, &context]).await;
        assert_eq!(server.ok(USAGE).await["usage"]["name"], "Blue Whale plc");
        let tenants = server.ok("/v1/tenants").await;
        assert_eq!(tenants["items"][0]["name"], "Blue Whale plc", "{tenants}");
        // Neither the id nor a null is a name.
        let nameless = [json!("t30"), json!("None"), Value::Null]
            .map(|name| sample("t30", "2026-11-20T13:00:00", json!({"project_name": name})));
        import(server, &nameless.each_ref().map(String::as_str)).await;
        assert_eq!(server.ok(USAGE).await["usage"]["name"], "Blue Whale plc");
    })
    .await;
}

#[tokio::test]
async fn an_order_keeps_the_name_it_was_issued_with() {
    let rates = "[[usage]]\nmeter = 'image.size'\ntransformer = 'max'\nunit = 'byte'\n\
                 [[rate]]\nservice = 'image.size'\nunit = 'byte'\nrate = '1'\n";
    let file: File = rates.parse().unwrap();
    let server = Server::with_projector_of(rates.parse().unwrap()).await;
    let named = |time: &str, name: &str| sample("t30", time, json!({"project_name": name}));
    import(&server, &[&named("2026-11-19T10:05:00", "Blue Whale Ltd")]).await;
    let request = json!({"tenant": "t30", "end": "2026-11-21", "force": true, "at": AT});
    let (status, order) = server.post("/sales_order", request.to_string()).await;
    assert_eq!((status, order["name"].as_str()), (200, Some("Blue Whale Ltd")), "{order}");
    import(&server, &[&named("2026-11-21T10:05:00", "Blue Whale plc")]).await;
    assert_eq!(draft(&server, "t30", "2026-11-22").await["name"], "Blue Whale plc");
    for (path, body) in [
        ("/sales_historic", json!({"tenant": "t30", "date": "2026-11-20"})),
        ("/sales_range", json!({"tenant": "t30", "start": "2026-11-20", "end": "2026-11-22"})),
    ] {
        let (status, answer) = server.post(path, body.to_string()).await;
        let text = answer.to_string();
        assert!(status == 200 && text.contains("Blue Whale Ltd"), "{path}: {text}");
        assert!(!text.contains("Blue Whale plc"), "{path}: {text}");
    }
    let orders = server.ok("/v1/sales-orders?tenant=t30").await;
    assert_eq!(orders["items"][0]["name"], "Blue Whale Ltd", "{orders}");
    let stop = CancellationToken::new();
    let report = verify(&server.db.database, &file, &stop, |_| ()).await.unwrap();
    assert_eq!((report.same, report.fault), (1, None));
}

#[tokio::test]
async fn a_project_that_is_a_null_as_text_is_no_tenant() {
    let server = Server::with_projector().await;
    let samples =
        ["None", "null"].map(|id| sample(id, "2026-11-20T10:05:00", json!({"resource_id": id})));
    import(&server, &samples.each_ref().map(String::as_str)).await;
    assert_eq!(server.ok("/v1/tenants").await["items"], json!([]));
    let found = server.ok("/v1/samples").await;
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["project_id"].is_null()), "{found}");
}

/// The time of requests for orders.
const AT: &str = "2026-11-29T00:00:00Z";

/// Returns a message with a sample like the case's, with other values for some keys.
fn sample(tenant: &str, time: &str, values: Value) -> String {
    let mut sample = json!({
        "source": "openstack", "counter_name": "image.size", "counter_type": "gauge",
        "counter_unit": "B", "counter_volume": 1_073_741_824, "user_id": null, "user_name": null,
        "project_id": tenant, "project_name": null, "resource_id": "img-30", "timestamp": time,
        "resource_metadata": {}, "message_id": format!("{tenant}-{time}-{values}"),
        "message_signature": "",
    });
    for (key, value) in values.as_object().unwrap() {
        sample[key] = value.clone();
    }
    json!({
        "message_id": format!("m-{tenant}-{time}-{values}"), "publisher_id": "ceilometer.polling",
        "event_type": "telemetry.polling", "priority": "SAMPLE", "timestamp": "2026-11-20 14:00:00",
        "payload": {"samples": [sample]},
    })
    .to_string()
}

/// Returns a notification of Nova whose context names the project.
fn notification(project: &str, name: &str, time: &str) -> String {
    json!({
        "message_id": "a2f0c0de-0000-4000-8000-000000000030", "publisher_id": "compute.cn-a",
        "event_type": "compute.instance.update", "priority": "INFO", "timestamp": time,
        "_context_project_id": project, "_context_tenant": project, "_context_project_name": name,
        "_context_user_id": "u", "_context_user_name": "ada",
        "payload": {"instance_id": "1734bc44-1488-4edc-927e-eabe9bdeb398", "tenant_id": project},
    })
    .to_string()
}
