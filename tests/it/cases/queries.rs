//! The queries that the documents show to users, on samples of several hosts.

use std::path::Path;

use serde_json::{Value, json};

use super::import;
use crate::support::server::Server;

/// A query of a document, by its first line, and its rows as JSON. `P` is the first sample's position.
struct QueryAnswer {
    document: &'static str,
    first_line: &'static str,
    rows: Vec<Value>,
}

fn expected() -> Vec<QueryAnswer> {
    let query = |document, first_line, rows: Value| QueryAnswer {
        document,
        first_line,
        rows: rows.as_array().unwrap().clone(),
    };
    let day = |day: &str| format!("2026-11-{day}T00:00:00+00:00");
    vec![
        query(
            "docs/metering.md",
            "SELECT resource_id, counter_name, \"timestamp\", counter_volume FROM metering.sample",
            json!([{
                "resource_id": "bd9431c1-8d69-4ad3-803a-8d4a6b89fd36", "counter_name": "cpu_util",
                "timestamp": "2026-11-20T10:00:00+00:00", "counter_volume": 7,
            }]),
        ),
        query(
            "docs/metering.md",
            "SELECT \"timestamp\", counter_name, counter_volume FROM meter_samples",
            json!([
                {"timestamp": "2026-11-20T10:00:00+00:00", "counter_name": "cpu_util", "counter_volume": 5},
                {"timestamp": "2026-11-20T23:59:59+00:00", "counter_name": "cpu_util", "counter_volume": 6},
            ]),
        ),
        query(
            "docs/metering.md",
            "SELECT project_id, date_trunc('day', hour, 'UTC') AS day, max(total) AS mib",
            json!([
                {"project_id": "p", "day": day("20"), "mib": 6144},
                {"project_id": "p", "day": day("21"), "mib": 2048},
                {"project_id": "q", "day": day("20"), "mib": 1024},
            ]),
        ),
        query(
            "docs/metering.md",
            "SELECT project_id, resource_id, sum(CASE WHEN increase < 0 THEN counter_volume ELSE increase END) AS bytes",
            json!([
                {"project_id": "p", "resource_id": "tap-1", "bytes": 5_002_000_000_u64},
                {"project_id": "q", "resource_id": "tap-1", "bytes": 40},
            ]),
        ),
        query(
            "docs/export.md",
            "SELECT project_id, day, sum(size) AS gib",
            json!([
                {"project_id": "p", "day": "2026-11-20", "gib": 35},
                {"project_id": "p", "day": "2026-11-21", "gib": 10},
            ]),
        ),
    ]
}

/// Two hosts that poll at times of their own, and a controller.
fn bodies() -> Vec<String> {
    let mut bodies = vec![
        // The first was better than none, until a sample of a smaller id came.
        body(
            "b",
            "cpu_util",
            "p",
            "bd9431c1-8d69-4ad3-803a-8d4a6b89fd36",
            "20T10:00:00",
            7,
            "cn-a",
        ),
        body(
            "a",
            "cpu_util",
            "p",
            "bd9431c1-8d69-4ad3-803a-8d4a6b89fd36",
            "20T10:00:00",
            5,
            "cn-a",
        ),
        body(
            "c",
            "cpu_util",
            "p",
            "bd9431c1-8d69-4ad3-803a-8d4a6b89fd36",
            "20T23:59:59",
            6,
            "cn-a",
        ),
        body(
            "d",
            "cpu_util",
            "p",
            "bd9431c1-8d69-4ad3-803a-8d4a6b89fd36",
            "21T00:00:00",
            9,
            "cn-a",
        ),
    ];
    let mut add = |meter, project, resource, at: &str, volume: u64, host| {
        let id = format!("{meter} {project} {resource} {at} {host}");
        bodies.push(body(&id, meter, project, resource, at, volume, host));
    };
    for (resource, at, mib, host) in [
        ("vm-1", "20T10:00:10", 2048, "cn-a"),
        ("vm-2", "20T10:02:30", 2048, "cn-b"),
        ("vm-1", "20T10:30:10", 2048, "cn-a"),
        // One is resized, and the other migrates: both hosts poll it.
        ("vm-1", "20T11:00:10", 4096, "cn-a"),
        ("vm-2", "20T11:02:30", 2048, "cn-b"),
        ("vm-2", "20T11:05:10", 2048, "cn-a"),
        ("vm-1", "20T11:30:10", 4096, "cn-a"),
        ("vm-2", "21T08:00:10", 2048, "cn-a"),
    ] {
        add("memory", "p", resource, at, mib, host);
    }
    add("memory", "q", "vm-3", "20T10:02:30", 1024, "cn-b");
    for (at, bytes, host) in [
        ("19T23:50:10", 99_998_000_000, "cn-a"),
        ("20T10:00:10", 100_000_000_000, "cn-a"),
        ("20T10:05:10", 101_000_000_000, "cn-a"),
        ("20T10:07:30", 0, "cn-b"),
        ("20T10:10:10", 102_000_000_000, "cn-a"),
        ("20T10:12:30", 1_000_000_000, "cn-b"),
        ("20T10:15:10", 103_000_000_000, "cn-a"),
        ("20T10:17:30", 2_000_000_000, "cn-b"),
        ("21T10:00:30", 9_000_000_000, "cn-b"),
    ] {
        add("network.incoming.bytes", "p", "tap-1", at, bytes, host);
    }
    // Another tenant's interface of the same name, which restarts.
    for (at, bytes) in [("20T10:00:00", 100), ("20T10:10:00", 130), ("20T10:20:00", 10)] {
        add("network.incoming.bytes", "q", "tap-1", at, bytes, "cn-b");
    }
    for (resource, at, gib) in [
        ("volume-1", "20T10:00:01", 10),
        ("volume-1", "20T11:00:02", 15),
        ("volume-2", "20T10:00:03", 20),
        ("volume-1", "21T10:00:00", 10),
    ] {
        add("volume.size", "p", resource, at, gib, "ctl");
    }
    bodies
}

