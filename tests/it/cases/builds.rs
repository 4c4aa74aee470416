//! Builds of instances.

use serde_json::{Value, json};

use super::run;
use crate::support::server::Server;

/// Returns the instances of a list, by their ids.
async fn ids(server: &Server, path: &str) -> Vec<String> {
    let list = server.ok(path).await;
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["instance_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_success_in_any_language_is_one() {
    run("70-success-is-said-in-japanese", async |server| {
        let ids = ids(server, "/v1/instances").await;
        assert_eq!(ids.len(), 5);
        for id in ids {
            let shown = server.ok(&format!("/v1/instances/{id}")).await;
            let build = &shown["build"];
            assert_eq!((&build["status"], &build["error"]), (&json!("complete"), &Value::Null));
            let create = &shown["operations"][0];
            assert_eq!(
                (&create["operation"], &create["status"]),
                (&json!("create"), &json!("complete"))
            );
        }
        assert_eq!(server.ok("/v1/builds/incomplete").await["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_build_whose_end_was_lost_is_complete_once_it_runs() {
    run("42-the-create-end-was-lost", async |server| {
        let shown = server.ok("/v1/instances/16eb7b90-4eff-5a09-ab62-cd6eaca1fc95").await;
        assert_eq!(
            shown["build"],
            json!({
                "status": "complete", "started_at": "2026-11-20T10:00:02Z",
                "bootstrap_started_at": null, "ended_at": "2026-11-20T10:00:30Z",
                "end_inferred": true, "duration_s": 28.0, "spawn_s": 28.0, "attempts": 1,
                "error": null,
            })
        );
        // What the messages of the operation itself show.
        assert_eq!(shown["operations"][0]["status"], "open");
        assert_eq!(ids(server, "/v1/builds/incomplete").await, [""; 0]);
    })
    .await;
}

/// The shape is that of `samples/nova/scheduler-run_instance_1.json` in StackTach/notification-schemas.
#[tokio::test]
async fn a_build_without_a_host_has_the_reason_and_its_own_project() {
    let id = "6d1f8a3e-52c0-4c0f-9d36-0a5be2f7c941";
    run("no-valid-host-as-in-2014", async |server| {
        let shown = server.ok(&format!("/v1/instances/{id}")).await;
        assert_eq!(shown["project_id"], "232001");
        let build = &shown["build"];
        assert_eq!(build["status"], "failed");
        let reason = format!("Exceeded max scheduling attempts 3 for instance {id}");
        assert_eq!(build["error"], reason);
        assert_eq!(ids(server, "/v1/instances?project_id=232001").await, [id]);
        assert_eq!(ids(server, "/v1/instances?project_id=administrators").await, [""; 0]);
    })
    .await;
}
