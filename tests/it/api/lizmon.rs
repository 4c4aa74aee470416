use serde_json::{Value, json};

use crate::support::events::append;
use crate::support::perf::one;
use crate::support::projector::wait_until_applied;
use crate::support::server::{Server, answer, refused};

/// A whole minute and a whole hour, 2016-06-04T12:00:00Z.
const NOON: i64 = 1_465_041_600;

fn at(seconds: i64) -> String {
    jiff::Timestamp::from_second(NOON + seconds).unwrap().to_string()
}

/// Starts a server with a host of these values, by metric and seconds after noon.
async fn server_with(samples: &[(&str, i64, &str)]) -> Server {
    let server = Server::with_projector().await;
    let events: Vec<_> = (1..)
        .zip(samples)
        .map(|(number, (metric, second, value))| {
            one(number, "h", metric, &at(*second), serde_json::from_str(value).unwrap())
        })
        .collect();
    append(&server.db.database, &events).await;
    wait_until_applied(&server.db).await;
    server
}

/// Returns `start num-samples avg` of each average, the start in seconds after noon.
async fn averages(server: &Server, label: &str, now: i64) -> Vec<String> {
    let summaries = server.ok(&format!("/api/perf/h?at={}", at(now))).await;
    let Some(summary) = summaries.get(label) else { return Vec::new() };
    let averages = summary["averages"].as_array().unwrap();
    assert_eq!(summary["average-count"], averages.len());
    assert_eq!(summary["end"], NOON + now);
    let shown = |average: &Value| {
        let start = average["start-sec"].as_i64().unwrap();
        let length = summary["timeslice-size-sec"].as_i64().unwrap();
        assert_eq!(average["interval-size-sec"], length);
        assert_eq!(average["end-sec"], start + length);
        format!("{} {} {}", start - NOON, average["num-samples"], average["avg"])
    };
    averages.iter().map(shown).collect()
}

/// The expected values are computed by hand by Lizmon's rules.
#[tokio::test]
async fn summaries_are_lizmons() {
    let server = server_with(&[
        ("on-a-minute", -120, "4"),
        ("on-a-minute", -119, "5"),
        ("on-an-hour", -7200, "4"),
        ("on-an-hour", -7199, "5"),
        ("future", 31, "1"),
        ("future", 60, "2"),
        ("future", 61, "4"),
        ("hour-old", -3600, "1"),
        ("hour-old", -3599, "2"),
        ("day-old", -86_400, "1"),
        ("day-old", -86_399, "2"),
        ("rounded", -50, "1.125"),
        ("rounded", -110, "2.675"),
        ("rounded", -170, "1.115"),
        ("rounded", -171, "1.115"),
        ("whole", -50, "29"),
        ("whole", -51, "31.0"),
    ])
    .await;
    for (label, now, expected) in [
        ("by-minute:on-a-minute", 0, vec!["-180 1 4.0", "-120 1 5.0"]),
        ("by-hour:on-a-minute", 0, vec!["-3600 2 4.5"]),
        ("by-minute:on-an-hour", 0, vec![]),
        ("by-hour:on-an-hour", 0, vec!["-10800 1 4.0", "-7200 1 5.0"]),
        // Up to the end of the last bucket, which is the present minute.
        ("by-minute:future", 30, vec!["0 2 1.5"]),
        ("by-minute:future", 0, vec![]),
        ("by-hour:future", 30, vec!["0 3 2.33"]),
        ("by-minute:hour-old", 0, vec!["-3600 1 2.0"]),
        ("by-minute:hour-old", 60, vec![]),
        ("by-hour:hour-old", 0, vec!["-7200 1 1.0", "-3600 1 2.0"]),
        ("by-hour:day-old", 0, vec!["-86400 1 2.0"]),
        ("by-hour:day-old", 3600, vec![]),
        ("by-minute:rounded", 0, vec!["-180 2 1.11", "-120 1 2.67", "-60 1 1.12"]),
        ("by-minute:whole", 0, vec!["-60 2 30.0"]),
    ] {
        let found = averages(&server, &format!("summary:{label}"), now).await;
        assert_eq!(found, expected, "{label} at {now}");
    }
    let summary = &server.ok(&format!("/api/perf/h/minute:whole?at={}", at(14))).await;
    assert_eq!(
        *summary,
        json!({"summary:by-minute:whole": {
            "start": NOON - 3600, "end": NOON + 14, "timeslice-size-sec": 60, "average-count": 1,
            "averages": [{"start-sec": NOON - 60, "end-sec": NOON, "interval-size-sec": 60,
                          "num-samples": 2, "avg": 30.0}],
        }})
    );
    // A summary is not served after its window.
    assert_eq!(server.ok(&format!("/api/perf/h?at={}", at(100_000))).await, json!({}));
}

