//! Counters that two hosts report.

use serde_json::{Value, json};

use super::{draft, import, run, usage};
use crate::support::process::{command, succeed};
use crate::support::server::Server;

const CASE: &str = "08-two-hosts-poll-one-instance-while-it-migrates";
const TRAFFIC: &str =
    "instance-00000021-e04f00f7-7af1-50ef-9942-94fe0d7ec490-tap0a1b2c3d-4e n1.traffic-out";

/// The traffic of the tenant between two times of that day.
async fn traffic(server: &Server, from: &str, to: &str) -> Vec<String> {
    let day = "2026-11-20T";
    let used = usage(server, "t08", &format!("{day}{from}"), &format!("{day}{to}")).await;
    used.iter().map(|line| line.strip_prefix(TRAFFIC).unwrap().trim().to_owned()).collect()
}

#[tokio::test]
async fn a_migration_does_not_bill_two_counters_as_one() {
    run(CASE, async |server: &Server| {
        assert_eq!(traffic(server, "10:00:00", "14:00:00").await, ["5000000000"]);
        // A part of the hour is computed from the samples.
        assert_eq!(traffic(server, "10:00:00", "10:59:00").await, ["5000000000"]);
        assert_eq!(traffic(server, "10:00:00", "10:12:31").await, ["2000000000"]);
        let draft = draft(server, "t08", "2026-11-20T12:00:00").await;
        assert_eq!(draft["total"], "0.05", "{draft}");
        let draft = super::draft(server, "t08", "2026-11-20T10:59:00").await;
        assert_eq!(draft["lines"][0]["usage"], "5000000000", "{draft}");
        let mut verify = command(&server.db, None);
        verify.args(["verify", "--read-models"]);
        succeed(verify).await;
    })
    .await;
}

/// Samples at any distance, in whatever order they come: the difference is to the last one of the host.
#[tokio::test]
async fn the_last_reading_of_the_host_counts_at_any_distance() {
    let readings = [
        // January: the counter of cn-a, which cn-b takes over for months.
        ("2026-01-10T10:10:00", "cn-a", 100),
        ("2026-01-10T10:20:00", "cn-b", 1),
        ("2026-02-10T10:20:00", "cn-b", 5),
        ("2026-03-10T10:20:00", "cn-b", 7),
        // Back on cn-a, and an answer of cn-b that is late.
        ("2026-04-10T10:10:00", "cn-a", 130),
        ("2026-04-10T10:20:00", "cn-b", 8),
        ("2026-04-10T10:30:00", "cn-a", 131),
        ("2026-05-10T10:10:00", "cn-b", 2),
    ];
    let bodies: Vec<String> =
        readings.iter().map(|(at, host, volume)| body(at, host, *volume)).collect();
    let expected =
        [("2026-01", 0), ("2026-02", 4), ("2026-03", 2), ("2026-04", 32), ("2026-05", 2)];
    for order in [[0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0], [4, 1, 7, 0, 3, 6, 2, 5]] {
        let server = Server::with_projector().await;
        for index in order {
            import(&server, &[&bodies[index]]).await;
        }
        for (month, bytes) in expected {
            let used = usage(
                &server,
                "t08",
                &format!("{month}-10T00:00:00"),
                &format!("{month}-11T00:00:00"),
            )
            .await;
            assert_eq!(used, [format!("port n1.traffic-out {bytes}")], "{order:?} {month}");
            let part = usage(
                &server,
                "t08",
                &format!("{month}-10T10:01:00"),
                &format!("{month}-10T10:55:00"),
            )
            .await;
            assert_eq!(part, used, "{order:?} {month}");
        }
        let mut verify = command(&server.db, None);
        verify.args(["verify", "--read-models"]);
        succeed(verify).await;
    }
}

/// An order is computed again from the samples as of its position, and a late reading of a host changes the
/// window of the next one of that host.
#[tokio::test]
async fn orders_and_adjustments_know_the_hosts() {
    let server = Server::with_projector().await;
    let gigabyte = 1_u64 << 30;
    for (at, host, volume) in [
        ("2026-11-01T10:10:00", "cn-a", 100),
        ("2026-11-02T10:10:00", "cn-b", 1),
        ("2026-11-03T10:10:00", "cn-a", 130),
    ] {
        import(&server, &[&body(at, host, volume * gigabyte)]).await;
    }
    let order =
        |end: &str| json!({"tenant": "t08", "end": end, "at": "2026-11-30T00:00:00Z"}).to_string();
    let (status, first) = server.post("/sales_order", order("2026-11-05")).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["total"], "0.30", "{first}");
    // A reading of cn-b between those of cn-a, which is a restart of cn-b and nothing of cn-a.
    import(&server, &[&body("2026-11-02T10:40:00", "cn-b", gigabyte * 3)]).await;
    // cn-a's counter restarted before its last reading.
    import(&server, &[&body("2026-11-02T20:00:00", "cn-a", gigabyte * 10)]).await;
    let (status, second) = server.post("/sales_order", order("2026-11-10")).await;
    assert_eq!(status, 200, "{second}");
    // 2 GB of cn-b; 10 and 120 GB of cn-a instead of 30.
    assert_eq!(second["adjustments"][0]["computed"], "1.320000", "{second}");
    let report = server.verified(&stackledger::config::File::default()).await;
    assert_eq!((report.same, report.fault), (2, None));
}

fn body(at: &str, host: &str, volume: u64) -> String {
    let sample: Value = json!({
        "source": "openstack", "counter_name": "network.outgoing.bytes", "counter_type": "cumulative",
        "counter_unit": "B", "counter_volume": volume, "user_id": "u", "project_id": "t08",
        "resource_id": "port", "timestamp": at, "message_id": format!("{host} {at}"),
        "resource_metadata": {"instance_host": host, "host": "7c4a8981"}, "message_signature": "",
    });
    json!({
        "message_id": format!("{host} {at}"), "publisher_id": "ceilometer.polling",
        "event_type": "telemetry.polling", "priority": "SAMPLE", "timestamp": at,
        "payload": {"samples": [sample]},
    })
    .to_string()
}
