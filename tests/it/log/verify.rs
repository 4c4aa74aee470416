//! Promise 3: the database refuses changes to the log, and `verify` finds those made behind its back.

use futures_util::TryStreamExt;
use stackledger::event::{Event, Family};
use stackledger::log::{self, Report, verify};
use stackledger::projection;

use crate::support::database::{TestDatabase, database};
use crate::support::events::{append, event, events};

/// An event with a value in every column.
fn full(family: Family) -> Event {
    let bad_signatures = Some(vec![0, 7]);
    Event { project_id: Some("p".to_owned()), bad_signatures, ..event(family, 1000) }
}

/// An event with as few values as possible.
fn bare(family: Family) -> Event {
    Event {
        stream: None,
        occurred_at: None,
        key_at: None,
        redacted: true,
        bad_signatures: Some(Vec::new()),
        body: vec![0, 255, b'{'],
        ..event(family, 1001)
    }
}

/// A log of 60 events in six batches.
async fn filled() -> TestDatabase {
    let db = database().await;
    for batch in 0..6 {
        append(&db.database, &events(batch * 10, 10)).await;
    }
    db
}

async fn report(db: &TestDatabase, against: &[log::Anchor]) -> Report {
    let mut client = db.client().await;
    let applied = projection::applied_positions(&client).await.unwrap();
    verify(&mut client, against, &applied, |_| {}).await.unwrap()
}

/// Tampers with the log, then returns the position that `verify` reports.
async fn position_after(tampering: &str) -> i64 {
    let db = filled().await;
    assert_eq!(report(&db, &[]).await.fault, None);
    tamper(&db, tampering).await;
    let fault = report(&db, &[]).await.fault;
    fault.unwrap_or_else(|| panic!("not found: {tampering}")).position
}

