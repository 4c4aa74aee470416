//! Hosts whose clocks are wrong.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{import, run, run_lines};
use crate::support::events::now;
use crate::support::server::Server;

/// Returns a host of `/v1/hosts`.
async fn host(server: &Server, name: &str, query: &str) -> Value {
    let list = server.ok(&format!("/v1/hosts?{query}")).await;
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| item["host"] == name).unwrap().clone()
}

/// Returns the body of an event with one sample.
fn sampled(host: &str, at: Timestamp) -> String {
    json!({"specversion": "1.0", "id": at.to_string(), "source": format!("agent/{host}"),
           "type": "perf.sampled", "time": at,
           "data": {"host": host, "samples": [{"metric": "cpu", "time": at, "value": 5}]}})
    .to_string()
}

#[tokio::test]
async fn a_sample_of_the_future_keeps_no_host_alive() {
    run("80-a-host-whose-clock-was-years-ahead", async |server| {
        for day in ["20", "25"] {
            let at = format!("at=2026-11-{day}T12:00:00Z");
            let future = host(server, "h-future", &at).await;
            assert_eq!(
                (&future["stale"], &future["last_at"]),
                (&json!(true), &json!("2026-11-20T10:01:00Z"))
            );
            assert_eq!(future["future_at"], "2037-01-01T00:00:00Z");
            assert_eq!(host(server, "h-ok", &at).await["stale"], true);
        }
        let ahead = host(server, "h-ahead5", "at=2026-11-20T12:00:00Z").await;
        assert_eq!((&ahead["stale"], &ahead["last_age_s"]), (&json!(false), &json!(-300.0)));
        assert_eq!(ahead["future_at"], Value::Null);
        // Before its first sample it was not there.
        let before = host(server, "h-ahead5", "at=2026-11-20T11:54:59Z").await;
        assert_eq!((&before["stale"], &before["last_at"]), (&json!(true), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn a_host_is_as_old_as_its_last_message() {
    let start = now();
    let year_ahead = start + SignedDuration::from_hours(24 * 365);
    let lines = [
        sampled("ahead", year_ahead),
        sampled("ahead5", start + SignedDuration::from_mins(5)),
        sampled("behind", start - SignedDuration::from_hours(1)),
    ];
    run_lines(&lines, async |server| {
        for (name, stale) in [("ahead", false), ("ahead5", false), ("behind", true)] {
            let shown = host(server, name, "").await;
            assert_eq!(shown["stale"], stale, "{name}");
            assert!(shown["last_age_s"].as_f64().unwrap() >= 0.0, "{shown}");
            let is_future = shown["future_at"] != Value::Null;
            assert_eq!(is_future, name == "ahead");
        }
        // It arrived once, and is silent since.
        let later = now() + SignedDuration::from_hours(2);
        for name in ["ahead", "ahead5", "behind"] {
            assert_eq!(host(server, name, &format!("at={later}")).await["stale"], true, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_time_in_the_past_has_the_last_sample_before_it() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    // The day before, the hour before, the minute before, and the minute that contains the limit.
    let samples = [
        "2026-11-18T23:50:00Z",
        "2026-11-19T01:00:00Z",
        "2026-11-19T02:40:00Z",
        "2026-11-19T02:59:10Z",
        "2026-11-19T02:59:50Z",
        "2026-11-19T05:00:00Z",
    ];
    let lines = samples.map(|sample| sampled("h", at(sample)));
    run_lines(&lines, async |server| {
        for (asked, last) in [
            // Samples up to ten minutes later count.
            ("2026-11-19T05:00:00Z", "2026-11-19T05:00:00Z"),
            ("2026-11-19T04:50:00Z", "2026-11-19T05:00:00Z"),
            ("2026-11-19T04:49:00Z", "2026-11-19T02:59:50Z"),
            ("2026-11-19T02:49:30Z", "2026-11-19T02:59:30Z"),
            ("2026-11-19T02:48:00Z", "2026-11-19T02:40:00Z"),
            ("2026-11-19T02:20:00Z", "2026-11-19T01:00:00Z"),
            ("2026-11-19T00:20:00Z", "2026-11-18T23:50:00Z"),
        ] {
            assert_eq!(host(server, "h", &format!("at={asked}")).await["last_at"], last, "{asked}");
        }
        assert_eq!(host(server, "h", "at=2026-11-18T23:00:00Z").await["last_at"], Value::Null);
        assert_eq!(host(server, "h", "at=0001-01-01T00:00:00Z").await["last_at"], Value::Null);
    })
    .await;
}

/// A replay keeps the rows from before the horizon, also those of a version that did not have the column.
#[tokio::test]
async fn a_row_of_an_earlier_version_has_its_last_sample() {
    let first = "2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap();
    let second = first + SignedDuration::from_mins(1);
    let server = Server::with_projector().await;
    import(&server, &[&sampled("h", first)]).await;
    server.sql.batch_execute("UPDATE rollup.series SET alive_at = NULL").await.unwrap();
    let at = "at=2026-11-20T10:02:00Z";
    assert_eq!(host(&server, "h", at).await["last_at"], "2026-11-20T10:00:00Z");
    import(&server, &[&sampled("h", second)]).await;
    assert_eq!(host(&server, "h", at).await["last_at"], "2026-11-20T10:01:00Z");
}
