//! Windows that an order's edge, a change of rate or a span divides.

use serde_json::{Value, json};

use super::{draft, run, usage};
use crate::support::server::Server;

/// The usage of each resource's service, from the lines of orders, in exact twelfths.
fn volumes(orders: &[&Value]) -> Vec<(String, f64)> {
    let mut sums = std::collections::BTreeMap::<String, f64>::new();
    for line in orders.iter().flat_map(|order| order["lines"].as_array().unwrap()) {
        let volume: f64 = line["volume"].as_str().unwrap().parse().unwrap();
        *sums.entry(line["service"].as_str().unwrap().to_owned()).or_default() += volume;
    }
    sums.into_iter().collect()
}

#[tokio::test]
async fn orders_that_divide_an_hour_bill_the_whole_hour() {
    run("81-orders-that-end-within-an-hour-of-utc", async |server: &Server| {
        let used = usage(server, "t81", "2026-10-31T12:00:00", "2026-11-01T06:00:00").await;
        assert!(used[0].ends_with(" fip 18") && used[1].ends_with(" vol 180"), "{used:?}");
        // The draft of everything is what the order and the draft after it come to.
        let whole = draft(server, "t81", "2026-11-01T06:00:00Z").await;
        let body = json!({"tenant": "t81", "end": "2026-11-01", "at": "2026-11-30T00:00:00Z"});
        let (status, order) = server.post("/sales_order", body.to_string()).await;
        assert_eq!(status, 200, "{order}");
        assert_eq!(order["to"], "2026-10-31T18:30:00Z");
        let rest = draft(server, "t81", "2026-11-01T06:00:00Z").await;
        assert_eq!(rest["adjustments"], json!([]));
        let expected = [("fip".to_owned(), 18.0), ("vol".to_owned(), 180.0)];
        assert_eq!(volumes(&[&order, &rest]), expected);
        assert_eq!(volumes(&[&whole]), expected);
        assert_eq!(volumes(&[&order]), [("fip".to_owned(), 6.5), ("vol".to_owned(), 65.0)]);
        let cents =
            |order: &Value| order["total"].as_str().unwrap().replace('.', "").parse::<i64>();
        assert_eq!(cents(&order).unwrap() + cents(&rest).unwrap(), cents(&whole).unwrap());
        // Quarters of an hour of which one alone has the sample.
        let mut quarters = 0.0;
        for (from, to) in [("00", "15"), ("15", "30"), ("30", "45"), ("45", "59:59.999999")] {
            let at = |minute: &str| {
                format!("2026-10-31T13:{minute}{}", if minute.len() == 2 { ":00" } else { "" })
            };
            let part = usage(server, "t81", &at(from), &at(to)).await;
            quarters += part[1].rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        }
        assert!((quarters - 10.0).abs() < 1e-6, "{quarters}");
    })
    .await;
}

/// A sample that arrives after an order that divides its hour changes the order's share by an adjustment.
#[tokio::test]
async fn a_late_sample_in_a_divided_hour_corrects_both_shares() {
    run("81-orders-that-end-within-an-hour-of-utc", async |server: &Server| {
        let body = json!({"tenant": "t81", "end": "2026-11-01", "at": "2026-11-30T00:00:00Z"});
        let (status, order) = server.post("/sales_order", body.to_string()).await;
        assert_eq!(status, 200, "{order}");
        let late = json!({
            "message_id": "0d4cf7d2-52aa-4c3a-9c06-5c1c8f7a0001", "publisher_id": "ceilometer.polling",
            "event_type": "telemetry.polling", "priority": "SAMPLE", "timestamp": "2026-10-31 18:40:00",
            "payload": {"samples": [{
                "source": "openstack", "counter_name": "volume.size", "counter_type": "gauge",
                "counter_unit": "GiB", "counter_volume": 14, "user_id": "u-1", "project_id": "t81",
                "resource_id": "7127846b-9735-561f-af37-15e10f0fe783", "timestamp": "2026-10-31T18:40:00",
                "resource_metadata": {"name": "d", "volume_type": "ssd"}, "message_id": "late",
                "message_signature": "",
            }]},
        });
        super::import(server, &[&late.to_string()]).await;
        let rest = draft(server, "t81", "2026-11-01T06:00:00Z").await;
        // 14 GB for half an hour each, where 10 GB were billed.
        let adjustment = &rest["adjustments"][0];
        assert_eq!(adjustment["difference"], "2.000000", "{rest}");
        assert_eq!(adjustment["windows"], json!(["2026-10-31T18:00:00Z"]));
        assert_eq!(volumes(&[&rest])[1], ("vol".to_owned(), 117.0));
        let file = std::fs::read_to_string("fixtures/cases/81-orders-that-end-within-an-hour-of-utc.toml").unwrap();
        let report = server.verified(&file.parse().unwrap()).await;
        assert_eq!((report.same, report.fault), (1, None));
    })
    .await;
}