/// Tampers as a superuser who has disabled the triggers.
async fn tamper(db: &TestDatabase, sql: &str) {
    let superuser = db.superuser().await;
    superuser
        .batch_execute(&format!(
            "ALTER TABLE log.event_other DISABLE TRIGGER ALL; ALTER TABLE log.batch DISABLE TRIGGER ALL;
             ALTER TABLE log.head DISABLE TRIGGER ALL; {sql}"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_untouched_log_verifies() {
    let db = filled().await;
    let report = report(&db, &[]).await;
    assert_eq!((report.fault, report.events, report.batches, report.position), (None, 60, 6, 60));
    let empty = verify(&mut database().await.client().await, &[], &[], |_| {}).await.unwrap();
    assert_eq!((empty.fault, empty.position), (None, 0));
}

/// Computes the chain as docs/log.md describes, from nothing but the output of PostgreSQL's COPY.
#[tokio::test]
async fn the_chain_follows_from_the_output_of_copy() {
    let db = database().await;
    for family in Family::ALL {
        append(&db.database, &[full(family), bare(family)]).await;
    }
    append(&db.database, &events(0, 10)).await;
    assert_eq!(report(&db, &[]).await.fault, None);

    let client = db.superuser().await;
    let copied = async |columns: &str, table: &str, condition: &str| {
        let select = format!("SELECT {columns} FROM log.{table} WHERE {condition}");
        let copy = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        let copied: Vec<_> = client.copy_out(&copy).await.unwrap().try_collect().await.unwrap();
        let copied = copied.concat();
        copied[21..copied.len() - 2].to_vec()
    };
    let (mut chain, mut positions) = ([0; 32], 0);
    for batch in client.query("SELECT * FROM log.batch ORDER BY batch", &[]).await.unwrap() {
        let mut before = [0; 32];
        for position in batch.get::<_, i64>("first_position")..=batch.get("last_position") {
            let columns = "id, family, kind, stream, project_id, occurred_at, key_at, recorded_at, source, redacted,
                           bad_signatures, body";
            let row = copied(columns, "event", &format!("position = {position}")).await;
            before = blake3::keyed_hash(&before, &row).into();
            let sql = "SELECT hash FROM log.event WHERE position = $1";
            let stored = client.query_one(sql, &[&position]).await.unwrap();
            assert_eq!(stored.get::<_, &[u8]>(0), before, "position {position}");
            positions += 1;
        }
        assert_eq!(batch.get::<_, &[u8]>("digest"), before);
        let columns =
            "batch, leaf, family, first_position, last_position, bytes, digest, recorded_at";
        let number: i64 = batch.get("batch");
        let link = copied(columns, "batch", &format!("batch = {number}")).await;
        chain = blake3::keyed_hash(&chain, &link).into();
        assert_eq!(batch.get::<_, &[u8]>("hash"), chain, "batch {number}");
    }
    assert_eq!(positions, 2 * Family::ALL.len() + 10);
}

#[tokio::test]
async fn a_changed_row_is_named() {
    for column in [
        "body = 'x'",
        "kind = 'x'",
        "stream = NULL",
        "project_id = 'x'",
        "source = 'x'",
        "redacted = true",
        "bad_signatures = '{}'",
        "bad_signatures = '{7}'",
        "occurred_at = now()",
        "occurred_at = '20000-01-01'",
        "key_at = now()",
        "recorded_at = now()",
        "id = gen_random_uuid()",
        "hash = '\\x00'",
    ] {
        let sql = format!("UPDATE log.event_other SET {column} WHERE position = 34");
        assert_eq!(position_after(&sql).await, 34, "{column}");
    }
}

/// Readers would take its rows for events of the log.
#[tokio::test]
async fn a_foreign_partition_is_named() {
    let attach = "CREATE TABLE log.extra (LIKE log.event INCLUDING ALL);
                  ALTER TABLE log.event ATTACH PARTITION log.extra FOR VALUES IN ('extra')";
    assert_eq!(position_after(attach).await, 1);
}

/// An unknown family reads as `other`, and the bounds of an array are not read at all.
#[tokio::test]
async fn a_change_that_reads_the_same_is_named() {
    let another_family = "ALTER TABLE log.event DETACH PARTITION log.event_other;
                          UPDATE log.event_other SET family = 'another' WHERE position = 34;
                          ALTER TABLE log.event ATTACH PARTITION log.event_other FOR VALUES IN ('other', 'another')";
    assert_eq!(position_after(another_family).await, 34);

    let db = database().await;
    append(&db.database, &[full(Family::Other)]).await;
    assert_eq!(report(&db, &[]).await.fault, None);
    tamper(&db, "UPDATE log.event_other SET bad_signatures = '[5:6]={0,7}'").await;
    assert_eq!(report(&db, &[]).await.fault.unwrap().position, 1);
}

#[tokio::test]
async fn a_removed_row_is_named() {
    assert_eq!(position_after("DELETE FROM log.event_other WHERE position = 23").await, 23);
}

#[tokio::test]
async fn an_inserted_row_is_named() {
    let copy = |position: i64| {
        format!(
            "INSERT INTO log.event_other SELECT {position}, gen_random_uuid(), family, kind, stream, project_id,
             occurred_at, key_at, recorded_at, source, redacted, bad_signatures, hash, body FROM log.event_other WHERE position = 5"
        )
    };
    assert_eq!(position_after(&copy(61)).await, 61);
    assert_eq!(position_after(&copy(41)).await, 41);
}

#[tokio::test]
async fn reordered_rows_are_named() {
    let swap =
        "UPDATE log.event_other SET position = 15 + 17 - position WHERE position IN (15, 17)";
    assert_eq!(position_after(swap).await, 15);
    let shift = "UPDATE log.event_other SET position = -1 WHERE position = 60;
                 UPDATE log.event_other SET position = position + 1 WHERE position BETWEEN 51 AND 59;
                 UPDATE log.event_other SET position = 51 WHERE position = -1";
    assert_eq!(position_after(shift).await, 51);
}

#[tokio::test]
async fn a_cut_off_tail_is_named() {
    assert_eq!(position_after("DELETE FROM log.event_other WHERE position > 57").await, 58);
    let with_its_batches =
        "DELETE FROM log.event_other WHERE position > 50; DELETE FROM log.batch WHERE batch > 5";
    assert_eq!(position_after(with_its_batches).await, 51);
    // The head is set back as well, but a projection has applied more.
    let with_its_head = format!(
        "{with_its_batches}; UPDATE log.head SET position = 50, batch = 5,
         hash = (SELECT hash FROM log.batch WHERE batch = 5);
         INSERT INTO projection.checkpoint (name, slot, version, config, position) VALUES ('timing', 'live', 1, '', 60)"
    );
    assert_eq!(position_after(&with_its_head).await, 51);
}

#[tokio::test]
async fn a_changed_chain_is_named() {
    assert_eq!(position_after("UPDATE log.batch SET digest = hash WHERE batch = 3").await, 21);
    assert_eq!(position_after("UPDATE log.batch SET hash = digest WHERE batch = 4").await, 31);
    for column in [
        "family = 'perf'",
        "bytes = 0",
        "recorded_at = now()",
        "recorded_at = 'infinity'",
        "leaf = 'event_perf'",
    ] {
        let sql = format!("UPDATE log.batch SET {column} WHERE batch = 4");
        assert_eq!(position_after(&sql).await, 31, "{column}");
    }
    assert_eq!(position_after("DELETE FROM log.batch WHERE batch = 2").await, 11);
    assert_eq!(position_after("UPDATE log.head SET hash = '\\x00'").await, 60);
}

/// If the whole chain is computed again over a changed row, only a head noted elsewhere shows it.
#[tokio::test]
async fn a_rewritten_chain_is_found_against_a_noted_head() {
    let db = filled().await;
    let (position, hash) = log::read_head(&db.client().await).await.unwrap();
    let noted = format!("{position}:{hash}").parse().unwrap();
    append(&db.database, &events(600, 10)).await;
    assert_eq!(report(&db, std::slice::from_ref(&noted)).await.fault, None);

    // The forger has our own program and appends the same log anew, except for one event.
    let forged = database().await;
    for batch in 0..6 {
        let mut batch = events(batch * 10, 10);
        batch
            .iter_mut()
            .filter(|e| e.body == b"{\"n\": 33}")
            .for_each(|e| e.body = b"{\"n\": 0}".to_vec());
        append(&forged.database, &batch).await;
    }
    append(&forged.database, &events(600, 10)).await;
    assert_eq!(report(&forged, &[]).await.fault, None);
    let fault = report(&forged, std::slice::from_ref(&noted)).await.fault.unwrap();
    assert!(fault.what.contains("written again"), "{fault:?}");

    // A forged log may be shorter than the noted head, or have batches that end elsewhere.
    let shorter = database().await;
    append(&shorter.database, &events(0, 50)).await;
    assert_eq!(report(&shorter, std::slice::from_ref(&noted)).await.fault.unwrap().position, 51);
    append(&shorter.database, &events(50, 20)).await;
    assert!(report(&shorter, &[noted]).await.fault.is_some());
}

#[tokio::test]
async fn the_application_cannot_change_the_log() {
    let db = filled().await;
    let client = db.client().await;
    let role: String = client.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
    assert_eq!(role, "stackledger_app");
    for table in ["log.event", "log.event_other", "log.batch", "log.event_perf_undated"] {
        for statement in ["UPDATE {} SET hash = ''", "DELETE FROM {}", "TRUNCATE {}"] {
            let error = client.batch_execute(&statement.replace("{}", table)).await.unwrap_err();
            let text = error.as_db_error().unwrap().message().to_owned();
            assert!(text.contains("permission denied"), "{table} {statement}: {text}");
        }
    }
    let backwards = client.batch_execute("UPDATE log.head SET position = 1").await.unwrap_err();
    assert!(backwards.as_db_error().unwrap().message().contains("only moves forward"));
}

/// The triggers refuse even the owner, and even in a session of replication, until they are disabled.
#[tokio::test]
async fn the_triggers_refuse_everybody() {
    let db = filled().await;
    append(&db.database, &[crate::support::events::event(stackledger::event::Family::Meter, 1)])
        .await;
    let superuser = db.superuser().await;
    superuser.batch_execute("SET session_replication_role = replica").await.unwrap();
    let leaves =
        db.rows("SELECT relid::regclass::text AS leaf FROM pg_partition_tree('log.event')").await;
    assert!(leaves.len() > 8);
    for leaf in
        leaves.iter().map(|leaf| leaf.split('"').nth(3).unwrap()).chain(["log.batch", "log.head"])
    {
        for statement in ["UPDATE {} SET hash = ''", "DELETE FROM {}", "TRUNCATE {} CASCADE"] {
            let error = superuser.batch_execute(&statement.replace("{}", leaf)).await.unwrap_err();
            let text = error.as_db_error().unwrap().message().to_owned();
            assert!(text.contains("is refused"), "{leaf} {statement}: {text}");
        }
    }
}
