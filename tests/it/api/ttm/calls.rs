//! Calls that report something: their events, and answers before and after the read model applies them.

use serde_json::{Value, json};

use super::rows::{API, insert_instances, kinds};
use crate::support::server::{Server, answer, refused};

#[tokio::test]
async fn asking_for_the_time_reports_an_instance_only_if_it_is_named() {
    let server = Server::start().await;
    let now = server.ok(&format!("{API}/time/now?at=2013-11-07T23:49:56Z")).await;
    assert_eq!(now, json!({"utcnow": "2013-11-07T23:49:56"}));
    let now = server.ok(&format!("{API}/time/now")).await;
    assert!(now["utcnow"].as_str().unwrap().parse::<jiff::civil::DateTime>().is_ok());
    assert!(kinds(&server).await.is_empty());

    // Both forms of the path report; TTM's callers quote the id.
    server.ok(&format!("{API}/instances/%22i-1%22/time/now")).await;
    server.ok(&format!("{API}/i-1/time/now")).await;
    assert_eq!(kinds(&server).await, ["ttm.time_now", "ttm.time_now"]);
    let event = server.ok("/v1/events/1").await;
    assert_eq!((&event["stream"], &event["source"]), (&json!("i-1"), &json!("stackledger/ttm")));
    assert_eq!(event["body"]["data"], json!({"instance_id": "i-1"}));
    assert_eq!(event["body"]["time"], event["occurred_at"]);

    let head = server.http.head(server.url(&format!("{API}/i-1/time/now"))).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(kinds(&server).await.len(), 2);
}

#[tokio::test]
async fn a_retry_with_its_key_is_one_event() {
    let server = Server::start().await;
    let call = |id: &str, key: &str| {
        let url = server.url(&format!("{API}/instances/{id}/time/now"));
        answer(server.http.get(url).header("Idempotency-Key", key))
    };
    for (id, key) in [("i-1", "a"), ("i-1", "a"), ("i-1", "b"), ("i-2", "a")] {
        assert_eq!(call(id, key).await.0, 200);
    }
    assert_eq!(kinds(&server).await.len(), 3);
    assert_eq!(call("i-1", "").await.0, 400);
    assert_eq!(call("i-1", &"k".repeat(256)).await.0, 400);
}

