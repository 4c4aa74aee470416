//! Messages as real clouds send them, and the answers that they must lead to. Each case is a file of
//! `fixtures/cases`: one body a line, and the configuration beside it, unless the built-in one is meant.

mod builds;
mod clocks;
mod counters;
mod deletions;
mod deployments;
mod division;
mod evidence;
mod failed_calls;
mod hosts;
mod increases;
mod long_ids;
mod names;
mod negative;
mod owners;
mod queries;
mod queue;
mod requests;
mod states;
mod volume_types;

use std::path::Path;

use serde_json::{Value, json};
use stackledger::config::File;

use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;
use crate::support::unique;

/// Imports the lines of a case into a log of its own and checks the answers, as [`run_lines`] does.
pub async fn run(case: &str, check: impl AsyncFn(&Server)) {
    let path = format!("fixtures/cases/{case}.toml");
    let config = std::fs::read_to_string(path).unwrap_or_default();
    run_bodies(&read_lines(case), &config, check).await;
}

/// As [`run_bodies`], with the built-in configuration.
pub async fn run_lines(lines: &[String], check: impl AsyncFn(&Server)) {
    run_bodies(lines, "", check).await;
}

/// Imports bodies into a log of their own and checks the answers: in the given order; in the reverse order,
/// each twice; and shuffled, a few at a time.
pub async fn run_bodies(lines: &[impl AsRef<str>], config: &str, check: impl AsyncFn(&Server)) {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    let reversed: Vec<&str> = lines.iter().rev().flat_map(|line| [*line, *line]).collect();
    let mut shuffled = lines.clone();
    // By a part of the text that differs between any two lines, in the order of its bytes backwards.
    shuffled.sort_by_key(|line| line.bytes().rev().collect::<Vec<u8>>());
    for (bodies, each) in [(lines, usize::MAX), (reversed, usize::MAX), (shuffled, 20)] {
        let server = Server::with_projector_of(config.parse::<File>().unwrap()).await;
        for part in bodies.chunks(bodies.len().min(each)) {
            import(&server, part).await;
        }
        check(&server).await;
        // Its connections are closed before the next one's are opened.
        server.stop.cancel();
        server.served.await.unwrap().unwrap();
    }
}

/// Returns the lines of a case.
pub fn read_lines(case: &str) -> Vec<String> {
    let path = format!("fixtures/cases/{case}.ndjson");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(str::to_owned).collect()
}

/// Imports bodies with the program itself, and waits until they are projected.
pub async fn import(server: &Server, bodies: &[&str]) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("case"));
    std::fs::write(&file, bodies.join("\n")).unwrap();
    let mut import = command(&server.db, None);
    import.arg("import").arg(&file);
    succeed(import).await;
    std::fs::remove_file(file).unwrap();
    wait_until_applied(&server.db).await;
}

/// `resource service volume` of a tenant's usage between two times.
pub async fn usage(server: &Server, tenant: &str, start: &str, end: &str) -> Vec<String> {
    let answer = server.ok(&format!("/get_usage?tenant={tenant}&start={start}&end={end}")).await;
    let resources = answer["usage"]["resources"].as_object().unwrap().iter();
    let shown = resources.flat_map(|(id, resource)| {
        let services = resource["services"].as_array().unwrap().iter();
        services.map(move |service| {
            let text = |key: &str| service[key].as_str().unwrap().to_owned();
            format!("{id} {} {}", text("name"), text("volume"))
        })
    });
    shown.collect()
}

/// The body of a poll that contains one sample, of a time such as `2026-11-20T10:00:00`.
pub fn polled(
    meter: &str,
    project_id: &str,
    resource_id: &str,
    at: &str,
    volume: u32,
    metadata: &Value,
) -> String {
    let id = format!("{meter}-{project_id}-{resource_id}-{at}");
    let unit = if meter == "vcpus" { "vcpu" } else { "GiB" };
    json!({
        "event_type": "telemetry.polling", "publisher_id": "ceilometer.polling",
        "timestamp": at, "message_id": id,
        "payload": {"samples": [{
            "counter_name": meter, "counter_type": "gauge", "counter_unit": unit,
            "counter_volume": volume, "user_id": "u", "project_id": project_id,
            "resource_id": resource_id, "source": "openstack", "timestamp": at,
            "message_id": id, "resource_metadata": metadata,
        }]},
    })
    .to_string()
}

/// Issues the order of a tenant up to a date.
pub async fn order(server: &Server, tenant: &str, end: &str) -> Value {
    let body = json!({"tenant": tenant, "end": end});
    let (status, order) = server.post("/sales_order", body.to_string()).await;
    assert_eq!(status, 200, "{order}");
    order
}

/// Asserts that each issued order is computed again from its samples to the same bytes.
pub async fn assert_verified(server: &Server, config: &str) {
    let report = server.verified(&config.parse::<File>().unwrap()).await;
    assert!(report.fault.is_none(), "{report:?}");
}

/// Computes the draft of a tenant up to a time.
pub async fn draft(server: &Server, tenant: &str, end: &str) -> Value {
    let body = json!({"tenant": tenant, "end": end, "at": "2026-11-30T00:00:00Z"});
    let (status, draft) = server.post("/sales_draft", body.to_string()).await;
    assert_eq!(status, 200, "{draft}");
    draft
}
