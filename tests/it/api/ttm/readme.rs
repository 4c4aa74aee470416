//! The calls of TTM's README, line by line, against the real program; and the same calls in another order.

use serde_json::{Value, json};

use crate::support::broker::broker;
use crate::support::cloud::{assert_verified, read_models};
use crate::support::database::database;
use crate::support::events;
use crate::support::process::Process;
use crate::support::projector::{project, wait_until_applied};
use crate::support::server::answer;

const API: &str = "/ttm/api/v1.0";

/// Sends `curl -X POST -d BODY`. The media type is a form's unless another one is given.
fn curl(url: &str, media_type: Option<&str>, body: &'static str) -> reqwest::RequestBuilder {
    let media_type = media_type.unwrap_or("application/x-www-form-urlencoded");
    reqwest::Client::new()
        .post(url)
        .header("user-agent", "curl/7.29.0")
        .header("accept", "*/*")
        .header("content-type", media_type)
        .body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_calls_are_answered_as_it_documents() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let url = |path: &str| format!("{}{API}{path}", process.url);
    let get = async |path: &str| {
        let (status, answered) = process.get(&format!("{API}{path}")).await;
        assert_eq!(status, 200, "{path}: {answered}");
        answered
    };

    // "Post Metrics requires", and its curl statement.
    let posted = r#"{"instance_id":"111111","instance_name":"nk111111","start_time":"2013-11-07T23:49:56.906600","end_time":"2013-11-08T23:48:19.088958"}"#;
    let (status, answered) =
        answer(curl(&url("/instances/111111/metrics"), Some("application/json"), posted)).await;
    assert_eq!(status, 201, "{answered}");
    let metric = answered["metric"].clone();
    for (member, value) in [
        ("instance_id", "111111"),
        ("instance_name", "nk111111"),
        ("start_time", "2013-11-07T23:49:56.906600"),
        ("end_time", "2013-11-08T23:48:19.088958"),
    ] {
        assert_eq!(metric[member], value, "{metric}");
    }
    assert_eq!(metric["recipes"], json!({}));

    // "Get Instance Metrics": its address, and the metric at that address.
    let references = get("/instances/111111/metrics").await;
    let id = metric["id"].as_str().unwrap();
    assert_eq!(references, json!({"metrics": [{"id": id, "uri": url(&format!("/metrics/{id}"))}]}));
    assert_eq!(get(&format!("/metrics/{id}")).await, answered);

    // "Check instance exists in TTM".
    let exists = get("/instances/111111").await;
    assert_eq!(exists["exists"], true);
    assert_eq!(exists["start_time"], "2013-11-07T23:49:56.906600");
    assert_eq!(exists["end_time"], "2013-11-08T23:48:19.088958");

    // "Create Metric", "Get time".
    for path in ["/222222/time/now", "/time/now"] {
        let now = get(path).await;
        let time = now["utcnow"].as_str().unwrap().parse::<jiff::civil::DateTime>();
        assert!(time.is_ok(), "{now}");
    }

    // "Get instances running in postbuild". (`time/now` waits for the log, not for the read models.)
    wait_until_applied(&db).await;
    let open = get("/incompletebuilds").await;
    assert_eq!((&open["Total_Instances"], &open["VMinPostBuildState"]), (&json!(2), &json!(1)));
    assert_eq!(open["instances"][0]["instance_id"], "222222");

    // "To Post recipe Information": a call with a name starts it, one without ends it.
    let recipe = url("/instances/222222/recipe/base");
    let (status, started) = answer(curl(&recipe, None, "msg=start_message")).await;
    let base = &started["metric"]["recipes"]["base"];
    assert_eq!((status, &base["start_msg"]), (201, &json!("start_message")), "{started}");
    assert_eq!(base["recipe_end_time"], "");
    let recipe = url("/instances/222222/recipe");
    let (status, ended) = answer(curl(&recipe, None, "msg=end_message")).await;
    let base = &ended["metric"]["recipes"]["base"];
    assert_eq!((status, &base["end_msg"]), (201, &json!("end_message")), "{ended}");
    assert_ne!(base["recipe_end_time"], "");

    // "List instances".
    let listed = get("/instances").await;
    let mut listed: Vec<&Value> =
        listed["instances"].as_array().unwrap().iter().map(|i| &i["instance_id"]).collect();
    listed.sort_by_key(|id| id.as_str());
    assert_eq!(listed, ["111111", "222222"]);

    // Another log gets the same calls in reverse order, each in a batch of its own.
    wait_until_applied(&db).await;
    let expected = read_models(&db).await;
    assert_verified(&db).await;
    drop(process);
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for row in db
        .client()
        .await
        .query("SELECT body FROM log.event ORDER BY position DESC", &[])
        .await
        .unwrap()
    {
        bodies.push(row.get(0));
    }
    assert_eq!(bodies.len(), 4);
    let other = database().await;
    let projecting = project(&other);
    for body in bodies {
        let event = stackledger::event::decode(body, None).unwrap();
        events::append(&other.database, &[event]).await;
        wait_until_applied(&other).await;
    }
    projecting.stop().await;
    assert_eq!(read_models(&other).await, expected);
}