#[tokio::test]
async fn the_newest_sixty_of_sixty_one_buckets_are_shown() {
    let samples: Vec<_> = (0..=60).map(|minute| ("m", -3590 + minute * 60, "1")).collect();
    let server = server_with(&samples).await;
    let shown = averages(&server, "summary:by-minute:m", 30).await;
    assert_eq!(
        (shown.len(), shown[0].as_str(), shown[59].as_str()),
        (60, "-3540 1 1.0", "0 1 1.0")
    );
    assert_eq!(averages(&server, "summary:by-minute:m", 0).await[0], "-3600 1 1.0");
}

#[tokio::test]
async fn labels_are_found_in_any_case() {
    let server = server_with(&[("CPU", -10, "1"), ("disk/sda1", -10, "1"), ("7", -10, "1")]).await;
    let labels = async |filter: &str| -> Vec<String> {
        let found = server.ok(&format!("/api/perf/h{filter}?at={}", at(0))).await;
        found.as_object().unwrap().keys().cloned().collect()
    };
    let minute = |metric: &str| format!("summary:by-minute:{metric}");
    let hour = |metric: &str| format!("summary:by-hour:{metric}");
    for filter in ["/BY-MINUTE:CPU", "/by-minute:cpu", "/summary%3Aby-minute:cPu"] {
        assert_eq!(labels(filter).await, [minute("CPU")], "{filter}");
    }
    assert_eq!(labels("/cpu").await, [hour("CPU"), minute("CPU")]);
    assert_eq!(labels("/minute:disk/SDA").await, [minute("disk/sda1")]);
    assert_eq!(labels("").await.len(), 6);
    assert_eq!(labels("/nothing").await, [""; 0]);
    for (path, expected) in [
        ("/api/perf/H", 200),
        ("/api/perf/H/cpu", 200),
        ("/api/perf/h/", 404),
        ("/api/perf/", 404),
        ("/api/perf", 404),
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!(status, expected, "{path}: {body}");
        assert!(status != 200 || body == json!({}), "{path}: {body}");
    }
    assert_eq!(server.refused("/api/perf/h/7").await["status"], 405);
}

#[tokio::test]
async fn a_post_is_one_event_however_often_it_is_sent() {
    let server = Server::with_projector().await;
    let path = format!("/api/perf/Node%2F1/{}", NOON - 30);
    let body = r#"{"cpu": 12.50, "mem": "40", "up": true, "bad": null}"#;
    let post = |path: &str, body: &'static str| {
        let form = "application/x-www-form-urlencoded";
        answer(server.http.post(server.url(path)).header("content-type", form).body(body))
    };
    assert_eq!(post(&path, body).await.0, 201);
    assert_eq!(post(&path, body).await.0, 200);
    assert_eq!(post(&path, r#"{"cpu": 13}"#).await.0, 201);
    assert_eq!(post("/api/perf/node%2F1/1465041570", body).await.0, 201);
    assert_eq!(post("/api/perf/empty/1465041570", "{}").await.0, 200);
    assert_eq!(post(&path, r#" {"cpu": NaN} "#).await.0, 201);
    let log = server.ok("/v1/events?family=perf").await;
    assert_eq!(log["items"].as_array().unwrap().len(), 4);
    let event = server.ok("/v1/events/1").await;
    assert_eq!((&event["stream"], &event["occurred_at"]), (&json!("Node/1"), &json!(at(-30))));
    assert_eq!(event["body"]["data"]["metrics"]["cpu"].to_string(), "12.50");
    wait_until_applied(&server.db).await;
    let summaries = server.ok(&format!("/api/perf/Node%2F1?at={}", at(0))).await;
    let cpu = &summaries["summary:by-minute:cpu"]["averages"][0];
    assert_eq!((&cpu["num-samples"], &cpu["avg"]), (&json!(2), &json!(12.75)));
    assert_eq!(server.ok("/api/perf/empty").await, json!({}));
    let hosts = server.ok("/v1/hosts").await;
    assert_eq!(hosts["items"].as_array().unwrap().len(), 2);

    for body in ["", "[]", "5", "null", "{", "{} {}", "{}, \"x\": {}", "{\"a\": 1,}"] {
        let problem = refused(server.http.post(server.url(&path)).body(body)).await;
        assert_eq!(problem["status"], 400, "{body}");
    }
    let many: serde_json::Map<_, _> = (0..=50_000).map(|n| (n.to_string(), json!(n))).collect();
    let problem = refused(server.http.post(server.url(&path)).json(&many)).await;
    assert_eq!(
        (&problem["status"], &problem["detail"]),
        (&json!(400), &json!("50001 values are more than 50000"))
    );
    for (epoch, status) in
        [("abc", 405), ("-5", 405), ("1.5", 405), ("5", 400), ("99999999999999999999", 400)]
    {
        let request =
            server.http.post(server.url(&format!("/api/perf/h/{epoch}"))).body("{\"a\": 1}");
        assert_eq!(refused(request).await["status"], status, "{epoch}");
    }
    let pathless = server.http.post(server.url("/api/perf/h")).body("{}");
    assert_eq!(refused(pathless).await["status"], 405);
}
