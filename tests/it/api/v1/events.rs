use serde_json::{Value, json};
use stackledger::config::Retention;
use stackledger::retention;

use crate::support::server::{Server, refused};

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "test", "type": "build.started",
        "time": "2026-11-20T03:05:54.25Z", "data": {"instance_id": "i-1"},
    })
}

#[tokio::test]
async fn an_event_is_new_once() {
    let server = Server::start().await;
    let (status, answer) = server.post("/v1/events", event("1").to_string()).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["items"][0]["created"], true);

    let (status, again) = server.post("/v1/events", event("1").to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(again["items"][0]["created"], false);
    assert_eq!(again["items"][0]["id"], answer["items"][0]["id"]);

    let list = json!([event("1"), event("2")]).to_string();
    let (status, answer) = server.post("/v1/events", list).await;
    assert_eq!(status, 201);
    assert_eq!(answer["items"][0]["created"], false);
    assert_eq!(answer["items"][1]["created"], true);
}

#[tokio::test]
async fn an_event_without_time_is_taken() {
    let server = Server::start().await;
    let mut event = event("1");
    event.as_object_mut().unwrap().remove("time");
    let problem = refused(server.http.post(server.url("/v1/events")).body(event.to_string())).await;
    assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("time")));
    event["type"] = "heat.done".into();
    assert_eq!(server.post("/v1/events", event.to_string()).await.0, 201);
    assert_eq!(server.ok("/v1/events/1").await["occurred_at"], Value::Null);
}

#[tokio::test]
async fn a_body_with_anything_but_events_is_refused_whole() {
    let server = Server::start().await;
    let post = |body: String| refused(server.http.post(server.url("/v1/events")).body(body));
    for field in ["specversion", "type", "source", "id"] {
        let mut bad = event("9");
        bad.as_object_mut().unwrap().remove(field);
        let problem = post(json!([event("1"), event("2"), event("3"), bad]).to_string()).await;
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["parameter"], format!("events[3].{field}"));
    }
    for body in ["", "[]", "{", "[1]", "\"x\"", "\0", r#"{"event_type":"compute.instance.update"}"#]
    {
        assert_eq!(post(body.to_owned()).await["status"], 400, "{body}");
    }
    assert_eq!(post("[".repeat(100_000)).await["status"], 400);
    assert_eq!(server.ok("/v1/events").await, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn bodies_come_back_number_for_number() {
    let server = Server::start().await;
    let body = r#"{"specversion":"1.0","id":"1","source":"s","type":"build.started","time":"2026-11-20T03:05:54Z","data":{"instance_id":"i","n":1.10,"big":123456789012345678901234567890}}"#;
    assert_eq!(server.post("/v1/events", body).await.0, 201);
    let response = server.http.get(server.url("/v1/events/1")).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!("\"body\":{body}")), "{text}");

    let shown = server.ok("/v1/events/1").await;
    assert_eq!(shown["position"], 1);
    assert_eq!(shown["family"], "recipe");
    assert_eq!(shown["kind"], "build.started");
    assert_eq!(shown["stream"], "i");
    assert_eq!(shown["project_id"], Value::Null);
    assert_eq!(shown["source"], "s");
    assert_eq!(shown["redacted"], false);
    assert!(shown["recorded_at"].as_str().unwrap().ends_with('Z'));

    assert_eq!(server.refused("/v1/events/2").await["status"], 404);
    assert_eq!(server.refused("/v1/events/-1").await["status"], 404);
    assert_eq!(server.refused("/v1/events/x").await["parameter"], "position");
}

#[tokio::test]
async fn the_log_is_paged_and_filtered() {
    let server = Server::start().await;
    let mut list: Vec<Value> = (1..=5).map(|n| event(&n.to_string())).collect();
    list[3]["type"] = "perf.sampled".into();
    list[3]["data"]["host"] = "h".into();
    list[4]["data"]["instance_id"] = "i-2".into();
    assert_eq!(server.post("/v1/events", Value::from(list).to_string()).await.0, 201);

    let mut seen = Vec::new();
    let mut path = "/v1/events?limit=2".to_owned();
    loop {
        let page = server.ok(&path).await;
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["position"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/events?limit=2&cursor={next}");
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);

    let count = async |query: &str| {
        let page = server.ok(&format!("/v1/events?{query}")).await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("stream=i-2").await, 1);
    assert_eq!(count("kind=perf.sampled").await, 1);
    assert_eq!(count("family=recipe").await, 4);
    assert_eq!(count("after=4").await, 1);
    assert_eq!(count("stream=i-1&family=recipe&kind=build.started").await, 3);
    for (query, parameter) in [
        ("family=none", "family"),
        ("after=-1", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=zz", "cursor"),
        ("stream=%00", "stream"),
        ("kinds=a", "kinds"),
        ("limit=1&limit=1", "limit"),
    ] {
        let problem = server.refused(&format!("/v1/events?{query}")).await;
        assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!(parameter)));
    }
}

