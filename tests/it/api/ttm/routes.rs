use serde_json::{Value, json};

use crate::support::server::{Server, answer, refused};

const API: &str = "/ttm/api/v1.0";

/// `i-1` began and runs two recipes, `i-2` has ended; of `i-3` only Nova knows.
async fn instances(server: &Server) {
    server
        .execute(
            "INSERT INTO timing.instance (instance_id, name, first_at, last_at, last_id, last_kind,
                 ttm_first_at, bootstrap_started_at, ttm_end_at, ttm_end_time, reported_at)
             VALUES ('i-1', 'vm1', '2013-11-07T23:49:56.9066Z', '2013-11-07T23:50:00Z', gen_random_uuid(), 'ttm.time_now',
                     '2013-11-07T23:49:56.9066Z', '2013-11-07T23:50:00Z', NULL, NULL, '2013-11-07T23:49:56.9066Z'),
                    ('i-2', NULL, '2013-11-07T22:00:00Z', '2013-11-07T22:50:00Z', gen_random_uuid(), 'ttm.metrics',
                     '2013-11-07T22:00:00Z', NULL, '2013-11-07T22:50:00Z', '2013-11-07T22:49:00', '2013-11-07T22:00:00Z'),
                    ('i-3', 'vm3', '2013-11-08T22:00:00Z', '2013-11-08T22:50:00Z', gen_random_uuid(), 'compute.instance.create.start',
                     NULL, NULL, NULL, NULL, NULL);
             INSERT INTO timing.recipe (instance_id, recipe_id, at, recipe, started_at, start_message, is_ttm)
             VALUES ('i-1', gen_random_uuid(), '2013-11-07T23:51:00Z', 'base::apt', '2013-11-07T23:51:00Z', 'go', true),
                    ('i-1', gen_random_uuid(), '2013-11-07T23:52:00Z', 'web', '2013-11-07T23:52:00Z', NULL, true)",
        )
        .await;
}

async fn kinds(server: &Server) -> Vec<String> {
    let log = server.ok("/v1/events").await;
    let items = log["items"].as_array().unwrap();
    items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_time_it_is() {
    let server = Server::start().await;
    let now = server.ok(&format!("{API}/time/now?at=2013-11-07T23:49:56Z")).await;
    assert_eq!(now, json!({"utcnow": "2013-11-07T23:49:56"}));
    let now = server.ok(&format!("{API}/time/now")).await;
    assert!(now["utcnow"].as_str().unwrap().parse::<jiff::civil::DateTime>().is_ok());
    assert!(kinds(&server).await.is_empty());

    // Both forms of the path report; TTM's callers put the id in quotes.
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
async fn instances_that_are_ttms() {
    let server = Server::start().await;
    instances(&server).await;
    let base = &server.base;
    assert_eq!(
        server.ok(&format!("{API}/instances")).await,
        json!({"instances": [
            {"instance_id": "i-1", "uri": format!("{base}{API}/instances/i-1/metrics")},
            {"instance_id": "i-2", "uri": format!("{base}{API}/instances/i-2/metrics")},
        ]})
    );
    assert_eq!(
        server.ok(&format!("{API}/instances/i-2")).await,
        json!({"exists": true, "start_time": "2013-11-07T22:00:00", "end_time": "2013-11-07T22:49:00",
               "instance_start_time": "2013-11-07T22:00:00"})
    );
    for unknown in ["i-3", "i-4"] {
        assert_eq!(
            server.ok(&format!("{API}/instances/{unknown}")).await,
            json!({"exists": false, "start_time": "", "end_time": "", "instance_start_time": ""})
        );
    }
    let url = server.url(&format!("{API}/instances/i-4?callback=jQuery_1&_=1384"));
    let response = server.http.get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/javascript");
    let script = response.text().await.unwrap();
    assert!(script.starts_with("jQuery_1({\"exists\":false,") && script.ends_with("});"));
    let problem = server.refused(&format!("{API}/instances/i-4?callback=alert(1)")).await;
    assert_eq!(
        (&problem["parameter"], &problem["error"]),
        (&json!("callback"), &problem["detail"])
    );

    let named = server.http.get(server.url(&format!("{API}/instances"))).header("host", "ttm:5082");
    assert_eq!(
        answer(named).await.1["instances"][0]["uri"],
        format!("http://ttm:5082{API}/instances/i-1/metrics")
    );
    let named = server.http.get(server.url(&format!("{API}/instances"))).header("host", "a/b");
    let (_, listed) = answer(named).await;
    assert_eq!(listed["instances"][0]["uri"], format!("{base}{API}/instances/i-1/metrics"));
}

#[tokio::test]
async fn metrics_are_read() {
    let server = Server::start().await;
    instances(&server).await;
    let references = server.ok(&format!("{API}/instances/i-1/metrics")).await;
    let id = references["metrics"][0]["id"].as_str().unwrap().to_owned();
    let uri = format!("{}{API}/metrics/{id}", server.base);
    assert_eq!(references, json!({"metrics": [{"id": id, "uri": uri}]}));
    assert_eq!(server.ok(&format!("{API}/instances/i-3/metrics")).await, json!({"metrics": []}));

    let metric = json!({
        "id": id, "instance_id": "i-1", "instance_name": "vm1",
        "start_time": "2013-11-07T23:49:56.906600", "instance_start_time": "2013-11-07T23:49:56.906600",
        "bootstrap_start_time": "2013-11-07T23:50:00", "end_time": "",
        "bootstrap_timeout": "False", "mute": "False",
        "recipes": {
            "base::apt": {"recipe_start_time": "2013-11-07T23:51:00", "start_msg": "go", "recipe_end_time": "", "end_msg": ""},
            "web": {"recipe_start_time": "2013-11-07T23:52:00", "start_msg": "", "recipe_end_time": "", "end_msg": ""},
        },
    });
    assert_eq!(
        server.ok(&format!("{API}/instances/i-1/getmetrics")).await,
        json!({"metric": metric})
    );
    assert_eq!(server.ok(&format!("{API}/metrics/{id}")).await, json!({"metric": metric}));
    let all = server.ok(&format!("{API}/metrics")).await;
    assert_eq!(all["metrics"].as_array().unwrap().len(), 2);
    assert_eq!(all["metrics"][0]["uri"], uri);
    let newest = server.ok(&format!("{API}/metrics?limit=1&_=1384")).await;
    assert_eq!(newest["metrics"].as_array().unwrap()[..], all["metrics"].as_array().unwrap()[..1]);
    for limit in ["0", "10001", "x"] {
        let problem = server.refused(&format!("{API}/metrics?limit={limit}")).await;
        assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("limit")));
    }
    assert_eq!(all["metrics"][1]["end_time"], "2013-11-07T22:49:00");
    for path in
        ["instances/i-4/getmetrics", "metrics/x", "metrics/00000000-0000-0000-0000-000000000000"]
    {
        let problem = server.refused(&format!("{API}/{path}")).await;
        assert_eq!((&problem["status"], &problem["error"]), (&json!(404), &json!("Not found")));
    }
}

