//! Deployments with faults are reported rather than answered with 500.

use serde_json::{Value, json};

use super::events::*;
use crate::support::server::{Server, answer};

fn reference(name: &str, instance: &str, what: &str, target: &str) -> Value {
    json!({"name": name, "from": {"instance_id": instance, what: target}})
}

fn service(name: &str, parameters: &[Value]) -> Value {
    json!({"name": name, "parameters": parameters})
}

async fn show(server: &Server, at: u32) -> Value {
    server.ok(&format!("/v1/deployments/d-1?at={}", minute(at))).await
}

#[tokio::test]
async fn references_to_nobody_to_itself_and_in_a_cycle() {
    let server = Server::with_projector().await;
    let to_nobody = [
        reference("ip", "nobody", "parameter", "ip"),
        reference("db", "nobody", "service", "mysql"),
    ];
    let a = service("a", &[reference("x", "j", "service", "b")]);
    let b = service("b", &[reference("x", "i", "service", "a")]);
    let c = service("c", &[reference("x", "k", "service", "c")]);
    append(
        &server,
        &[
            registered(0, "i", "one", json!([service("n", &to_nobody), a]), &[]),
            registered(1, "j", "two", json!([b]), &[]),
            registered(2, "k", "three", json!([c]), &[]),
        ],
    )
    .await;
    for path in ["/reports/deployment/d-1", "/reports/instance/i", "/reports/instance/k/service/c"]
    {
        xml(&server, path).await;
    }
    let report = show(&server, 3).await;
    let waits = |index: usize| report["unresolved"][index]["waits_for"].clone();
    assert_eq!(
        waits(0),
        json!({"instance_id": "nobody", "parameter": "ip", "service": null, "state": "not_registered"})
    );
    assert_eq!(waits(1)["state"], "not_registered");
    assert_eq!(report["unresolved"].as_array().unwrap().len(), 5);
    let member =
        |instance: &str, service: &str| json!({"instance_id": instance, "service": service});
    assert_eq!(
        report["cycles"],
        json!([
            {"deadlock": true, "services": [member("i", "a"), member("j", "b")]},
            {"deadlock": true, "services": [member("k", "c")]},
        ])
    );
    // The reports of an instance and of a service contain the same.
    let one = server.ok(&format!("/reports/instance/j?format=json&at={}", minute(3))).await;
    assert_eq!(one["cycles"], json!([report["cycles"][0]]));
    assert_eq!(one, report["instances"][1]);
    let path = format!("/reports/instance/i/service/n?format=json&at={}", minute(3));
    let service = server.ok(&path).await;
    assert_eq!(service, report["instances"][0]["services"][0]);
    assert_eq!(service["parameters"][0]["waits_for"], waits(0));
    // After a long silence, each waits for an abandoned instance.
    assert_eq!(waits(2)["state"], "registered");
    let later = show(&server, 63).await;
    assert_eq!((&later["state"], &later["status"]), (&json!("abandoned"), &json!("incomplete")));
    assert_eq!(later["unresolved"][2]["waits_for"]["state"], "abandoned");
}

#[tokio::test]
async fn a_failed_service_and_one_that_never_started() {
    let server = Server::with_projector().await;
    let web = service("web", &[reference("db", "m", "service", "mysql")]);
    append(
        &server,
        &[
            registered(0, "m", "db", json!([service("mysql", &[])]), &[]),
            registered(1, "w", "web", json!([web]), &[]),
            ended(2, "m", "mysql", "-1"),
        ],
    )
    .await;
    let mysql = xml(&server, "/reports/instance/m").await;
    assert!(!mysql.contains("configuration-started"), "{mysql}");
    assert!(mysql.contains("<completion-status>-1</completion-status>"), "{mysql}");
    let web = xml(&server, "/reports/instance/w").await;
    assert!(!web.contains("unresolved"), "a failed service resolves too: {web}");
    let report = show(&server, 3).await;
    assert_eq!((&report["status"], &report["state"]), (&json!("error"), &json!("failed")));
    let mysql = &report["instances"][0]["services"][0];
    assert_eq!((&mysql["start_missing"], &mysql["status"]), (&json!(true), &json!("error")));
    assert_eq!(mysql["attempts"][0]["duration_s"], Value::Null);
    let web = &report["instances"][1]["services"][0];
    assert_eq!(web["blocked_by_failure"], true);
    assert_eq!(web["parameters"][0]["value"], "-1");
}

