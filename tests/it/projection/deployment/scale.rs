//! Many deployments, whose events come out of order and twice.

use serde_json::json;
use stackledger::event::{self, Event};

use super::events;
use crate::support::cloud::assert_verified;
use crate::support::events::append;
use crate::support::is_long;
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

/// Returns the events of a deployment of `instances` × 3 services.
fn deployment(number: u32, instances: u32) -> Vec<Event> {
    let id = format!("d-{number}");
    let names: Vec<String> = (0..instances).map(|nth| format!("{id}-i-{nth}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut all = vec![events::declared(0, &id, &names)];
    for (nth, name) in (0..).zip(&names) {
        // Each waits for the one before it.
        let before = names[usize::saturating_sub(nth, 1)];
        let service = |service: &str| {
            json!({"name": service, "parameters": [
                {"name": "ip", "from": {"instance_id": before, "parameter": "ip"}},
                {"name": "up", "from": {"instance_id": before, "service": "a"}}]})
        };
        let services = ["a", "b", "c"].map(service);
        let registered = json!({"instance_id": name, "deployment_id": id, "assembly": "app",
            "services": services, "provides": ["ip"]});
        let provided = json!({"instance_id": name, "parameters": {"ip": "10.0.0.1"}});
        all.push(events::event(1, "instance.registered", registered));
        all.push(events::event(2, "instance.contacted", json!({"instance_id": name})));
        all.push(events::event(3, "instance.parameters.provided", provided));
        for service in ["a", "b", "c"] {
            all.push(events::started(4, name, service));
            let code = if number.is_multiple_of(5) && nth == 1 { "1" } else { "0" };
            all.push(events::ended(5 + nth as u32, name, service, code));
        }
    }
    all.iter().map(|one| event::decode(one.to_string().into_bytes(), None).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_many_deployments_makes_the_same_rows() {
    let (deployments, instances) = if is_long() { (1000, 20) } else { (20, 4) };
    let server = Server::with_projector().await;
    let all: Vec<Event> =
        (0..deployments).flat_map(|number| deployment(number, instances)).collect();
    // Every seventh event, from the seventh on; then the one before each of them, and so on: the events of a
    // deployment come in pieces, mostly the last piece first.
    for nth in (0..7).rev() {
        let part: Vec<Event> = all.iter().skip(nth).step_by(7).cloned().collect();
        for batch in part.chunks(2000) {
            append(&server.db.database, batch).await;
            append(&server.db.database, &batch[..batch.len() / 10]).await;
        }
    }
    wait_until_applied(&server.db).await;
    let count =
        |status| format!("SELECT count(*) FROM deployment.deployment WHERE status = '{status}'");
    assert_eq!(server.db.number(&count("error")).await, i64::from(deployments) / 5);
    assert_eq!(server.db.number(&count("success")).await, i64::from(deployments) * 4 / 5);
    let facts = server.db.number("SELECT count(*) FROM deployment.fact").await;
    assert_eq!(facts, all.len() as i64);
    let report = server.ok("/v1/deployments/d-1").await;
    assert_eq!(report["instances"].as_array().unwrap().len(), instances as usize);
    assert_eq!((&report["state"], &report["unresolved"]), (&json!("complete"), &json!([])));
    assert_verified(&server.db).await;
}
