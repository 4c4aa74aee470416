use serde_json::{Value, json};

use crate::support::events::append;
use crate::support::perf::{one, sampled};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

/// Two hosts whose names differ by case, and a third whose values do not count.
async fn projected() -> Server {
    let server = Server::with_projector().await;
    let events = [
        one(1, "a", "cpu", "2026-11-20T03:00:00Z", json!(1)),
        one(2, "a", "cpu", "2026-11-20T03:00:59.999999Z", json!(2.50)),
        one(3, "a", "cpu", "2026-11-20T03:00:30Z", json!("6.25")),
        one(4, "a", "cpu", "2026-11-20T03:03:00Z", json!(true)),
        sampled(
            5,
            &json!({"host": "a", "time": "2026-11-20T03:02:00Z",
            "metrics": {"mem": "0.1234567890123456789012345678", "bad": [1], "disk/read": 7}}),
        ),
        sampled(
            6,
            &json!({"host": "a", "time": "2026-11-20T03:02:01Z",
            "metrics": {"mem": 79228162514264337593543950335_i128, "bad": null}}),
        ),
        one(7, "A", "cpu", "2026-11-19T00:00:00Z", json!(5)),
        one(8, "broken", "cpu", "2026-11-20T03:00:00Z", json!("NaN")),
    ];
    append(&server.db.database, &events).await;
    wait_until_applied(&server.db).await;
    server
}