#[tokio::test]
async fn deleted_and_declared_again() {
    let server = Server::with_projector().await;
    let services = || json!([service("s", &[])]);
    let deleted = event(5, "deployment.deleted", json!({"deployment_id": "d-1"}));
    append(
        &server,
        &[
            declared(0, "d-1", &["i"]),
            registered(1, "i", "one", services(), &[]),
            ended(2, "i", "s", "0"),
            deleted,
        ],
    )
    .await;
    for path in ["/reports/deployment/d-1", "/reports/instance/i", "/reports/instance/i/service/s"]
    {
        let (status, text) = document(&server, path).await;
        assert_eq!(status, 404, "{path}");
        assert!(text.contains("was deleted"), "{text}");
    }
    assert_eq!(show(&server, 6).await["state"], "deleted");

    append(&server, &[declared(10, "d-1", &["i"]), registered(11, "i", "one", services(), &[])])
        .await;
    let document = xml(&server, "/reports/deployment/d-1").await;
    assert!(document.contains(r#"<deployment uuid="d-1" status="incomplete">"#), "{document}");
    let report = show(&server, 12).await;
    assert_eq!((&report["generation"], &report["state"]), (&json!(2), &json!("registered")));
    assert_eq!(report["former"][0]["status"], "success");
    assert_eq!(report["former"][0]["deleted_at"], minute(5));
    let former = &report["instances"][0]["former"][0];
    assert_eq!(
        (&former["attempt"], &former["services"][0]["status"]),
        (&json!(1), &json!("success"))
    );
}

#[tokio::test]
async fn instances_without_services_and_deployments_without_instances() {
    let server = Server::with_projector().await;
    append(&server, &[declared(0, "d-1", &["i", "j"])]).await;
    let document = xml(&server, "/reports/deployment/d-1").await;
    assert_eq!(
        document,
        "<?xml version=\"1.0\"?>\n<deployment uuid=\"d-1\" status=\"\">\n  \
         <registered>2026-11-20T03:00:00Z</registered>\n</deployment>\n"
    );
    let report = show(&server, 1).await;
    assert_eq!((&report["status"], &report["state"]), (&Value::Null, &json!("declared")));
    assert_eq!(report["missing"], json!(["i", "j"]));
    append(
        &server,
        &[
            registered(1, "i", "empty", json!([]), &["ip"]),
            registered(2, "j", "one", json!([service("s", &[])]), &[]),
            ended(3, "j", "s", "0"),
        ],
    )
    .await;
    let document = xml(&server, "/reports/deployment/d-1").await;
    assert!(document.contains(r#"status="success""#) && document.contains("<completed>"));
    let instance = xml(&server, "/reports/instance/i").await;
    assert!(instance.contains(r#"status="""#) && !instance.contains("pending"), "{instance}");
}

#[tokio::test]
async fn problems_have_the_format_of_the_request() {
    let server = Server::with_projector().await;
    append(&server, &[registered(0, "i", "a<b>&\"c\u{1}", json!([service("s\u{b}", &[])]), &[])])
        .await;
    for path in
        ["/reports/deployment/none", "/reports/instance/none", "/reports/instance/i/service/none"]
    {
        let (status, text) = document(&server, path).await;
        assert_eq!((status, text.contains("<error status=\"404\">")), (404, true), "{text}");
        assert_eq!(server.refused(&format!("{path}?format=json")).await["status"], 404);
        let json = server.http.get(server.url(path)).header("accept", "application/json");
        assert_eq!(answer(json).await.0, 404);
        let json = server.http.get(server.url(path)).header("accept", "application/json");
        assert_eq!(json.send().await.unwrap().headers()["vary"], "accept", "{path}");
    }
    let (status, text) = document(&server, "/reports/deployment/d-1?at=soon").await;
    assert!(status == 400 && text.contains("<parameter>at</parameter>"), "{text}");
    assert_eq!(document(&server, "/reports/deployment/d-1?format=yaml").await.0, 400);
    let odd = xml(&server, "/reports/instance/i").await;
    assert!(odd.contains("a&lt;b&gt;&amp;&quot;c\u{fffd}") && odd.contains("s\u{fffd}"), "{odd}");
    let timeless = r#"{"specversion":"1.0","id":"1","source":"s","type":"deployment.deleted","data":{"deployment_id":"d"}}"#;
    let (status, problem) = server.post("/v1/events", timeless).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("time")));
    let nameless = r#"{"specversion":"1.0","id":"1","source":"s","type":"deployment.deleted","time":"2026-11-20T03:00:00Z"}"#;
    assert_eq!(server.post("/v1/events", nameless).await.1["parameter"], "data.deployment_id");
}

#[tokio::test]
async fn deployments_are_listed_newest_first() {
    let server = Server::with_projector().await;
    let mut events: Vec<Value> = (0..5).map(|n| declared(n, &format!("d-{n}"), &["i"])).collect();
    events.push(registered(6, "i", "one", json!([service("s", &[])]), &[]));
    events.push(ended(7, "i", "s", "0"));
    // Declared once more, by another event.
    events.push(declared(8, "d-0", &[]));
    append(&server, &events).await;
    let list = async |query: &str| -> (Vec<String>, Value) {
        let page = server.ok(&format!("/v1/deployments?at={}&{query}", minute(9))).await;
        let items = page["items"].as_array().unwrap().iter();
        let ids = items.map(|item| item["deployment_id"].as_str().unwrap().to_owned());
        (ids.collect(), page["next"].clone())
    };
    let (mut seen, mut next) = list("limit=2").await;
    while let Some(cursor) = next.as_str() {
        let (ids, after) = list(&format!("limit=2&cursor={cursor}")).await;
        seen.extend(ids);
        next = after;
    }
    assert_eq!(seen, ["d-4", "d-3", "d-2", "d-1", "d-0"]);
    assert_eq!(list("status=success").await.0, ["d-1"]);
    assert_eq!(list("status=complete").await.0, ["d-1"]);
    assert_eq!(list("status=declared&limit=1000").await.0, ["d-4", "d-3", "d-2", "d-0"]);
    assert_eq!(list("status=error").await.0, Vec::<String>::new());
    // A state that follows from silence is the same here and in a report.
    let later = format!("/v1/deployments?status=abandoned&at={}", minute(66));
    let items = server.ok(&later).await["items"].clone();
    let ids: Vec<&str> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["deployment_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["d-4", "d-3", "d-2"]);
    for id in ids {
        let report = server.ok(&format!("/v1/deployments/{id}?at={}", minute(66))).await;
        assert_eq!(report["state"], "abandoned");
    }
    for (query, parameter) in [
        ("status=done", "status"),
        ("status=", "status"),
        ("cursor=5b5d", "cursor"),
        ("at=x", "at"),
    ] {
        let problem = server.refused(&format!("/v1/deployments?{query}")).await;
        assert_eq!(problem["parameter"], parameter);
    }
}

#[tokio::test]
async fn an_instance_of_nova_s_is_shown_with_its_build_and_recipes() {
    let server = Server::with_projector().await;
    append(
        &server,
        &[
            event(0, "build.started", json!({"instance_id": "i"})),
            event(1, "recipe.started", json!({"instance_id": "i", "recipe": "apt"})),
            event(2, "build.ended", json!({"instance_id": "i", "outcome": "success"})),
            registered(3, "i", "one", json!([]), &[]),
            registered(4, "j", "two", json!([]), &[]),
        ],
    )
    .await;
    let report = show(&server, 5).await;
    let instance = server.ok("/v1/instances/i").await;
    let nova = &report["instances"][0]["nova"];
    assert_eq!((&nova["build"], &nova["recipes"]), (&instance["build"], &instance["recipes"]));
    assert_eq!(nova["build"]["duration_s"], 120.0);
    assert_eq!(report["instances"][1]["nova"], Value::Null);
    let one = server.ok("/reports/instance/i?format=json").await;
    assert_eq!(&one["nova"], nova);
}
