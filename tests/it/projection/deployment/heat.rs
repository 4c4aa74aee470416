//! Heat's stacks are deployments, once its exchange is configured.

use crate::support::broker::{broker, declare_as_oslo, publish};
use crate::support::consumer::consume_file;
use crate::support::database::database;
use crate::support::events::fixture;
use crate::support::eventually;
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

const STACK: &str = "a415c4c8-39a4-4721-9e85-eb9025ac45a0";

#[tokio::test]
async fn a_stack_is_a_deployment() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "heat").await;
    // As in docs/deployments.md.
    let file = "[[source]]\nexchange = \"heat\"\n\n[[source.queue]]\nname = \"stackledger.heat\"\n\
                keys = [\"notifications.*\"]\n";
    let documented = std::fs::read_to_string("docs/deployments.md").unwrap();
    assert!(documented.contains(file));
    let consuming = consume_file(&db, &broker, file.parse().unwrap());
    let server = Server::on(db, stackledger::config::File::default()).await;
    eventually("bound", || async {
        let bindings = broker.ask("bindings").await;
        bindings.as_array().unwrap().iter().any(|binding| binding["source"] == "heat")
    })
    .await;
    let mut states = Vec::new();
    for (count, step) in
        (1..).zip(["create-start", "create-end", "update-error", "suspend-end", "delete-end"])
    {
        let key =
            if step.ends_with("error") { "notifications.error" } else { "notifications.info" };
        let body = fixture(&format!("deployment/heat-stack-{step}.json"));
        publish(&cloud, "heat", key, &body, &[]).await;
        eventually("it is in the log", || async {
            server.db.number("SELECT position FROM log.head").await == count
        })
        .await;
        wait_until_applied(&server.db).await;
        let shown = server.ok(&format!("/v1/deployments/{STACK}?at=2026-11-19T10:10:00Z")).await;
        assert_eq!((&shown["name"], &shown["stack"]["at"] != "null"), (&"stack-0".into(), true));
        states.push(format!("{} {}", shown["status"], shown["state"]).replace('"', ""));
    }
    assert_eq!(
        states,
        [
            "incomplete configuring",
            "success complete",
            "error failed",
            "error complete",
            "error deleted"
        ]
    );
    consuming.stop().await;
}
