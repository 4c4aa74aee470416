//! Events of deployments, and the documents that follow from them.

use serde_json::{Value, json};

use super::schema;
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

/// Returns the time of a minute of the tests.
pub fn minute(minute: u32) -> String {
    format!("2026-11-20T{:02}:{:02}:00Z", 3 + minute / 60, minute % 60)
}

/// Creates a CloudEvent at that minute; equal events have equal ids.
pub fn event(at: u32, kind: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": format!("{at} {kind} {data}"), "source": "//config-server",
           "type": kind, "time": minute(at), "data": data})
}

pub fn declared(at: u32, id: &str, instances: &[&str]) -> Value {
    let data = json!({"deployment_id": id, "name": "blog", "instances": instances});
    event(at, "deployment.declared", data)
}

/// `services` are as in the event (docs/messages.md).
pub fn registered(
    at: u32,
    instance: &str,
    assembly: &str,
    services: Value,
    provides: &[&str],
) -> Value {
    let data = json!({"instance_id": instance, "deployment_id": "d-1", "assembly": assembly,
                      "services": services, "provides": provides});
    event(at, "instance.registered", data)
}

pub fn started(at: u32, instance: &str, service: &str) -> Value {
    let data = json!({"instance_id": instance, "service": service});
    event(at, "service.configuration.started", data)
}

pub fn ended(at: u32, instance: &str, service: &str, code: &str) -> Value {
    let data = json!({"instance_id": instance, "service": service, "code": code});
    event(at, "service.configuration.ended", data)
}

/// Appends events and waits until they are projected.
pub async fn append(server: &Server, events: &[Value]) {
    let (status, answer) = server.post("/v1/events", Value::from(events).to_string()).await;
    assert_eq!(status, 201, "{answer}");
    wait_until_applied(&server.db).await;
}

/// Returns a document in the default format, which is valid by the schema.
pub async fn xml(server: &Server, path: &str) -> String {
    let (status, text) = document(server, path).await;
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// As [`xml`], with any status.
pub async fn document(server: &Server, path: &str) -> (u16, String) {
    let response = server.http.get(server.url(path)).send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/xml", "{path}");
    assert_eq!(response.headers()["vary"], "accept", "{path}");
    let text = response.text().await.unwrap();
    assert_eq!(schema::faults(&text), Vec::<String>::new(), "{path}: {text}");
    (status, text)
}
