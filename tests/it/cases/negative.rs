//! Gauges below zero.

use serde_json::{Value, json};

use super::{import, usage};
use crate::support::server::Server;

/// The flavor has more ephemeral than root disk: Ceilometer's `disk.root.size` is the difference.
#[tokio::test]
async fn a_negative_size_is_neither_billed_nor_a_credit() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let config = "[[usage]]\nmeter = 'disk.root.size'\ntransformer = 'max'\nservice = 'disk'\nunit = 'gigabyte'\n\
                      [[rate]]\nservice = 'disk'\nunit = 'gigabyte'\nrate = '0.01'\n";
        let server = Server::with_projector_of(config.parse().unwrap()).await;
        let bodies = [body("10:10", -100), body("11:10", 40), body("12:10", -60)];
        for index in order {
            import(&server, &[&bodies[index], &bodies[index]]).await;
        }
        let hours = ("2026-11-20T10:00:00", "2026-11-20T14:00:00");
        assert_eq!(usage(&server, "t", hours.0, hours.1).await, ["vm disk 40"]);
        let answer =
            server.ok(&format!("/get_usage?tenant=t&start={}&end={}", hours.0, hours.1)).await;
        let unrated = json!([{
            "resource_id": "vm", "service": "disk", "volume": "-160", "unit": "gigabyte",
            "meter": "disk.root.size", "windows": 2, "reason": "negative",
        }]);
        assert_eq!(answer["usage"]["unrated"], unrated);
        // Half of an hour has half of it.
        let half = format!("/get_usage?tenant=t&start={}&end=2026-11-20T10:30:00", hours.0);
        let half = server.ok(&half).await;
        assert_eq!(half["usage"]["unrated"][0]["volume"], "-50");
        assert_eq!(half["usage"]["resources"], json!({}));
        let end = json!({"tenant": "t", "end": "2026-11-21", "at": "2026-11-30T00:00:00Z"});
        let (status, order) = server.post("/sales_order", end.to_string()).await;
        assert_eq!(status, 200, "{order}");
        assert_eq!(order["total"], "0.40", "{order}");
        assert_eq!(order["unrated"][0]["reason"], "negative");
        assert_eq!(order["unrated"][0]["volume"], "-160");
        assert_eq!(order["lines"].as_array().unwrap().len(), 1);
        let report = server.verified(&config.parse().unwrap()).await;
        assert_eq!((report.same, report.fault), (1, None));
    }
}

fn body(time: &str, volume: i64) -> String {
    let at = format!("2026-11-20T{time}:00");
    let sample: Value = json!({
        "source": "openstack", "counter_name": "disk.root.size", "counter_type": "gauge",
        "counter_unit": "GB", "counter_volume": volume, "user_id": "u", "project_id": "t",
        "resource_id": "vm", "timestamp": at, "message_id": time,
        "resource_metadata": {"status": "active"}, "message_signature": "",
    });
    json!({
        "message_id": time, "publisher_id": "ceilometer.polling", "event_type": "telemetry.polling",
        "priority": "SAMPLE", "timestamp": at, "payload": {"samples": [sample]},
    })
    .to_string()
}
