//! `stackledger export`: the real program with real databases of both kinds.

mod csv;
mod faults;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::database::database;
use crate::support::events::append;
use crate::support::metering::{MeteringDatabase, metering_database};
use crate::support::process::{command, run, succeed};
use crate::support::projector::{project, wait_until_applied};
use crate::support::samples::{polled, sample, with};
use crate::support::target::OtherDatabase;
use crate::support::unique;

/// Builds `stackledger export` with these arguments and this section `[export]`.
fn export(from: &MeteringDatabase, configuration: &str, arguments: &[&str]) -> Command {
    let mut export = command(&from.db, None);
    export.arg("export").args(arguments).env("STACKLEDGER_CONFIG", file_of(configuration));
    export
}

/// Returns the file of a configuration: one per text, so that the next run finds it again.
fn file_of(configuration: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(configuration);
    let file = folder.join(format!("export-{hash:x}.toml"));
    if !file.exists() {
        // The file appears as a whole, because other tests may read it.
        let temporary = folder.join(unique("export"));
        std::fs::write(&temporary, format!("[export]\n{configuration}")).unwrap();
        std::fs::rename(&temporary, &file).unwrap();
    }
    file
}

/// Exports once. Returns the output.
async fn once(from: &MeteringDatabase, to: &OtherDatabase, configuration: &str) -> String {
    succeed(export(from, configuration, &["--once", "--to", to.url()])).await
}

/// Runs an export that must fail with exit code 1 and one line on stderr, which it returns.
async fn refused(export: Command) -> String {
    let output = run(export).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    error
}

async fn equals_the_read_model(to: OtherDatabase) {
    let mut from = metering_database().await;
    from.add_samples(300, 20).await;
    let output = once(&from, &to, "batch = 500").await;
    assert!(output.contains("6000 samples written") && output.contains("position 300"), "{output}");
    assert_eq!(to.rows().await, from.rows("true").await);
    assert_eq!(to.sums().await, from.sums().await);

    // Later samples, and samples that better ones supersede.
    from.supersede(700).await;
    from.add_samples(50, 3).await;
    from.supersede(30).await;
    once(&from, &to, "batch = 500").await;
    assert_eq!(to.rows().await, from.rows("true").await);
    assert_eq!(to.sums().await, from.sums().await);

    let output = once(&from, &to, "batch = 500").await;
    assert!(output.contains(": 0 samples written, 0 superseded"), "{output}");
    assert_eq!(to.position().await, from.position);
}

#[tokio::test]
async fn a_postgresql_equals_the_read_model() {
    equals_the_read_model(OtherDatabase::postgres().await).await;
}

#[tokio::test]
async fn a_mariadb_equals_the_read_model() {
    equals_the_read_model(OtherDatabase::mariadb().await).await;
}

/// From the log through the projection, with a sample that two messages contain; and a replay between two
/// exports changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_follows_the_projection() {
    let from = MeteringDatabase { db: database().await, position: 0 };
    let send = async |number: u32| {
        let samples: Vec<Value> = (0..30)
            .map(|nth| sample(number * 30 + nth, "r", json!(f64::from(nth) / 7.0)))
            .collect();
        let again = with(
            samples[3].clone(),
            &json!({"message_id": format!("0-{number}"), "counter_volume": "1e-05"}),
        );
        let id = u128::from(number) * 2;
        append(&from.db.database, &[polled(id, &samples), polled(id + 1, &[again])]).await;
    };
    let projecting = project(&from.db);
    let targets = [OtherDatabase::postgres().await, OtherDatabase::mariadb().await];
    for number in 0..4 {
        send(number).await;
        wait_until_applied(&from.db).await;
        for to in &targets {
            once(&from, to, "batch = 7").await;
            assert_eq!(to.rows().await, from.rows("true").await);
        }
    }
    projecting.stop().await;
    let mut replay = command(&from.db, None);
    replay.args(["replay", "metering"]);
    succeed(replay).await;
    for to in &targets {
        let output = once(&from, to, "").await;
        assert!(output.contains(": 0 samples written"), "{output}");
        assert_eq!(to.sums().await, from.sums().await);
        assert_eq!(to.rows().await.len(), 120);
    }
}

