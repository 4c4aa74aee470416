//! What a request caused.

use super::run;

#[tokio::test]
async fn a_request_lists_the_audit_before_its_operation_and_no_periodic_one() {
    run("resized-with-an-audit", async |server| {
        let list = server.ok("/v1/requests/req-m").await;
        let items = list["items"].as_array().unwrap();
        let kinds: Vec<&str> = items.iter().map(|item| item["kind"].as_str().unwrap()).collect();
        let names: Vec<&str> =
            kinds.iter().map(|kind| kind.strip_prefix("compute.instance.").unwrap()).collect();
        assert_eq!(
            names,
            [
                "exists",
                "resize.prep.start",
                "resize.prep.end",
                "resize.start",
                "finish_resize.start",
                "finish_resize.end",
                "resize.end",
            ]
        );
        assert_eq!(server.refused("/v1/requests/req-audit").await["status"], 404);
    })
    .await;
}
