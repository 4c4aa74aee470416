//! Answers from the read model, and refusals.

use serde_json::json;

use super::rows::{API, insert_instances, kinds};
use crate::support::server::{Server, answer, refused};

#[tokio::test]
async fn instances_that_are_ttms() {
    let server = Server::start().await;
    insert_instances(&server).await;
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
    insert_instances(&server).await;
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
async fn a_start_that_was_posted_is_shown_as_it_was_sent() {
    let server = Server::start().await;
    insert_instances(&server).await;
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

#[tokio::test]
async fn builds_that_have_not_ended() {
    let server = Server::start().await;
    let path = format!("{API}/incompletebuilds?at=2013-11-08T00:00:00.25Z");
    assert_eq!(
        server.ok(&path).await,
        json!({"instances": [], "Total_Instances": 0, "VMinPostBuildState": 0, "CurrentTime": "2013-11-08T00:00:00.250000"})
    );
    insert_instances(&server).await;
    assert_eq!(
        server.ok(&path).await,
        json!({"instances": [{"instance_id": "i-1", "instance_start_time": "2013-11-07T23:49:56.906600"}],
               "Total_Instances": 2, "VMinPostBuildState": 1, "CurrentTime": "2013-11-08T00:00:00.250000"})
    );
    assert_eq!(server.refused(&format!("{API}/incompletebuilds?at=x")).await["parameter"], "at");
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
async fn a_problem_has_the_member_that_ttms_clients_read() {
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