#[tokio::test]
async fn dead_letters_are_shown() {
    let server = Server::start().await;
    server
        .execute(
            "INSERT INTO log.dead_letter (sha256, reason, origin, received_at, status, body) VALUES
             ('\\x01', 'not JSON', 'queue a', '2026-11-20T00:00:00Z', 'open', 'text'),
             ('\\x02', 'not JSON', 'queue a', '2026-11-20T00:00:01Z', 'discarded', '\\xff00')",
        )
        .await;
    let first = server.ok("/v1/dead-letters?limit=1").await;
    assert_eq!(
        first["items"][0],
        json!({"id": 1, "status": "open", "reason": "not JSON", "origin": "queue a",
               "received_at": "2026-11-20T00:00:00Z", "size": 4})
    );
    let next = first["next"].as_str().unwrap();
    let second = server.ok(&format!("/v1/dead-letters?limit=1&cursor={next}")).await;
    assert_eq!((&second["items"][0]["id"], &second["next"]), (&json!(2), &Value::Null));
    let discarded = server.ok("/v1/dead-letters?status=discarded").await;
    assert_eq!(discarded["items"].as_array().unwrap().len(), 1);

    assert_eq!(server.ok("/v1/dead-letters/1").await["body"], "text");
    assert_eq!(server.ok("/v1/dead-letters/2").await["body_base64"], "/wA=");
    assert_eq!(server.refused("/v1/dead-letters/3").await["status"], 404);
    assert_eq!(server.refused("/v1/dead-letters/x").await["parameter"], "id");
    assert_eq!(server.refused("/v1/dead-letters?status=x").await["parameter"], "status");
}

/// A retry is harmless, another event under the same id is not: the client learns of it.
#[tokio::test]
async fn another_event_under_a_known_id_is_refused() {
    let server = Server::start().await;
    let started = |instance: &str| {
        let event = json!({"specversion": "1.0", "id": "1", "source": "chef", "type": "recipe.started",
                           "time": "2026-11-20T01:00:00Z", "data": {"instance_id": instance, "recipe": "r"}});
        event.to_string()
    };
    assert_eq!(server.post("/v1/events", started("a")).await.0, 201);
    assert_eq!(server.post("/v1/events", started("a")).await.0, 200);
    let request = server.http.post(server.url("/v1/events")).body(started("b"));
    let problem = refused(request).await;
    assert_eq!(
        (&problem["status"], problem["detail"].as_str().unwrap()),
        (
            &json!(409),
            "another_body: its source and id are those of the event at position 1, which says something else: \
             the event is kept as a dead letter"
        )
    );
    assert_eq!(server.ok("/v1/dead-letters").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(server.ok("/v1/events").await["items"].as_array().unwrap().len(), 1);
}

/// The client gets an error, and the event is kept as a dead letter.
#[tokio::test]
async fn an_event_older_than_the_horizon_is_refused() {
    let server = Server::start().await;
    let sampled = |day: u32| {
        let time = format!("2020-03-{day:02}T01:00:00Z");
        let data = json!({"host": "h", "time": time, "metrics": {"cpu": 1}});
        let event = json!({"specversion": "1.0", "id": day.to_string(), "source": "test",
                           "type": "perf.sampled", "time": time, "data": data});
        event.to_string()
    };
    assert_eq!(server.post("/v1/events", sampled(1)).await.0, 201);
    let (retention, at) = (Retention::default(), "2020-03-05T00:00:00Z".parse().unwrap());
    retention::retain(&server.db.database, &[], &retention, at).await.unwrap();
    for day in [1, 2] {
        let request = server.http.post(server.url("/v1/events")).body(sampled(day));
        let problem = refused(request).await;
        assert_eq!(problem["status"], 409);
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("before_horizon: events of perf before 2020-03-03T"),
            "{detail}"
        );
    }
    assert_eq!(server.post("/v1/events", sampled(3)).await.0, 201);
    assert_eq!(server.ok("/v1/dead-letters").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(server.get("/v1/events/1").await.0, 404);
    let moved = json!({"specversion": "1.0", "id": "1", "source": "stackledger", "data": {},
                       "type": "stackledger.horizon.moved"});
    let request = server.http.post(server.url("/v1/events")).body(moved.to_string());
    let problem = refused(request).await;
    assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("type")));
    let other = json!({"specversion": "1.0", "id": "1", "source": "stackledger", "type": "other"});
    let problem = refused(server.http.post(server.url("/v1/events")).body(other.to_string())).await;
    assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("source")));
}
