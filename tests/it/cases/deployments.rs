//! Deployments.

use serde_json::json;

use super::run;

#[tokio::test]
async fn the_rollback_of_a_creation_is_no_success() {
    let (shop, blog) =
        ("5f8001e4-ffee-5fa3-a114-242f33d95029", "13f5f150-e621-57ae-8661-ce2f28ac7c46");
    run("60-a-stack-s-creation-failed-and-was-rolled-back", async |server| {
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
    })
    .await;
}
