//! The cases by queue: what arrives over a broker becomes the same events as what is imported.

use std::collections::BTreeSet;
use std::path::Path;

use super::read_lines;
use crate::support::broker::{broker, declare_as_oslo, publish};
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;
use crate::support::process::{Process, command, succeed};
use crate::support::unique;

/// Returns the bodies of all cases, each once.
fn bodies() -> BTreeSet<String> {
    let files = std::fs::read_dir("fixtures/cases").unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let cases = names.filter_map(|name| name.strip_suffix(".ndjson").map(str::to_owned));
    cases.flat_map(|case| read_lines(&case)).collect()
}

/// Returns what the log contains, without the order and time of arrival.
async fn events(db: &TestDatabase) -> Vec<String> {
    db.rows(
        "SELECT id, family, kind, stream, project_id, occurred_at, source, body FROM log.event
         ORDER BY id, body",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_gives_the_same_events_by_queue_and_by_file() {
    let bodies = bodies();
    assert!(bodies.len() > 100, "{} bodies", bodies.len());
    let imported = database().await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("cases"));
    std::fs::write(&file, bodies.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
        .unwrap();
    let mut import = command(&imported, None);
    import.arg("import").arg(&file);
    succeed(import).await;
    std::fs::remove_file(file).unwrap();
    let expected = events(&imported).await;

    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    declare_as_oslo(&cloud, "ceilometer").await;
    let process = Process::start("consume", &db, &broker);
    eventually("the queues are bound", || async {
        let bindings = broker.ask("bindings").await.to_string();
        bindings.contains("\"nova\"") && bindings.contains("\"ceilometer\"")
    })
    .await;
    for body in &bodies {
        let (exchange, key) = match body.contains("counter_name") {
            true => ("ceilometer", "notifications.sample"),
            false => ("nova", "notifications.info"),
        };
        publish(&cloud, exchange, key, body.as_bytes(), &[]).await;
    }
    eventually("the log has as many events", || async {
        db.number("SELECT position FROM log.head").await == expected.len() as i64
    })
    .await;
    let stored = events(&db).await;
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored, expected);
    }
    assert_eq!(db.number("SELECT count(*) FROM log.dead_letter").await, 0);
    assert_eq!(process.terminate().await.0, Some(0));
}
