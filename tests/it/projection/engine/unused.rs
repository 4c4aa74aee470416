//! Events that say nothing, or not all, that a read model can use are listed with the reason.

use serde_json::{Value, json};
use stackledger::config::File;

use crate::cases::import;
use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

const TIME: &str = "2026-11-20T01:00:00Z";

fn event(kind: &str, time: Option<&str>, data: &Value) -> String {
    let id = format!("{kind} {data}");
    json!({"specversion": "1.0", "id": id, "source": "chef", "type": kind, "time": time, "data": data}).to_string()
}

/// Read model, kind and reason of each, in their order.
async fn listed(server: &Server) -> Vec<Value> {
    let answer = server.ok("/v1/skipped").await;
    let items = answer["items"].as_array().unwrap().iter();
    let mut listed: Vec<Value> =
        items.map(|item| json!([item["projection"], item["kind"], item["reason"]])).collect();
    // A batch is stored family by family, so the positions are in another order than the bodies.
    listed.sort_by_key(ToString::to_string);
    listed
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_read_model_can_use_is_listed_with_its_reason() {
    let server = Server::with_projector_of(File::default()).await;
    let instance = json!({"instance_id": "i"});
    let too_long = "x".repeat(300);
    let bodies = [
        event("recipe.started", Some(TIME), &json!({"instance_id": "i", "recipe": "r"})),
        event("recipe.paused", Some(TIME), &instance),
        event("build.started", None, &instance),
        event("build.ended", Some(TIME), &json!({"instance_id": "i", "outcome": "maybe"})),
        event("recipe.started", Some(TIME), &json!({"instance_id": "i", "recipe": too_long})),
        event("perf.sampled", Some(TIME), &json!({"metrics": {"cpu": 1}})),
        event("perf.measured", Some(TIME), &json!({"host": "h", "metrics": {"cpu": 1}})),
        event("deployment.declared", Some(TIME), &json!({"name": "d"})),
        event("deployment.undone", Some(TIME), &json!({"deployment_id": "d"})),
        event(
            "instance.registered",
            Some(TIME),
            &json!({"instance_id": "i", "deployment_id": "d", "provides": [{}, "a", []]}),
        ),
        event("recpie.started", Some(TIME), &instance),
        json!({"event_type": "volume.create.end", "publisher_id": "volume.a", "message_id": "1", "payload": {}})
            .to_string(),
    ];
    import(&server, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let expected = [
        ["deployment", "unusable", "2 parts of its data cannot be read"],
        ["deployment", "unusable", "data.deployment_id is missing"],
        [
            "deployment",
            "unusable",
            "no event of the family deployment has the type deployment.undone",
        ],
        ["metering", "unusable", "no read model uses the type recpie.started"],
        ["rollup", "unusable", "data.host is missing"],
        ["rollup", "unusable", "no event of the family perf has the type perf.measured"],
        ["timing", "unusable", "data.outcome is neither success nor failure"],
        ["timing", "unusable", "it has no time from 2000 to 2099"],
        ["timing", "unusable", "its instance's id or its recipe's name is too long"],
        ["timing", "unusable", "no event of the family recipe has the type recipe.paused"],
    ];
    let expected = expected.map(|item| json!(item)).to_vec();
    assert_eq!(listed(&server).await, expected);

    let mut verify = command(&server.db, None);
    verify.args(["verify", "--read-models"]);
    succeed(verify).await;
    let mut replay = command(&server.db, None);
    replay.args(["replay", "--all"]);
    succeed(replay).await;
    wait_until_applied(&server.db).await;
    assert_eq!(listed(&server).await, expected);
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
}