#[tokio::test]
async fn a_metric_is_posted_as_the_readme_says() {
    let server = Server::start().await;
    insert_instances(&server).await;
    let posted = r#"{"instance_id":"111111","instance_name":"nk111111","start_time":"2013-11-07T23:49:56.906600","end_time":"2013-11-08T23:48:19.088958"}"#;
    let url = server.url(&format!("{API}/instances/111111/metrics"));
    let post = server.http.post(&url).header("content-type", "application/json").body(posted);
    let (status, answered) = answer(post).await;
    let metric = &answered["metric"];
    assert_eq!((status, &metric["instance_id"]), (201, &json!("111111")));
    assert_eq!(metric["start_time"], "2013-11-07T23:49:56.906600");
    assert_eq!(metric["end_time"], "2013-11-08T23:48:19.088958");
    let event = server.ok("/v1/events/1").await;
    assert_eq!(event["kind"], "ttm.metrics");
    assert_eq!(
        event["body"]["data"],
        json!({"instance_id": "111111", "instance_name": "nk111111",
               "start_time": "2013-11-07T23:49:56.906600", "end_time": "2013-11-08T23:48:19.088958"})
    );
    for body in [
        r#"{"instance_id":111111,"instance_name":"a","end_time":""}"#,
        r#"{"instance_id":null,"instance_name":"a","end_time":"","start_time":""}"#,
    ] {
        assert_eq!(answer(server.http.post(&url).body(body)).await.0, 201, "{body}");
    }

    for (body, parameter) in [
        ("", Value::Null),
        ("{", Value::Null),
        ("[]", json!("instance_name")),
        (r#"{"end_time":""}"#, json!("instance_name")),
        (r#"{"instance_name":"a"}"#, json!("end_time")),
        (r#"{"instance_name":"a","end_time":"soon"}"#, json!("end_time")),
        (r#"{"instance_name":"a","end_time":7}"#, json!("end_time")),
        (r#"{"instance_name":"\u0000","end_time":""}"#, json!("instance_name")),
        (r#"{"instance_name":"a","end_time":"","start_time":"soon"}"#, json!("start_time")),
        (r#"{"instance_name":"a","end_time":"","start_time":7}"#, json!("start_time")),
        (r#"{"instance_id":"i-1","instance_name":"a","end_time":""}"#, json!("instance_id")),
        (r#"{"instance_id":[],"instance_name":"a","end_time":""}"#, json!("instance_id")),
    ] {
        let problem = refused(server.http.post(&url).body(body)).await;
        assert_eq!(
            (&problem["status"], problem.get("parameter").unwrap_or(&Value::Null)),
            (&json!(400), &parameter),
            "{body}"
        );
        assert!(problem["error"].is_string());
    }
    assert_eq!(kinds(&server).await.len(), 3);
}

#[tokio::test]
async fn recipes_are_posted_as_the_readme_says() {
    let server = Server::start().await;
    insert_instances(&server).await;
    let post = |path: &str, body: &'static str| {
        let form = "application/x-www-form-urlencoded";
        server
            .http
            .post(server.url(&format!("{API}{path}")))
            .header("content-type", form)
            .body(body)
    };
    let (status, answered) =
        answer(post("/instances/i-1/recipe/base::apt", "msg=it+went%20well")).await;
    assert_eq!(status, 201);
    assert_eq!(answered["metric"]["recipes"]["base::apt"]["start_msg"], "go");
    assert_eq!(answer(post("/instances/i-1/recipe/web", "")).await.0, 201);
    let data = async |position: i64| {
        server.ok(&format!("/v1/events/{position}")).await["body"]["data"].clone()
    };
    assert_eq!(
        data(1).await,
        json!({"instance_id": "i-1", "recipe": "base::apt", "message": "it went well"})
    );
    assert_eq!(data(2).await, json!({"instance_id": "i-1", "recipe": "web", "message": null}));
    assert_eq!(refused(post("/instances/i-1/recipe/web", "msg=%00")).await["status"], 400);
    assert_eq!(refused(post("/instances/i-1/recipe/web", "msg=%ff")).await["status"], 400);

    // Without a name the only open recipe ends, if the read model is not behind.
    let unknown = refused(post("/instances/i-1/recipe", "msg=done")).await;
    assert_eq!(unknown["status"], 503);
    server
        .execute("INSERT INTO projection.checkpoint (name, slot, version, config, position) VALUES ('timing', 'live', 1, '', 1)")
        .await;
    assert_eq!(refused(post("/instances/i-1/recipe", "msg=done")).await["status"], 503);
    assert_eq!(kinds(&server).await.len(), 2);
    server.execute("UPDATE projection.checkpoint SET position = 100").await;
    let several = refused(post("/instances/i-1/recipe", "msg=done")).await;
    assert_eq!(several["status"], 409);
    assert!(several["error"].is_string());
    assert_eq!(refused(post("/instances/i-2/recipe", "msg=done")).await["status"], 404);
    server.execute("UPDATE timing.recipe SET ended_at = now() WHERE recipe = 'web'").await;
    let end = || post("/instances/i-1/recipe", "msg=done").header("Idempotency-Key", "k");
    assert_eq!(answer(end()).await.0, 201);
    assert_eq!(data(3).await, json!({"instance_id": "i-1", "message": "done"}));

    // Its retry finds the recipe ended by the call itself.
    let id = server.ok("/v1/events/3").await["id"].as_str().unwrap().to_owned();
    server
        .execute(&format!(
            "UPDATE timing.recipe SET ended_at = now();
             INSERT INTO timing.ttm_recipe_call (instance_id, event_id, called_at) VALUES ('i-1', '{id}', now())"
        ))
        .await;
    assert_eq!(answer(end()).await.0, 201);
    assert_eq!(kinds(&server).await.len(), 3);
    assert_eq!(refused(post("/instances/i-1/recipe", "")).await["status"], 404);
}

/// Nobody projects here: a call is laid over the metric as it was before.
#[tokio::test]
async fn a_call_that_is_recorded_is_never_refused() {
    let server = Server::start().await;
    insert_instances(&server).await;
    let post = async |path: &str, body: &'static str| {
        let (status, answered) = server.post(&format!("{API}/instances/{path}"), body).await;
        assert_eq!(status, 201, "{answered}");
        answered["metric"].clone()
    };
    let metric = post("new/recipe/web", "msg=go").await;
    assert_eq!((&metric["instance_id"], &metric["end_time"]), (&json!("new"), &json!("")));
    assert_eq!(metric["recipes"]["web"]["start_msg"], "go");
    assert_ne!(metric["recipes"]["web"]["recipe_start_time"], "");

    let metric = post("i-1/recipe/web", "msg=up").await;
    assert_eq!(
        (&metric["instance_name"], &metric["recipes"]["web"]["end_msg"]),
        (&json!("vm1"), &json!("up"))
    );
    assert_ne!(metric["recipes"]["web"]["recipe_end_time"], "");
    assert_eq!(metric["recipes"]["base::apt"]["start_msg"], "go");

    let metric =
        post("i-1/metrics", r#"{"instance_name":"other","end_time":"2013-11-08T00:00:00"}"#).await;
    assert_eq!(
        (&metric["instance_name"], &metric["end_time"]),
        (&json!("other"), &json!("2013-11-08T00:00:00"))
    );
    assert_eq!(metric["start_time"], "2013-11-07T23:49:56.906600");
    // Nova's attributes of an instance are known, too.
    assert_eq!(post("i-3/recipe/web", "").await["instance_name"], "vm3");
    assert_eq!(kinds(&server).await.len(), 4);
}

#[tokio::test]
async fn an_answer_waits_for_the_read_model() {
    let server = Server::start().await;
    server
        .execute("INSERT INTO projection.checkpoint (name, slot, version, config) VALUES ('timing', 'live', 1, '')")
        .await;
    let posted = async {
        server
            .post(
                &format!("{API}/instances/new/metrics"),
                r#"{"instance_name":"vm","end_time":""}"#,
            )
            .await
    };
    // In place of the projection: applies the event some time after it was appended.
    let applied = async {
        while kinds(&server).await.is_empty() {}
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server
            .execute(
                "BEGIN; INSERT INTO timing.instance (instance_id, name, first_at, last_at, last_id, last_kind, ttm_end_at, ttm_end_time, reported_at)
                 VALUES ('new', 'as read', now(), now(), gen_random_uuid(), 'ttm.metrics', now(), '', now());
                 UPDATE projection.checkpoint SET position = 1; COMMIT",
            )
            .await;
    };
    let ((status, answer), ()) = tokio::join!(posted, applied);
    assert_eq!((status, &answer["metric"]["instance_name"]), (201, &json!("as read")), "{answer}");
}
