//! The calls of a bootstrap in TTM's README, answered after the projection applies them.

use serde_json::{Value, json};

use crate::support::server::{Server, answer, refused};

const API: &str = "/ttm/api/v1.0";

#[tokio::test]
async fn a_bootstrap_reports_itself() {
    let server = Server::with_projector().await;
    let post = |path: &str, body: &'static str| {
        let form = "application/x-www-form-urlencoded";
        server
            .http
            .post(server.url(&format!("{API}{path}")))
            .header("content-type", form)
            .body(body)
    };
    let recipe = async |name: &str, body| {
        let (status, answered) = answer(post(&format!("/instances/i-1/recipe{name}"), body)).await;
        assert_eq!(status, 201, "{answered}");
        answered["metric"]["recipes"].clone()
    };

    server.ok(&format!("{API}/i-1/time/now")).await;
    server.ok(&format!("{API}/instances/i-1/time/now")).await;
    let started = recipe("/base::apt", "msg=go").await;
    assert_eq!(started["base::apt"]["start_msg"], "go");
    assert_eq!(started["base::apt"]["recipe_end_time"], "");
    recipe("/web", "").await;
    assert_eq!(refused(post("/instances/i-1/recipe", "msg=which")).await["status"], 409);
    let ended = recipe("/web", "msg=up").await;
    assert_eq!(ended["web"]["end_msg"], "up");
    let ended = recipe("", "msg=well").await;
    assert_eq!(ended["base::apt"]["end_msg"], "well");
    assert_ne!(ended["base::apt"]["recipe_end_time"], "");
    assert_eq!(refused(post("/instances/i-1/recipe", "")).await["status"], 404);

    let open = server.ok(&format!("{API}/incompletebuilds")).await;
    assert_eq!((&open["Total_Instances"], &open["VMinPostBuildState"]), (&json!(1), &json!(1)));
    assert_eq!(open["instances"][0]["instance_id"], "i-1");

    let posted = r#"{"instance_id":"i-1","instance_name":"vm","start_time":"","end_time":"2013-11-08T23:48:19.088958"}"#;
    let (status, answered) = answer(post("/instances/i-1/metrics", posted)).await;
    let metric = &answered["metric"];
    assert_eq!((status, &metric["instance_name"]), (201, &json!("vm")), "{answered}");
    assert_eq!(metric["end_time"], "2013-11-08T23:48:19.088958");
    for time in ["start_time", "instance_start_time", "bootstrap_start_time"] {
        assert_ne!(metric[time], "", "{time}");
    }
    let exists = server.ok(&format!("{API}/instances/i-1")).await;
    assert_eq!((&exists["exists"], &exists["start_time"]), (&json!(true), &metric["start_time"]));
    let open = server.ok(&format!("{API}/incompletebuilds")).await;
    assert_eq!((&open["Total_Instances"], &open["VMinPostBuildState"]), (&json!(1), &json!(0)));

    let shown = server.ok("/v1/instances/i-1").await;
    assert_eq!(shown["recipes"].as_array().unwrap().len(), 2);
    assert_ne!(shown["build"]["started_at"], Value::Null);
}

#[tokio::test]
async fn metrics_of_an_unknown_instance_create_it() {
    let server = Server::with_projector().await;
    let posted = r#"{"instance_name":"","end_time":""}"#;
    let (status, answered) = server.post(&format!("{API}/instances/new/metrics"), posted).await;
    assert_eq!((status, &answered["metric"]["instance_id"]), (201, &json!("new")), "{answered}");
    assert_eq!(server.ok(&format!("{API}/instances/new")).await["exists"], true);
}

#[tokio::test]
async fn calls_at_once_are_each_answered() {
    let server = Server::with_projector().await;
    let calls = (0..40).map(|n| {
        let path = format!("{API}/instances/i-{}/recipe/r{n}", n % 4);
        let server = &server;
        async move { server.post(&path, "msg=go").await }
    });
    for (n, (status, answered)) in futures_util::future::join_all(calls).await.iter().enumerate() {
        let recipe = &answered["metric"]["recipes"][format!("r{n}")];
        assert_eq!((*status, &recipe["start_msg"]), (201, &json!("go")), "{answered}");
    }
}

#[tokio::test]
async fn metrics_posted_again_without_a_start_keep_the_first_one() {
    let server = Server::with_projector().await;
    let path = "/ttm/api/v1.0/instances/i-1/metrics";
    let first = r#"{"instance_name": "vm", "start_time": "2026-11-20T03:00:00", "end_time": ""}"#;
    assert_eq!(server.post(path, first).await.0, 201);
    for start in ["", r#""start_time": "", "#, r#""start_time": null, "#] {
        let again =
            format!(r#"{{"instance_name": "vm", {start}"end_time": "2026-11-20T03:05:00"}}"#);
        let (status, answer) = server.post(path, again).await;
        assert_eq!((status, &answer["metric"]["start_time"]), (201, &json!("2026-11-20T03:00:00")));
        assert_eq!(answer["metric"]["end_time"], "2026-11-20T03:05:00");
    }
    let shown = server.ok("/v1/instances/i-1").await;
    let build = &shown["build"];
    assert_eq!((&build["status"], &build["duration_s"]), (&json!("complete"), &json!(300.0)));
}