/// A filter for two projects and `disk.*` selects exactly these samples.
#[tokio::test]
async fn a_selection_gives_exactly_what_it_selects() {
    let mut from = metering_database().await;
    from.add_samples(200, 16).await;
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        let two = "[[export.select]]\nproject_id = ['project-1', 'project-2']\nmeters = ['disk.*']";
        once(&from, &to, two).await;
        let selected = "project_id IN ('project-1', 'project-2') AND counter_name LIKE 'disk.%'";
        let rows = from.rows(selected).await;
        assert!(rows.len() > 100, "{}", rows.len());
        assert_eq!(to.rows().await, rows);
    }
    // Several filters: a sample that any of them selects.
    let to = OtherDatabase::postgres().await;
    let several = "[[export.select]]\nmeters = ['cpu']\nmetadata = { 'flavor.name' = 'm1.small' }\n\
                   [[export.select]]\nresource_id = ['resource-3']\n\
                   [[export.select]]\nmetadata = { 'flavor.name' = 'm1.large' }\nproject_id = ['project-4']";
    once(&from, &to, several).await;
    let selected =
        "counter_name = 'cpu' AND metadata_id::text LIKE '%1' OR resource_id = 'resource-3'
                    OR metadata_id::text LIKE '%2' AND project_id = 'project-4'";
    assert_eq!(to.rows().await, from.rows(selected).await);
}

#[tokio::test]
async fn another_selection_begins_anew_when_asked_to() {
    let mut from = metering_database().await;
    from.add_samples(50, 8).await;
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        once(&from, &to, "").await;
        let cpu = "[[export.select]]\nmeters = ['cpu']";
        let error = refused(export(&from, cpu, &["--once", "--to", to.url()])).await;
        assert!(error.contains("another selection") && error.contains("--from-start"), "{error}");
        assert_eq!(to.rows().await, from.rows("true").await);

        succeed(export(&from, cpu, &["--once", "--from-start", "--to", to.url()])).await;
        assert_eq!(to.rows().await, from.rows("counter_name = 'cpu'").await);
    }
}

/// Our own database has a view with the name of the table.
#[tokio::test]
async fn a_view_is_not_written_to() {
    let mut from = metering_database().await;
    from.add_samples(1, 1).await;
    let error = refused(export(&from, "", &["--once", "--to", &from.db.url])).await;
    assert!(error.contains("it is a view: name another table"), "{error}");
    let to = OtherDatabase::mariadb().await;
    to.execute("CREATE VIEW meter_samples AS SELECT 1").await;
    let error = refused(export(&from, "", &["--once", "--to", to.url()])).await;
    assert!(error.contains("it is a view: name another table"), "{error}");
    let beside = "table = 'exported_samples'";
    succeed(export(&from, beside, &["--once", "--to", &from.db.url])).await;
}

/// A row that was there before any export belongs to somebody else.
#[tokio::test]
async fn rows_of_somebody_else_are_left_alone() {
    let mut from = metering_database().await;
    from.add_samples(10, 4).await;
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        to.execute(
            "CREATE TABLE meter_samples (
                 counter_name varchar(255), counter_type varchar(255), counter_unit varchar(255),
                 counter_volume numeric(40, 20), message_id varchar(255) PRIMARY KEY, project_id varchar(255),
                 resource_id varchar(255), source varchar(255), timestamp timestamp(6))",
        )
        .await;
        to.execute("INSERT INTO meter_samples (message_id) VALUES ('theirs')").await;
        let error = refused(export(&from, "", &["--once", "--to", to.url()])).await;
        assert!(error.contains("contains rows that no export wrote"), "{error}");

        // An empty table with the right columns is accepted.
        to.execute("DELETE FROM meter_samples").await;
        once(&from, &to, "").await;
        assert_eq!(to.rows().await, from.rows("true").await);
    }
}

#[tokio::test]
async fn a_replaced_read_model_is_noticed() {
    let mut from = metering_database().await;
    from.add_samples(10, 4).await;
    let to = OtherDatabase::postgres().await;
    once(&from, &to, "").await;
    for (change, reason) in [
        ("UPDATE projection.checkpoint SET version = 2", "the read model was made anew"),
        ("UPDATE projection.checkpoint SET version = 1, position = 5", "the read model only at 5"),
    ] {
        from.db.superuser().await.batch_execute(change).await.unwrap();
        let error = refused(export(&from, "", &["--once", "--to", to.url()])).await;
        assert!(error.contains(reason) && error.contains("--from-start"), "{error}");
    }
    let other = {
        let mut other = metering_database().await;
        other.add_samples(20, 1).await;
        other
    };
    other
        .db
        .superuser()
        .await
        .batch_execute("SET session_replication_role = replica; ALTER TABLE log.batch DISABLE TRIGGER ALL; UPDATE log.batch SET hash = sha256('other')")
        .await
        .unwrap();
    let error = refused(export(&other, "", &["--once", "--to", to.url()])).await;
    assert!(error.contains("the samples of another log"), "{error}");
}

