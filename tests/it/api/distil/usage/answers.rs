//! Answers about usage, from the endpoints and from the client.

use serde_json::{Value, json};
use stackledger::config::File;

use super::world::*;
use crate::support::events::append;
use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::samples::polled;
use crate::support::server::Server;

/// Instance `r` of tenant `t`, polled every ten minutes of a day.
async fn polled_for_a_day() -> Server {
    let server = Server::with_projector_of(MAPPINGS.parse().unwrap()).await;
    let active = json!({"status": "active", "flavor": {"name": "m1"}, "name": "vm", "az": "a"});
    let samples: Vec<Value> = (0..144)
        .map(|nth| {
            let time = format!("{:02}:{:02}:00", nth / 6, nth % 6 * 10);
            sample("uptime", "t", &time, json!(1), active.clone())
        })
        .collect();
    append(&server.db.database, &[polled(1, &samples)]).await;
    wait_until_applied(&server.db).await;
    server
}

/// The versions of rows, which change when a row is written.
async fn versions(server: &Server) -> Vec<String> {
    server.db.rows("SELECT tableoid, ctid, xmin::text FROM metering.usage_window").await
}

#[tokio::test]
async fn a_late_sample_touches_its_windows_and_nothing_else() {
    let server = polled_for_a_day().await;
    let before = versions(&server).await;
    assert_eq!(before.len(), 25);
    let stopped = json!({"status": "stopped", "flavor": {"name": "m1"}});
    append(
        &server.db.database,
        &[polled(2, &[sample("uptime", "t", "10:15:00", json!(1), stopped.clone())])],
    )
    .await;
    wait_until_applied(&server.db).await;
    let after = versions(&server).await;
    let written = after.iter().filter(|row| !before.contains(row)).count();
    assert_eq!((written, after.len()), (1, 25));
    assert_eq!(used(&server.used("t", "10:00:00", "11:00:00").await), ["m1 3300"]);
    assert_eq!(used(&server.used("t", "00:00:00", "23:00:00").await), ["m1 82500"]);
    let touched = "SELECT \"window\" FROM metering.usage_window WHERE position > 1";
    assert_eq!(server.db.rows(touched).await, [r#"{"window": "2026-11-20T10:00:00+00:00"}"#]);

    // The same sample again, and one of another meter: nothing is written.
    let before = versions(&server).await;
    let again = sample("uptime", "t", "10:15:00", json!(1), stopped);
    let other = sample("nothing", "t", "10:15:00", json!(1), json!({}));
    append(&server.db.database, &[polled(3, &[again, other])]).await;
    wait_until_applied(&server.db).await;
    assert_eq!(versions(&server).await, before);
}

#[tokio::test]
async fn a_span_that_does_not_lie_on_hours_is_exact_up_to_its_edges() {
    let server = polled_for_a_day().await;
    for (from, to, expected) in [
        ("09:45:00", "12:10:30", "m1 8730"),
        ("10:05:00", "10:06:00.5", "m1 60.5"),
        ("10:00:00", "10:05:00", "m1 300"),
        ("10:55:00", "11:00:00", "m1 300"),
        ("10:59:59.999999", "11:00:00.000001", "m1 0.000002"),
        ("00:00:00", "23:50:00", "m1 85800"),
    ] {
        assert_eq!(used(&server.used("t", from, to).await), [expected], "{from} to {to}");
    }
}

#[tokio::test]
async fn usage_has_distil_s_nesting_and_our_fields() {
    let server = polled_for_a_day().await;
    let answer = server.used("t", "09:30:00", "11:00:00Z").await;
    assert_eq!(
        answer,
        json!({"usage": {
            "name": null, "tenant_id": "t", "start": "2026-11-20 09:30:00",
            "end": "2026-11-20 11:00:00", "from": "2026-11-20T09:30:00Z",
            "to": "2026-11-20T11:00:00Z", "position": 1,
            "resources": {"r": {
                "type": "Virtual Machine", "name": "vm", "availability zone": "a",
                "services": [{"name": "m1", "volume": "5400", "unit": "second", "meter": "uptime",
                              "windows": 2, "coverage": "1.000000"}],
            }},
        }})
    );
    // A day is one of the billing time zone. There are no samples at its end.
    let day = server.ok("/get_usage?tenant=t&start=2026-11-20&end=2026-11-22").await;
    let service = &day["usage"]["resources"]["r"]["services"][0];
    assert_eq!((&service["volume"], &service["windows"]), (&json!("89400"), &json!(25)));
    assert_eq!(service["coverage"], "0.993333");
    let nothing = server.ok("/get_usage?tenant=t&start=2020-01-01&end=2020-01-02").await;
    assert_eq!(nothing["usage"]["resources"], json!({}));
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let server = polled_for_a_day().await;
    let whole = "tenant=t&start=2026-11-20&end=2026-11-21";
    for (query, parameter) in [
        ("start=2026-11-20&end=2026-11-21", "tenant"),
        ("tenant=t&end=2026-11-21", "start"),
        ("tenant=t&start=2026-11-20", "end"),
        ("tenant=t&start=soon&end=2026-11-21", "start"),
        ("tenant=t&start=2026-11-20&end=2026-11-31", "end"),
        ("tenant=t&start=2026-11-20&end=2026-11-20", "end"),
        ("tenant=t&start=2026-11-20&end=1960-01-01", "end"),
        (&format!("{whole}&at=now"), "at"),
    ] {
        let problem = server.refused(&format!("/get_usage?{query}")).await;
        assert_eq!((&problem["parameter"], &problem["status"]), (&json!(parameter), &json!(400)));
    }
    let whole = whole.replace("tenant=t", "tenant=nobody");
    let problem = server.refused(&format!("/get_usage?{whole}")).await;
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["detail"], "no sample of the tenant \"nobody\" is known");
}

/// Rows of another configuration mean something else: their mappings are indexes in another list.
#[tokio::test]
async fn usage_by_other_rules_is_not_shown() {
    let server = polled_for_a_day().await;
    server.execute("UPDATE projection.checkpoint SET config = 'other'").await;
    let problem = server.refused("/get_usage?tenant=t&start=2026-11-20&end=2026-11-21").await;
    assert_eq!(problem["status"], 503);
    assert!(problem["detail"].as_str().unwrap().contains("computed anew"), "{problem}");
}

#[tokio::test]
async fn collected_usage_includes_the_whole_log() {
    let server = polled_for_a_day().await;
    let many: Vec<Value> = (0..3000)
        .map(|nth| {
            let time = format!("{:02}:{:02}:{:02}", nth / 3600, nth / 60 % 60, nth % 60);
            sample("sum", "s", &time, json!(1), json!({}))
        })
        .collect();
    let events: Vec<_> = (10..).zip(many.chunks(50)).map(|(n, of)| polled(n, of)).collect();
    append(&server.db.database, &events).await;
    let (status, collected) = server.post("/collect_usage", "").await;
    assert_eq!(status, 200, "{collected}");
    assert_eq!(
        collected,
        json!({
            "tenants": [
                {"id": "s", "updated": true, "start": "2026-11-20T00:00:00",
                 "end": "2026-11-20T00:49:59", "first_at": "2026-11-20T00:00:00Z",
                 "last_at": "2026-11-20T00:49:59Z"},
                {"id": "t", "updated": true, "start": "2026-11-20T00:00:00",
                 "end": "2026-11-20T23:50:00", "first_at": "2026-11-20T00:00:00Z",
                 "last_at": "2026-11-20T23:50:00Z"},
            ],
            "errors": 0, "position": 61,
        })
    );
    assert_eq!(used(&server.used("s", "00:00:00", "01:00:00").await), ["sum 3000"]);
    let last = server.ok("/last_collected?at=2026-11-30T10:00:00.25Z").await;
    assert_eq!(
        last,
        json!({"last_collected": "2026-11-30 10:00:00", "at": "2026-11-30T10:00:00.25Z",
               "position": 61, "head": 61})
    );
    let tenants = server.ok("/v1/tenants?limit=1").await;
    assert_eq!(
        tenants["items"],
        json!([{"tenant_id": "s", "name": null, "resources": 1, "first_at": "2026-11-20T00:00:00Z",
                "last_at": "2026-11-20T00:49:59Z"}])
    );
    let next = tenants["next"].as_str().unwrap();
    let tenants = server.ok(&format!("/v1/tenants?cursor={next}")).await;
    assert_eq!((&tenants["items"][0]["tenant_id"], &tenants["next"]), (&json!("t"), &Value::Null));
}

#[tokio::test]
async fn without_a_projector_nothing_is_collected() {
    let server = Server::start().await;
    let problem =
        crate::support::server::refused(server.http.post(server.url("/collect_usage"))).await;
    assert_eq!(problem["status"], 503);
    assert_eq!(server.ok("/last_collected").await["last_collected"], Value::Null);
}

/// Samples posted by users and samples without a tenant are on no bill.
#[tokio::test]
async fn only_trusted_samples_of_tenants_are_used() {
    let server = Server::with_projector_of(MAPPINGS.parse::<File>().unwrap()).await;
    let mut samples = ["10:00:00", "10:10:00", "10:20:00"]
        .map(|time| sample("sum", "t", time, json!(1), json!({})));
    samples[1]["source"] = json!("t:openstack");
    samples[2]["project_id"] = Value::Null;
    append(&server.db.database, &[polled(1, &samples)]).await;
    wait_until_applied(&server.db).await;
    assert_eq!(used(&server.used("t", "10:00:00", "11:00:00").await), ["sum 1"]);
    assert_eq!(server.db.number("SELECT count(*) FROM metering.usage_window").await, 1);
    // The trusted sample replaces the other one.
    samples[1]["source"] = json!("openstack");
    append(&server.db.database, &[polled(2, &samples)]).await;
    wait_until_applied(&server.db).await;
    assert_eq!(used(&server.used("t", "10:00:00", "11:00:00").await), ["sum 2"]);
}

/// The program's own client.
#[tokio::test]
async fn the_client_shows_what_the_server_answers() {
    let server = polled_for_a_day().await;
    let client = async |arguments: &[&str]| {
        let mut command = command(&server.db, None);
        command.args(arguments).args(["--url", &server.base]);
        succeed(command).await
    };
    let of_a_day =
        ["usage", "--tenant", "t", "--start", "2026-11-20", "--end", "2026-11-20T23:00:00"];
    let csv = client(&[&of_a_day[..], &["--csv"]].concat()).await;
    let line = "t,r,Virtual Machine,vm,m1,uptime,82800,second,23,1.000000";
    assert_eq!(csv.lines().nth(1), Some(line), "{csv}");
    let collected = client(&["collect-usage", "--csv"]).await;
    let line = "t,true,2026-11-20T00:00:00,2026-11-20T23:50:00,";
    assert_eq!(collected.lines().nth(1), Some(line), "{collected}");
    let everybody =
        ["usage", "--all-tenants", "--start", "2026-11-20", "--end", "2026-11-21", "--csv"];
    assert!(client(&everybody).await.contains("t,r,Virtual Machine,vm,m1,uptime,86400,second,24"));
    assert_eq!(client(&["last-collected"]).await.trim().len(), "2026-11-20 00:00:00".len());
}
