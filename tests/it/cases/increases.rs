//! Increases: samples of type delta.

use serde_json::{Value, json};

use super::{draft, import, run, usage};
use crate::support::server::Server;

const HOURS: (&str, &str) = ("2026-11-20T10:00:00", "2026-11-20T14:00:00");

#[tokio::test]
async fn two_increases_of_one_time_are_two() {
    run("19-two-deltas-with-one-time", async |server: &Server| {
        let used = usage(server, "t19", HOURS.0, HOURS.1).await;
        assert_eq!(used.len(), 1);
        assert!(used[0].ends_with(" 5000"), "{used:?}");
        // A part of the hour is computed from the samples.
        let part = usage(server, "t19", "2026-11-20T10:01:00", "2026-11-20T10:30:00").await;
        assert_eq!(part, used);
        let draft = draft(server, "t19", "2026-11-20T10:30:00").await;
        let line = draft["lines"].get(0).or(draft["unrated"].get(0)).unwrap();
        assert_eq!(line["usage"].as_str().or(line["volume"].as_str()), Some("5000"), "{draft}");
        // Pages of one sample show both.
        let mut volumes = Vec::new();
        let mut path = "/v1/samples?project_id=t19&limit=1".to_owned();
        loop {
            let page = server.ok(&path).await;
            let items = page["items"].as_array().unwrap();
            volumes.extend(
                items.iter().map(|item| item["counter_volume"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/samples?project_id=t19&limit=1&cursor={next}");
        }
        assert_eq!(volumes, ["1000", "4000"]);
        // A copy of one, by another route and with another id, is no third.
        let copy = sample("11111111-0000-4000-8000-000000000003", json!(4000.0));
        import(server, &[&copy]).await;
        assert_eq!(usage(server, "t19", HOURS.0, HOURS.1).await, used);
        // A third increase is.
        let third = sample("11111111-0000-4000-8000-000000000004", json!(10));
        import(server, &[&third]).await;
        let used = usage(server, "t19", HOURS.0, HOURS.1).await;
        assert!(used[0].ends_with(" 5010"), "{used:?}");
    })
    .await;
}

/// Returns a message with a sample like the case's.
fn sample(message_id: &str, volume: Value) -> String {
    json!({
        "message_id": message_id, "publisher_id": "telemetry.publisher.ctl-1",
        "event_type": "metering", "priority": "SAMPLE", "timestamp": "2026-11-20 10:05:00",
        "payload": [{
            "source": "openstack", "counter_name": "bandwidth", "counter_type": "delta",
            "counter_unit": "B", "counter_volume": volume, "user_id": "u-1", "project_id": "t19",
            "resource_id": "2d3467f1-7f59-58be-a23f-b3c85ceb97cf",
            "timestamp": "2026-11-20T10:05:00", "resource_metadata": {}, "message_id": message_id,
            "message_signature": "",
        }],
    })
    .to_string()
}