/// Senders choose message ids: two samples with one id are still two samples.
#[tokio::test]
async fn all_samples_of_one_id_are_exported() {
    let mut from = metering_database().await;
    from.add_samples(6, 8).await;
    let same = "UPDATE metering.sample SET message_id = 'id ' || position % 2";
    from.db.client().await.execute(same, &[]).await.unwrap();
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        once(&from, &to, "batch = 10").await;
        assert_eq!(to.sums().await, from.sums().await);
    }
}

/// Resources may have ids of up to 1024 bytes: a container of Swift has its name in it.
#[tokio::test]
async fn long_ids_are_exported_as_they_were_sent() {
    let mut from = metering_database().await;
    from.add_samples(2, 2).await;
    let long = "UPDATE metering.sample SET resource_id = rpad('project/' || resource_id, 512, 'ž'),
                project_id = rpad('p', 1024, 'q')";
    from.db.client().await.execute(long, &[]).await.unwrap();
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        once(&from, &to, "").await;
        assert_eq!(to.rows().await, from.rows("true").await);
    }
}

/// Increases of one resource, meter and time are of one identity only if their volumes are equal.
#[tokio::test]
async fn increases_of_one_time_are_rows_of_their_own() {
    let mut from = metering_database().await;
    from.add_samples(1, 1).await;
    let more = r#"INSERT INTO metering.sample
        SELECT s."timestamp", s.project_id, s.resource_id, s.counter_name, 'delta', s.counter_unit, n,
               s.user_id, s.source, 'same id', s.trusted, s.metadata_id, s.event_id, s.position, n
        FROM metering.sample AS s, generate_series(1, 3) AS n"#;
    from.db.client().await.execute(more, &[]).await.unwrap();
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        once(&from, &to, "").await;
        assert_eq!(to.sums().await, from.sums().await);
    }
}

#[tokio::test]
async fn status_shows_how_far_it_is() {
    let mut from = metering_database().await;
    from.add_samples(10, 4).await;
    let to = OtherDatabase::postgres().await;
    once(&from, &to, "").await;
    from.add_samples(7, 1).await;
    let status = succeed({
        let mut status = command(&from.db, None);
        status.args(["status", "--json"]).env("AMQP_URL", "amqp://127.0.0.1:1");
        status
    })
    .await;
    let status: Value = serde_json::from_str(&status).unwrap();
    let export = &status["exports"][0];
    assert_eq!(export["target"], to.url());
    assert_eq!(export["table"], "meter_samples");
    assert_eq!((&export["position"], &export["lag_events"]), (&10.into(), &7.into()));
    assert_eq!(export["error"], Value::Null);
    let shown = succeed({
        let mut status = command(&from.db, None);
        status.arg("status").env("AMQP_URL", "amqp://127.0.0.1:1");
        status
    })
    .await;
    assert!(shown.contains("meter_samples        10           7"), "{shown}");
}

#[tokio::test]
async fn wrong_usage_is_named() {
    let from = metering_database().await;
    for (arguments, configuration, named) in [
        (&["--once"][..], "", "EXPORT_URL is not set"),
        (&["--to", "sqlite://x/y"], "", "--to=sqlite://x/y: postgresql://"),
        (&["--to", "mysql://u:geheim@h"], "", "--to=mysql://u:***@h: mysql://"),
        (&["--to", "mysql://u@h/d", "--output", "x"], "", "requires --format csv"),
        (&["--format", "csv", "--follow"], "", "is accepted only with --once"),
        (&["--from-start"], "", "--once"),
        (&["--once"], "table = 'No such'", "export.table"),
        (&["--once"], "url = 'nonsense'", "export.url=nonsense: postgresql://"),
    ] {
        let output = run(export(&from, configuration, arguments)).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(named) && !error.contains("geheim"), "{arguments:?}: {error}");
        assert_eq!(output.status.code(), Some(2), "{error}");
    }
}
