//! Samples that arrive after their time was billed.

use serde_json::{Value, json};
use stackledger::billing::Amount;
use stackledger::sales::OrderRequest;

use super::world::*;
use crate::support::events::{append, now};
use crate::support::process::{command, run};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;
use crate::support::unique;

async fn append_samples(server: &Server, number: u128, samples: &[Value]) {
    append(&server.db.database, &[event(number, samples)]).await;
}

fn dearer() -> String {
    let rates = [("m1", "hour", "0.9"), ("ip", "hour", "0.02"), ("traffic", "gigabyte", "1")];
    let rates = rates.map(|(service, unit, price)| rate(service, unit, price, "")).concat();
    format!("{USAGE}{rates}")
}

#[tokio::test]
async fn late_samples_are_billed_by_the_next_order_at_the_rates_of_theirs() {
    let server = serving(config(""), &days("t", &["2026-11-02", "2026-11-03"])).await;
    let first = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    let id = first["order_id"].as_str().unwrap();
    let path = format!("/v1/sales-orders/{id}");
    let bytes = server.bytes(&path).await;
    // The instance ran an hour longer, another one was unknown, and a third ran before the first order
    // began. The sample of the address changes nothing.
    let late = [
        vm("t", "vm", "2026-11-02T12:45", "active"),
        vm("t", "vm", "2026-11-02T13:45", "stopped"),
        vm("t", "vm2", "2026-11-02T10:00", "active"),
        vm("t", "vm2", "2026-11-02T10:30", "stopped"),
        vm("t", "early", "2026-11-01T08:00", "active"),
        vm("t", "early", "2026-11-01T08:20", "stopped"),
        ip("t", "address", "2026-11-02T10:30"),
        // The first reading of a counter is no usage; the next one, billed by the next order, is an increase.
        traffic("t", "port", "2026-11-02T09:00", 1 << 30),
        traffic("t", "port", "2026-11-03T09:00", 3 << 30),
    ];
    append_samples(&server, 2, &late).await;
    // Meanwhile the rates have risen.
    let orders = server.sales_orders(file(&dearer()));
    let request = |end: &str| OrderRequest {
        tenant_id: "t".to_owned(),
        end: format!("{end}T00:00:00Z").parse().unwrap(),
        at: now(),
        is_forced: false,
    };
    let second = orders.issue(request("2026-11-04")).await.unwrap();
    let second: Value = serde_json::from_str(&second.text).unwrap();
    assert_eq!(
        lines(&second),
        ["address ip 1 0.020000", "port traffic 2 2.000000", "vm m1 3 2.700000"]
    );
    let members = ["order_id", "resource_id", "service", "billed", "computed", "difference"];
    assert_eq!(
        shown(&second["adjustments"], &members),
        [
            // The time before the first order has no rates of its own.
            "null early m1 0.000000 0.900000 0.900000".to_owned(),
            format!("{id} vm m1 1.500000 2.000000 0.500000"),
            format!("{id} vm2 m1 0.000000 0.500000 0.500000"),
        ]
    );
    assert_eq!(
        second["adjustments"][1]["windows"],
        json!(["2026-11-02T12:00:00Z", "2026-11-02T13:00:00Z"])
    );
    assert_eq!(second["total"], "6.62");

    // A better sample: the instance was not up at first.
    let mut better = vm("t", "vm", "2026-11-02T10:00", "stopped");
    better["message_id"] = json!("0");
    append_samples(&server, 3, &[better]).await;
    let third = orders.issue(request("2026-11-05")).await.unwrap();
    let third: Value = serde_json::from_str(&third.text).unwrap();
    assert_eq!(
        shown(&third["adjustments"], &members),
        [format!("{id} vm m1 2.000000 1.500000 -0.500000")]
    );
    assert_eq!((&third["total"], lines(&third).len()), (&json!("-0.50"), 0));

    // Issued orders stay, and have the same bytes when computed again.
    assert_eq!(server.bytes(&path).await, bytes);
    let report = server.verified(&file(&dearer())).await;
    assert_eq!((report.same, report.fault, report.not_recomputable), (3, None, vec![]));
    // The billed amount and the adjustments add up to the amount computed now.
    let amount = |text: &Value| text.as_str().unwrap().parse::<Amount>().unwrap();
    let of_vm = first["lines"].as_array().unwrap().iter().find(|it| it["resource_id"] == "vm");
    let mut paid = amount(&of_vm.unwrap()["amount"]);
    for order in [&second, &third] {
        let adjusted = order["adjustments"].as_array().unwrap().iter();
        for adjusted in adjusted.filter(|it| it["resource_id"] == "vm") {
            paid = paid.plus(&amount(&adjusted["difference"]));
        }
    }
    assert_eq!(paid, amount(&third["adjustments"][0]["computed"]));
    // No more late samples.
    let draft = orders.draft("t", now()).await.unwrap();
    assert_eq!(draft.adjustments, []);
}

