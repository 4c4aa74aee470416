//! Audrey's own scenario, mysql and wordpress, step by step.

use serde_json::{Value, json};

use super::events::*;
use crate::support::server::Server;

const DEPLOYMENT: &str = "/reports/deployment/d-1";
const MYSQL: &str = "/reports/instance/m";
const WORDPRESS: &str = "/reports/instance/w";

fn contacted(at: u32, instance: &str) -> Value {
    event(at, "instance.contacted", json!({"instance_id": instance}))
}

fn provided(at: u32, instance: &str, parameters: Value) -> Value {
    let data = json!({"instance_id": instance, "parameters": parameters});
    event(at, "instance.parameters.provided", data)
}

/// Returns the three documents as they are now.
async fn all(server: &Server) -> String {
    let mut all = String::new();
    for path in [DEPLOYMENT, MYSQL, WORDPRESS] {
        all += &xml(server, path).await;
    }
    all
}

#[tokio::test]
async fn mysql_and_wordpress_step_by_step() {
    let server = Server::with_projector().await;
    let mysql = json!([{"name": "mysql", "parameters": [{"name": "password", "value": "p"}]}]);
    let wordpress = json!([{"name": "wordpress", "parameters": [
        {"name": "mysql_ip", "from": {"instance_id": "m", "parameter": "ipaddress"}},
        {"name": "mysql_service", "from": {"instance_id": "m", "service": "mysql"}}]}]);
    let steps: [(&str, Vec<Value>); 8] = [
        (
            "registered",
            vec![
                declared(0, "d-1", &["m", "w"]),
                registered(1, "m", "mysql", mysql, &["ipaddress"]),
                registered(2, "w", "wordpress", wordpress, &["hostname"]),
            ],
        ),
        ("contacted", vec![contacted(3, "m"), contacted(4, "w")]),
        (
            "provided",
            vec![
                provided(5, "m", json!({"ipaddress": "10.0.0.5"})),
                provided(6, "w", json!({"hostname": "blog"})),
            ],
        ),
        ("mysql_started", vec![started(7, "m", "mysql")]),
        ("mysql_ended", vec![ended(8, "m", "mysql", "0")]),
        ("wordpress_started", vec![started(9, "w", "wordpress")]),
        ("wordpress_ended", vec![ended(12, "w", "wordpress", "1")]),
        ("wordpress_started_again", vec![started(13, "w", "wordpress")]),
    ];
    for (name, events) in steps {
        append(&server, &events).await;
        insta::assert_snapshot!(name, all(&server).await);
    }
    insta::assert_snapshot!(
        "service",
        xml(&server, &format!("{WORDPRESS}/service/wordpress")).await
    );
    let shown = server.ok(&format!("/v1/deployments/d-1?at={}", minute(14))).await;
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&shown).unwrap());
    let same = server.ok(&format!("{DEPLOYMENT}?format=json&at={}", minute(14))).await;
    assert_eq!(same, shown);
}
