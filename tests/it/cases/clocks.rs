//! Samples of wrong clocks.

use serde_json::{Value, json};

use super::{import, run, usage};
use crate::support::server::Server;

const CASE: &str = "32b-a-sample-of-a-wrong-clock-and-dated-rates";

#[tokio::test]
async fn a_sample_of_2001_neither_begins_nor_blocks_an_order() {
    run(CASE, async |server: &Server| {
        let rejected = server.ok("/v1/samples/rejected").await;
        let rejected = &rejected["items"][0];
        assert_eq!(
            rejected["reason"], "its timestamp is too far behind its message's",
            "{rejected}"
        );
        assert_eq!(rejected["timestamp"], "2001-01-01T00:07:00Z");
        let body = json!({"tenant": "t32", "end": "2026-11-21", "at": "2026-11-30T00:00:00Z"});
        let (status, order) = server.post("/sales_order", body.to_string()).await;
        assert_eq!(status, 200, "{order}");
        assert_eq!(order["lines"].as_array().unwrap().len(), 1, "{order}");
        let line = &order["lines"][0];
        assert_eq!((&line["volume"], &line["rate"]), (&json!("1"), &json!("0.0001")));
        assert_eq!(line["amount"], "0.000100");
        assert_eq!(order["from"], "2026-11-20T10:00:00Z");
    })
    .await;
}

/// A sample that was set aside is taken in by sending it alone, without the time of a message.
#[tokio::test]
async fn a_sample_set_aside_can_be_taken_in_by_hand() {
    run(CASE, async |server: &Server| {
        let rejected = server.ok("/v1/samples/rejected").await["items"][0].clone();
        let event = server.ok(&format!("/v1/events/{}", rejected["position"])).await;
        let index = usize::try_from(rejected["index"].as_u64().unwrap()).unwrap();
        let sample: &Value = &event["body"]["payload"][index];
        let by_hand = json!({"event_type": "metering", "payload": [sample]});
        import(server, &[&by_hand.to_string()]).await;
        let used = usage(server, "t32", "2001-01-01T00:00:00", "2001-01-01T01:00:00").await;
        assert_eq!(used, ["569cbcc2-34ee-5a66-a3fa-bbe49b619c9a img 1073741824"]);
        // The refusal of the order names when the usage without a rate was.
        let body = json!({"tenant": "t32", "end": "2026-11-21", "at": "2026-11-30T00:00:00Z"});
        let (status, problem) = server.post("/sales_order", body.to_string()).await;
        assert_eq!(status, 409, "{problem}");
        assert_eq!(
            problem["detail"],
            "there is no rate for what was used: img from 2001-01-01T00:00:00Z to 2001-01-01T01:00:00Z; a \
             draft shows it under \"unrated\""
        );
    })
    .await;
}
