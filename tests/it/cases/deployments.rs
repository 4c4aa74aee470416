//! Deployments.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{run, run_lines};
use crate::support::events::now;

#[tokio::test]
async fn the_rollback_of_a_creation_is_no_success() {
    let (shop, blog) =
        ("5f8001e4-ffee-5fa3-a114-242f33d95029", "13f5f150-e621-57ae-8661-ce2f28ac7c46");
    for server in run("60-a-stack-s-creation-failed-and-was-rolled-back").await {
        for (id, status, state) in [(shop, "error", "failed"), (blog, "success", "complete")] {
            let shown = server.ok(&format!("/v1/deployments/{id}")).await;
            assert_eq!(
                (&shown["status"], &shown["state"]),
                (&json!(status), &json!(state)),
                "{id}"
            );
        }
        for (word, expected) in
            [("success", blog), ("complete", blog), ("error", shop), ("failed", shop)]
        {
            let list = server.ok(&format!("/v1/deployments?status={word}")).await;
            let items = list["items"].as_array().unwrap();
            let ids: Vec<_> =
                items.iter().map(|item| item["deployment_id"].as_str().unwrap()).collect();
            assert_eq!(ids, [expected], "{word}");
        }
    }
}

#[tokio::test]
async fn a_message_of_the_future_keeps_no_deployment_waiting() {
    let event = |time: &str, kind: &str, data: Value| {
        json!({"specversion": "1.0", "id": time, "source": "s", "type": kind, "time": time, "data": data})
            .to_string()
    };
    let lines = [
        event("2026-11-20T10:00:00Z", "deployment.declared", json!({"deployment_id": "d"})),
        event(
            "2026-11-20T10:00:01Z",
            "instance.registered",
            json!({"instance_id": "i", "deployment_id": "d", "services": [{"name": "a"}]}),
        ),
        event("2037-01-01T00:00:00Z", "instance.contacted", json!({"instance_id": "i"})),
        event("2026-11-20T10:00:02Z", "instance.contacted", json!({"instance_id": "i"})),
    ];
    for server in run_lines(&lines).await {
        // It arrived now, and could have come from a right clock.
        let shown = server.ok("/v1/deployments/d").await;
        assert_eq!(shown["state"], "contacted", "{shown}");
        let at = now() + SignedDuration::from_hours(2);
        let shown = server.ok(&format!("/v1/deployments/d?at={at}")).await;
        assert_eq!(shown["state"], "abandoned", "{shown}");
        let list = server.ok(&format!("/v1/deployments?status=abandoned&at={at}")).await;
        assert_eq!(list["items"][0]["deployment_id"], "d");
    }
}