#[tokio::test]
async fn a_metric_is_posted_as_the_readme_says() {
    let server = Server::start().await;
    instances(&server).await;
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
async fn a_start_that_was_posted_is_shown_as_it_was_sent() {
    let server = Server::start().await;
    instances(&server).await;
    server.execute("UPDATE timing.instance SET ttm_start_time = '2013-11-07 21:00:00+00:00' WHERE instance_id = 'i-2'").await;
    for (id, start, instance_start) in [
        ("i-1", "2013-11-07T23:49:56.906600", "2013-11-07T23:49:56.906600"),
        ("i-2", "2013-11-07 21:00:00+00:00", "2013-11-07T22:00:00"),
    ] {
        let metric = &server.ok(&format!("{API}/instances/{id}/getmetrics")).await["metric"];
        assert_eq!(
            (&metric["start_time"], &metric["instance_start_time"]),
            (&json!(start), &json!(instance_start))
        );
    }
}

/// Nobody projects here: what a call says is shown over what is known.
#[tokio::test]
async fn a_call_that_is_recorded_is_never_refused() {
    let server = Server::start().await;
    instances(&server).await;
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
    // What Nova told of an instance is known, too.
    assert_eq!(post("i-3/recipe/web", "").await["instance_name"], "vm3");
    assert_eq!(kinds(&server).await.len(), 4);
}

#[tokio::test]
async fn an_id_that_the_log_would_shorten_is_refused() {
    let server = Server::start().await;
    for length in [256, 5000] {
        let id = "i".repeat(length);
        for path in [
            format!("{id}/time/now"),
            format!("instances/{id}"),
            format!("instances/{id}/time/now"),
        ] {
            let problem = server.refused(&format!("{API}/{path}")).await;
            assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("id")));
        }
        for path in [
            format!("instances/{id}/recipe/web"),
            format!("instances/i/recipe/{id}"),
            format!("instances/{id}/metrics"),
        ] {
            let post = server.http.post(server.url(&format!("{API}/{path}")));
            assert_eq!(
                refused(post.body(r#"{"instance_name":"","end_time":""}"#)).await["status"],
                400
            );
        }
    }
    assert!(kinds(&server).await.is_empty());
    assert_eq!(server.get(&format!("{API}/instances/{}", "i".repeat(255))).await.0, 200);
}

#[tokio::test]
async fn whatever_is_refused_says_so_where_ttms_clients_look() {
    let server = Server::start().await;
    for request in [
        server.http.delete(server.url(&format!("{API}/instances"))),
        server.http.put(server.url(&format!("{API}/instances/i-1/metrics"))),
        server.http.get(server.url(&format!("{API}/nothing"))),
    ] {
        let problem = refused(request).await;
        assert_eq!(problem["error"], problem["detail"], "{problem}");
    }
    let problem = refused(server.http.delete(server.url("/v1/events"))).await;
    assert_eq!(problem.get("error"), None);
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
    // Stands for the projection: applies the event a while after it was appended.
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

#[tokio::test]
async fn recipes_are_posted_as_the_readme_says() {
    let server = Server::start().await;
    instances(&server).await;
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

    // Without a name: the one open recipe ends, once it is known which ones are open.
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

    // Its retry finds the recipe ended, by itself.
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

#[tokio::test]
async fn builds_that_have_not_ended() {
    let server = Server::start().await;
    let path = format!("{API}/incompletebuilds?at=2013-11-08T00:00:00.25Z");
    assert_eq!(
        server.ok(&path).await,
        json!({"instances": [], "Total_Instances": 0, "VMinPostBuildState": 0, "CurrentTime": "2013-11-08T00:00:00.250000"})
    );
    instances(&server).await;
    assert_eq!(
        server.ok(&path).await,
        json!({"instances": [{"instance_id": "i-1", "instance_start_time": "2013-11-07T23:49:56.906600"}],
               "Total_Instances": 2, "VMinPostBuildState": 1, "CurrentTime": "2013-11-08T00:00:00.250000"})
    );
    assert_eq!(server.refused(&format!("{API}/incompletebuilds?at=x")).await["parameter"], "at");
}
