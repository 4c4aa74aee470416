//! Requests for orders and drafts.

use serde_json::{Value, json};

use super::world::*;
use crate::support::events::append;

const DAYS: [&str; 3] = ["2026-11-02", "2026-11-03", "2026-11-04"];

#[tokio::test]
async fn an_order_follows_the_one_before() {
    let server = serving(config(""), &days("t", &DAYS)).await;
    let first = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    assert_eq!(lines(&first), ["address ip 1 0.010000", "vm m1 3 1.500000"]);
    assert_eq!((&first["total"], &first["currency"]), (&json!("1.51"), &json!("EUR")));
    assert_eq!(
        (&first["from"], &first["to"]),
        (&json!("2026-11-02T10:00:00Z"), &json!("2026-11-03T00:00:00Z"))
    );
    assert_eq!(
        (&first["start"], &first["total_cost"]),
        (&json!("2026-11-02 10:00:00"), &first["total"])
    );
    let vm = &first["resources"]["vm"];
    assert_eq!((&vm["type"], &vm["name"]), (&json!("Virtual Machine"), &json!("name of vm")));
    assert_eq!(vm["services"][0]["cost"], "1.500000");
    assert_eq!(first["lines"][1]["windows"], 3);

    // Days may be written as Distil's clients write them.
    let second = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-5"})).await;
    assert_eq!(second["from"], first["to"]);
    assert_eq!(lines(&second), ["address ip 2 0.020000", "vm m1 5 2.500000"]);
    // An order for a time without usage has no lines.
    let empty = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-06"})).await;
    assert_eq!((lines(&empty).len(), &empty["total"]), (0, &json!("0.00")));

    let list = server.ok("/v1/sales-orders?tenant=t").await;
    assert_eq!(shown(&list["items"], &["total", "lines"]), ["1.51 2", "2.52 2", "0.00 0"]);
    let page = server.ok("/v1/sales-orders?limit=2").await;
    let next = page["next"].as_str().unwrap();
    let rest = server.ok(&format!("/v1/sales-orders?limit=2&cursor={next}")).await;
    assert_eq!(
        (shown(&rest["items"], &["total"]), &rest["next"]),
        (vec!["0.00".to_owned()], &Value::Null)
    );
    let id = first["order_id"].as_str().unwrap();
    assert_eq!(server.ok(&format!("/v1/sales-orders/{id}")).await, first);
}

#[tokio::test]
async fn historic_orders_are_found_by_date_and_by_range() {
    let server = serving(config(""), &days("t", &DAYS)).await;
    let mut orders = Vec::new();
    for end in ["2026-11-03", "2026-11-04", "2026-11-05"] {
        orders.push(server.made("/sales_order", json!({"tenant": "t", "end": end})).await);
    }
    // A date on which one order ends and the next begins belongs to the later one.
    for (date, expected) in [("2026-11-03", 1), ("2026-11-04", 2)] {
        let found = server.made("/sales_historic", json!({"tenant": "t", "date": date})).await;
        assert_eq!(found, orders[expected], "{date}");
    }
    for (start, end, expected) in [
        ("2026-11-01", "2026-11-09", 0..3),
        ("2026-11-03", "2026-11-04", 1..2),
        ("2026-11-03T23:00:00", "2026-11-04T01:00:00", 1..3),
        ("2026-11-06", "2026-11-07", 0..0),
    ] {
        let request = json!({"tenant": "t", "start": start, "end": end});
        let found = server.made("/sales_range", request).await;
        assert_eq!(found, json!(orders[expected]), "{start} {end}");
    }
    let all = server.made("/sales_range", json!({"tenant": "t", "start": "2026-11-01"})).await;
    assert_eq!(all, json!(orders));
}