#[tokio::test]
async fn hosts_are_listed_with_their_metrics_and_rejected_values() {
    let server = projected().await;
    let list = server.ok("/v1/hosts?at=2026-11-20T03:08:00Z").await;
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|h| h["host"].as_str().unwrap()).collect();
    assert_eq!(names, ["A", "a", "broken"]);
    let a = &list["items"][1];
    assert_eq!(a["metrics"], json!(["cpu", "disk/read", "mem"]));
    assert_eq!(
        [&a["first_at"], &a["last_at"]],
        [&json!("2026-11-20T03:00:00Z"), &json!("2026-11-20T03:03:00Z")]
    );
    assert_eq!((&a["last_age_s"], &a["stale"]), (&json!(300.0), &json!(false)));
    let reasons: Vec<String> = a["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| format!("{} {} {}", r["metric"], r["reason"], r["count"]))
        .collect();
    assert_eq!(reasons, [r#""bad" "it has no value" 1"#, r#""bad" "its value is not a number" 1"#]);
    assert_eq!(a["rejected"][0]["last_at"], "2026-11-20T03:02:01Z");
    assert_eq!(list["items"][0]["stale"], true);
    let broken = &list["items"][2];
    assert_eq!(
        (&broken["metrics"], &broken["last_at"], &broken["stale"]),
        (&json!([]), &Value::Null, &json!(true))
    );

    let stale = async |query: &str| -> Vec<bool> {
        let list = server.ok(&format!("/v1/hosts?{query}")).await;
        list["items"].as_array().unwrap().iter().map(|h| h["stale"].as_bool().unwrap()).collect()
    };
    assert_eq!(stale("at=2026-11-20T03:08:00.000001Z").await, [true, true, true]);
    assert_eq!(stale("at=2026-11-20T03:08:00Z&stale_after_s=200000").await, [false, false, true]);
    let page = server.ok("/v1/hosts?limit=2").await;
    let next = page["next"].as_str().unwrap();
    let rest = server.ok(&format!("/v1/hosts?limit=2&cursor={next}")).await;
    assert_eq!((&rest["items"][0]["host"], &rest["next"]), (&json!("broken"), &Value::Null));
    for (query, parameter) in [("stale_after_s=x", "stale_after_s"), ("at=now", "at")] {
        assert_eq!(server.refused(&format!("/v1/hosts?{query}")).await["parameter"], parameter);
    }
}

#[tokio::test]
async fn buckets_are_exact_and_gaps_are_listed() {
    let server = projected().await;
    let path = "/v1/perf/a?metric=cpu&from=2026-11-20T02:59:30Z&to=2026-11-20T03:04:30Z";
    let answer = server.ok(path).await;
    assert_eq!(
        answer,
        json!({
            "host": "a", "resolution": "1m", "metric": "cpu",
            "from": "2026-11-20T02:59:00Z", "to": "2026-11-20T03:05:00Z",
            "buckets": [
                {"start": "2026-11-20T03:00:00Z", "count": 3, "sum": 9.75, "min": 1, "max": 6.25,
                 "mean": 3.25, "p50": answer["buckets"][0]["p50"], "p95": 6.25, "p99": 6.25, "last": 2.5},
                {"start": "2026-11-20T03:03:00Z", "count": 1, "sum": 1, "min": 1, "max": 1,
                 "mean": 1, "p50": 1.0, "p95": 1.0, "p99": 1.0, "last": 1},
            ],
            "gaps": [{"from": "2026-11-20T02:59:00Z", "to": "2026-11-20T03:00:00Z"},
                     {"from": "2026-11-20T03:01:00Z", "to": "2026-11-20T03:03:00Z"},
                     {"from": "2026-11-20T03:04:00Z", "to": "2026-11-20T03:05:00Z"}],
        })
    );
    let p50 = answer["buckets"][0]["p50"].as_f64().unwrap();
    assert!((p50 - 2.5).abs() <= 0.025, "{p50}");

    let all = server.ok("/v1/perf/a?resolution=1h&at=2026-11-20T04:00:00Z").await;
    let metrics: Vec<&Value> = all["metrics"].as_array().unwrap().iter().collect();
    let names: Vec<&Value> = metrics.iter().map(|series| &series["metric"]).collect();
    assert_eq!(names, ["cpu", "disk/read", "mem"]);
    assert_eq!(
        (&metrics[0]["buckets"][0]["count"], metrics[0]["gaps"].as_array().unwrap().len()),
        (&json!(4), 1)
    );
    // A sum of more digits than a decimal of 96 bits holds.
    assert_eq!(
        metrics[2]["buckets"][0]["sum"].to_string(),
        "79228162514264337593543950335.1234567890123456789012345678"
    );
    let day = server.ok("/v1/perf/a?metric=cpu&resolution=1d&at=2026-11-20T04:00:00Z").await;
    assert_eq!(
        (&day["buckets"][0]["start"], &day["buckets"][0]["sum"]),
        (&json!("2026-11-20T00:00:00Z"), &json!(10.75))
    );
    let nothing = server.ok("/v1/perf/a?metric=none&at=2026-11-20T04:00:00Z").await;
    assert_eq!((&nothing["buckets"], nothing["gaps"].as_array().unwrap().len()), (&json!([]), 1));
    assert_eq!(server.ok("/v1/perf/broken").await["metrics"], json!([]));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = projected().await;
    for host in ["b", "AA", "%25"] {
        assert_eq!(server.refused(&format!("/v1/perf/{host}")).await["status"], 404, "{host}");
    }
    for (query, parameter) in [
        ("resolution=5m", "resolution"),
        ("from=soon", "from"),
        ("from=2026-11-20T04:00:00Z&to=2026-11-20T03:00:00Z", "to"),
        ("metric=", "metric"),
        ("host=a", "host"),
        ("metric=cpu&from=2026-11-01T00:00:00Z&to=2026-11-20T03:00:00Z", "from"),
        ("from=2026-11-18T00:00:00Z&to=2026-11-20T12:00:00Z", "from"),
    ] {
        let problem = server.refused(&format!("/v1/perf/a?{query}")).await;
        assert_eq!(
            (&problem["status"], &problem["parameter"]),
            (&json!(400), &json!(parameter)),
            "{query}"
        );
    }
    let week = "/v1/perf/a?metric=cpu&from=2026-11-14T00:00:00Z&to=2026-11-20T12:00:00Z";
    assert_eq!(server.ok(week).await["buckets"].as_array().unwrap().len(), 2);
}
