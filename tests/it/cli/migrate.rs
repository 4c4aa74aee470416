//! The schema and the program: which may be newer than the other, and two migrations at once.

use crate::support::broker::broker;
use crate::support::database::{TestDatabase, database, empty_database};
use crate::support::eventually;
use crate::support::process::{command, run, succeed};

/// Runs a command that fails with exit code 1, and returns the one line that it prints.
async fn refused(db: &TestDatabase, arguments: &[&str]) -> String {
    let mut refused = command(db, None);
    refused.args(arguments);
    let output = run(refused).await;
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{arguments:?}: {line}");
    line
}

const NEED_THE_SCHEMA: [&[&str]; 8] = [
    &["consume"],
    &["project"],
    &["serve"],
    &["replay", "--all"],
    &["verify"],
    &["import", "-"],
    &["dead-letters", "list"],
    &["status"],
];

#[tokio::test]
async fn migrating_twice_changes_nothing_the_second_time() {
    let db = empty_database().await;
    let migrate = || {
        let mut migrate = command(&db, None);
        migrate.arg("migrate");
        succeed(migrate)
    };
    let output = migrate().await;
    assert!(
        output.lines().all(|line| line.starts_with("applied V")) && output.contains("V1__log"),
        "{output}"
    );
    let history = db.rows("SELECT * FROM refinery_schema_history").await;
    assert_eq!(migrate().await, "the schema was up to date\n");
    assert_eq!(db.rows("SELECT * FROM refinery_schema_history").await, history);
}

/// The settings of the database, of which the statements must not depend: each changes what a literal means.
#[tokio::test]
async fn the_settings_of_the_database_change_nothing() {
    let db = empty_database().await;
    let superuser = db.superuser().await;
    let name: String = superuser.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    for setting in [
        "standard_conforming_strings = off",
        "backslash_quote = off",
        "array_nulls = off",
        "DateStyle = 'SQL, DMY'",
    ] {
        superuser.batch_execute(&format!("ALTER DATABASE {name} SET {setting}")).await.unwrap();
    }
    let ran = |arguments: &'static [&str]| {
        let mut command = command(&db, None);
        command.args(arguments);
        succeed(command)
    };
    assert!(ran(&["migrate"]).await.starts_with("applied V1__log"));
    assert_eq!(ran(&["migrate"]).await, "the schema was up to date\n");
    assert!(
        ran(&["import", "fixtures/meter/file-publisher-repr.txt"]).await.contains("1 new events")
    );
    ran(&["replay", "--all"]).await;
    assert!(ran(&["verify", "--read-models"]).await.contains("the same when rebuilt"));
}

/// Both wait for the lock; then one migrates, and the other finds the schema up to date.
#[tokio::test]
async fn of_two_migrations_at_once_one_waits() {
    let db = empty_database().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute("SELECT pg_advisory_lock(hashtext('stackledger.migrate'))")
        .await
        .unwrap();
    let start = || {
        let mut migrate = command(&db, None);
        migrate.arg("migrate");
        tokio::spawn(succeed(migrate))
    };
    let both = [start(), start()];
    eventually("both wait", || async {
        db.number(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND
                   database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await
            == 2
    })
    .await;
    assert_eq!(
        db.number("SELECT count(*) FROM pg_class WHERE relname = 'refinery_schema_history'").await,
        0
    );
    superuser
        .batch_execute("SELECT pg_advisory_unlock(hashtext('stackledger.migrate'))")
        .await
        .unwrap();
    let mut outputs = Vec::new();
    for migrate in both {
        outputs.push(migrate.await.unwrap());
    }
    outputs.sort();
    assert!(outputs[0].starts_with("applied V1__log"), "{outputs:?}");
    assert_eq!(outputs[1], "the schema was up to date\n");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let db = database().await;
    db.superuser()
        .await
        .batch_execute(
            "INSERT INTO refinery_schema_history
             VALUES (999, 'of_the_future', '2030-01-01T00:00:00Z', '0')",
        )
        .await
        .unwrap();
    let migrating: [&[&str]; 2] = [&["migrate"], &["up"]];
    for arguments in migrating.into_iter().chain(NEED_THE_SCHEMA) {
        let line = refused(&db, arguments).await;
        assert!(
            line.starts_with(
                "stackledger: the database's schema has version 999, but this program supports versions up to "
            ) && line.ends_with(": use a newer stackledger\n"),
            "{arguments:?}: {line}"
        );
    }
}

#[tokio::test]
async fn an_older_schema_or_none_names_the_command_to_run() {
    let (older, none) = (database().await, empty_database().await);
    older
        .superuser()
        .await
        .batch_execute(
            "DELETE FROM refinery_schema_history
             WHERE version = (SELECT max(version) FROM refinery_schema_history)",
        )
        .await
        .unwrap();
    for db in [&older, &none] {
        for arguments in NEED_THE_SCHEMA {
            assert_eq!(
                refused(db, arguments).await,
                "stackledger: the database's schema is older than this program: run `stackledger migrate`\n"
            );
        }
    }
    // `up` migrates by itself.
    let broker = broker().await;
    let process = crate::support::process::Process::start("up", &none, &broker);
    process.wait_until_ready().await;
}
