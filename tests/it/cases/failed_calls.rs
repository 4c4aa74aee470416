//! Calls of Nova's compute manager that failed.

use serde_json::{Value, json};

use super::run;

#[tokio::test]
async fn a_failed_call_ends_the_operations_that_it_left_open() {
    run("calls-that-failed", async |server| {
        let shown = server.ok("/v1/instances/0c9f1d52-7c1f-5f0e-9a44-2a1a3f6d2c10").await;
        let operations: Vec<String> = shown["operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|operation| {
                let text = |key: &str| operation[key].as_str().unwrap_or("-").to_owned();
                let (name, status, end) = (text("operation"), text("status"), text("ended_at"));
                format!("{name} {status} {end} {}", text("error"))
            })
            .collect();
        assert_eq!(
            operations,
            [
                "create complete 2026-11-20T10:00:32Z -",
                "rescue failed 2026-11-20T12:00:09Z InstanceNotRescuable: Instance \
                 0c9f1d52-7c1f-5f0e-9a44-2a1a3f6d2c10 cannot be rescued: Driver Error: no such image",
                "snapshot failed 2026-11-20T12:11:00Z ImageUnacceptable: Image img-2 is unacceptable",
                "snapshot open - -",
                "delete failed 2026-11-20T13:00:31Z libvirtError: internal error: client socket is closed",
                "shutdown failed 2026-11-20T13:00:31Z libvirtError: internal error: client socket is closed",
            ]
        );
        assert_eq!((&shown["state"], &shown["deleted_at"]), (&json!("error"), &Value::Null));
        let timings = server.ok("/v1/timings?operation=rescue").await;
        assert_eq!(timings["items"][0]["failed"], 1, "{timings}");
    })
    .await;
}