/// Includes edges within windows and a change of rate: the database sums whole windows, and the others are
/// computed from samples.
#[tokio::test]
async fn a_draft_is_the_order_line_by_line() {
    let changing = format!(
        "[billing]\nbilling_timezone = 'Asia/Kolkata'\n{USAGE}{}{}{}",
        rate("m1", "hour", "0.5", "to = 2026-11-04"),
        rate("m1", "hour", "0.7", "from = 2026-11-04"),
        rate("ip", "hour", "0.01", ""),
    );
    let text = format!("{changing}{}", rate("traffic", "gigabyte", "1", ""));
    let mut samples = days("t", &["2026-11-02"]);
    // Midnight in Kolkata is 18:30 in UTC.
    for day in ["2026-11-02", "2026-11-03", "2026-11-04"] {
        for (minute, time) in ["17:50", "18:20", "18:40", "19:30"].iter().enumerate() {
            samples.push(vm("t", "night", &format!("{day}T{time}"), "active"));
            samples.push(ip("t", "night-address", &format!("{day}T{time}")));
            samples.push(traffic(
                "t",
                "port",
                &format!("{day}T{time}"),
                (1 << 30) * (minute as u64 + 1),
            ));
        }
    }
    let server = serving(file(&text), &samples).await;
    let draft = server.made("/sales_draft", json!({"tenant": "t", "end": "2026-11-05"})).await;
    assert_eq!(draft["order_id"], Value::Null);
    let order = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-05"})).await;
    let mut numbered = draft.clone();
    numbered["order_id"] = order["order_id"].clone();
    assert_eq!(numbered, order);
    assert_eq!(order["to"], "2026-11-04T18:30:00Z");
    let of_night: Vec<String> =
        lines(&order).into_iter().filter(|line| line.starts_with("night m1")).collect();
    // 17:50 to 20:30, twice, and from 17:50 to 18:30; the rate changes at 18:30 of the second.
    assert_eq!(of_night.len(), 2, "{of_night:?}");
    assert_eq!(server.verified(&file(&text)).await.same, 1);
    // The rest of the window belongs to the next order.
    let rest =
        server.made("/sales_draft", json!({"tenant": "t", "end": "2026-11-05T12:00:00Z"})).await;
    assert_eq!(rest["from"], "2026-11-04T18:30:00Z");
    assert_eq!(
        lines(&rest),
        ["night m1 2 1.400000", "night-address ip 1.5 0.015000", "port traffic 2 2.000000"]
    );
}

#[tokio::test]
async fn a_line_s_samples_are_those_it_was_computed_from() {
    let server = serving(config(""), &days("t", &DAYS)).await;
    let early = [vm("t", "vm", "2026-11-02T09:30", "stopped")];
    append(&server.db.database, &[event(2, &early)]).await;
    let order = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    // A better sample that arrives later is not among those of the order.
    let mut better = vm("t", "vm", "2026-11-02T11:00", "stopped");
    better["message_id"] = json!("0");
    append(&server.db.database, &[event(3, &[better])]).await;
    crate::support::projector::wait_until_applied(&server.db).await;
    let id = order["order_id"].as_str().unwrap();
    let path = format!("/v1/sales-orders/{id}/lines/1/samples");
    let mut listed = Vec::new();
    let mut next = format!("{path}?limit=2");
    loop {
        let page = server.ok(&next).await;
        listed.extend(shown(&page["items"], &["timestamp", "message_id"]));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("{path}?limit=2&cursor={cursor}");
    }
    assert_eq!(
        listed,
        [
            // The last one before the span counts, too.
            "2026-11-02T09:30:00Z t-vm-vcpus-2026-11-02T09:30",
            "2026-11-02T10:00:00Z t-vm-vcpus-2026-11-02T10:00",
            "2026-11-02T11:00:00Z t-vm-vcpus-2026-11-02T11:00",
            "2026-11-02T12:00:00Z t-vm-vcpus-2026-11-02T12:00",
            "2026-11-02T12:30:00Z t-vm-vcpus-2026-11-02T12:30",
        ]
    );
    for wrong in [
        format!("/v1/sales-orders/{id}/lines/2/samples"),
        format!("/v1/sales-orders/{id}/lines/x/samples"),
        "/v1/sales-orders/x/lines/0/samples".to_owned(),
        format!("/v1/sales-orders/{}", uuid::Uuid::nil()),
    ] {
        assert_eq!(server.refused(&wrong).await["status"], 404, "{wrong}");
    }
}