/// Late samples of a meter that is no longer billed, of one that is billed with other options now, and of a
/// service that collides.
#[tokio::test]
async fn late_samples_count_by_the_rules_of_their_order() {
    let server = serving(config(""), &days("t", &["2026-11-02"])).await;
    let first = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    let id = first["order_id"].as_str().unwrap().to_owned();
    // From now on addresses are not billed, and a state holds for two hours.
    let changed = format!(
        "[[usage]]\nmeter = 'vcpus'\ntransformer = 'uptime'\nmax_gap_s = 7200\n{}",
        rate("m1", "hour", "0.5", "")
    );
    server.stop.cancel();
    let again = crate::support::server::Server::on(server.db, file(&changed)).await;
    wait_until_applied(&again.db).await;
    append_samples(
        &again,
        2,
        &[ip("t", "address", "2026-11-02T14:15"), vm("t", "vm3", "2026-11-02T10:00", "active")],
    )
    .await;
    let second = again.made("/sales_order", json!({"tenant": "t", "end": "2026-11-04"})).await;
    assert_eq!(
        shown(&second["adjustments"], &["order_id", "resource_id", "service", "difference"]),
        [
            format!("{id} address ip 0.010000"),
            // One hour, by the rules of that time.
            format!("{id} vm3 m1 0.500000"),
        ]
    );
    let report = again.verified(&file(&changed)).await;
    assert_eq!((report.same, report.fault, report.not_recomputable), (2, None, vec![]));
}

#[tokio::test]
async fn verify_finds_an_order_that_differs_from_its_samples() {
    let server = serving(config(""), &days("t", &["2026-11-02", "2026-11-03"])).await;
    let first = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-04"})).await;
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("orders"));
    std::fs::write(&path, format!("{USAGE}{}", rates())).unwrap();
    let verify = || {
        let mut verify = command(&server.db, None);
        verify.args(["verify", "--orders"]).env("STACKLEDGER_CONFIG", &path);
        run(verify)
    };
    let output = verify().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.ends_with("2 sales orders have the same bytes when computed again\n"), "{text}");

    server
        .execute("DELETE FROM metering.sample WHERE \"timestamp\" = '2026-11-02T12:00:00Z' AND counter_name = 'vcpus'")
        .await;
    let output = verify().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        format!(
            "order {} at position 2: the line of vm and m1 was issued with 3 hour at 1.500000; computed again it \
             has 2 hour of m1 at 1.000000",
            first["order_id"].as_str().unwrap()
        )
    );

    // With other trusted sources the order cannot be verified.
    std::fs::write(&path, format!("[metering]\ntrust_sources = ['openstack']\n{USAGE}{}", rates()))
        .unwrap();
    let output = verify().await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "stackledger: usage is being computed anew, by another version or configuration\n"
    );
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn verify_lists_orders_that_cannot_be_computed_again() {
    let server = serving(config(""), &days("t", &["2026-11-02"])).await;
    let order = server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    server.stop.cancel();
    let text = format!("[metering]\ntrust_sources = ['openstack']\n{USAGE}{}", rates());
    let again = crate::support::server::Server::on(server.db, file(&text)).await;
    wait_until_applied(&again.db).await;
    let report = again.verified(&file(&text)).await;
    let id = order["order_id"].as_str().unwrap().parse().unwrap();
    let why = "samples of other sources were trusted then".to_owned();
    assert_eq!((report.same, report.not_recomputable, report.fault), (0, vec![(id, why)], None));
    // A row without an event is no order.
    again
        .execute(
            "INSERT INTO log.sales_order VALUES
             ('00000000-0000-0000-0000-000000000001', 'u', '[2026-11-02T00:00Z, 2026-11-03T00:00Z)', 77)",
        )
        .await;
    let fault = again.verified(&file(&text)).await.fault.unwrap();
    assert_eq!(
        (fault.position, fault.what.as_str()),
        (77, "log.sales_order has a row for it, and the log no event")
    );
}