fn body(
    id: &str,
    meter: &str,
    project: &str,
    resource: &str,
    at: &str,
    volume: u64,
    host: &str,
) -> String {
    let at = format!("2026-11-{at}");
    let sample = json!({
        "source": "openstack", "counter_name": meter, "counter_type": "gauge", "counter_unit": "B",
        "counter_volume": volume, "user_id": "u", "project_id": project, "resource_id": resource,
        "timestamp": at, "message_id": id, "resource_metadata": {"instance_host": host},
        "message_signature": "",
    });
    json!({
        "message_id": id, "publisher_id": "ceilometer.polling", "event_type": "telemetry.polling",
        "priority": "SAMPLE", "timestamp": at, "payload": {"samples": [sample]},
    })
    .to_string()
}

/// Returns the queries in the SQL of the documents, each with its document, without its comments.
fn queries() -> Vec<(String, String)> {
    let mut files: Vec<_> =
        std::fs::read_dir("docs").unwrap().map(|file| file.unwrap().path()).collect();
    files.push(Path::new("README.md").to_owned());
    files.sort();
    let mut queries = Vec::new();
    for file in
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md"))
    {
        let text = std::fs::read_to_string(file).unwrap();
        for block in text.split("```sql\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let code = block.lines().filter(|line| !line.trim_start().starts_with("--"));
            let code = code.collect::<Vec<_>>().join("\n");
            let statements = code.split(';').map(str::trim);
            let selects = statements.filter(|statement| statement.starts_with("SELECT"));
            queries.extend(selects.map(|query| (file.display().to_string(), query.to_owned())));
        }
    }
    queries
}

#[tokio::test]
async fn every_query_of_the_documents() {
    let server = Server::with_projector().await;
    let bodies = bodies();
    for body in &bodies[..2] {
        import(&server, &[body]).await;
    }
    let rest: Vec<&str> = bodies[2..].iter().map(String::as_str).collect();
    import(&server, &rest).await;
    // As a BI tool connects.
    let client = server.db.superuser().await;
    client.batch_execute("SET ROLE stackledger_reader; SET TimeZone = 'UTC'").await.unwrap();
    let mut expected = expected();
    for (document, query) in queries() {
        let first_line = query.lines().next().unwrap();
        let place = expected
            .iter()
            .position(|of| (of.document, of.first_line) == (document.as_str(), first_line));
        let place =
            place.unwrap_or_else(|| panic!("{document}: no rows are expected of {first_line}"));
        let QueryAnswer { rows, .. } = expected.swap_remove(place);
        let query = query.replace("<= P", "<= 1").replace(" P <", " 1 <");
        let statement = format!("SELECT to_jsonb(t)::text FROM ({query}) AS t");
        let found = client.query(&statement, &[]).await.unwrap();
        let found: Vec<Value> =
            found.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect();
        assert_eq!(found, rows, "{document}: {query}");
    }
    let missing: Vec<&str> = expected.iter().map(|of| of.first_line).collect();
    assert!(missing.is_empty(), "the documents do not contain {missing:?}");
}
