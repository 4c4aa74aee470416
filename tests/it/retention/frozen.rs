//! Rows before a horizon: copied by a replay, left out of a comparison.

use std::sync::Arc;

use stackledger::config::File;
use stackledger::projection::{self, Comparison, Projection};
use tokio_util::sync::CancellationToken;

use super::tally::TALLY;
use super::{append_three_days, at, retain, retain_all, sampled};
use crate::support::database::{TestDatabase, database};
use crate::support::events::append;

async fn replay(db: &TestDatabase) {
    let (file, stop) = (Arc::<File>::default(), CancellationToken::new());
    projection::replay(&db.database, &TALLY, &file, "test", &stop, |_| {}).await.unwrap();
}

async fn compare(db: &TestDatabase) -> Comparison {
    let (file, stop) = (Arc::<File>::default(), CancellationToken::new());
    projection::compare(&db.database, &TALLY, &file, &stop, |_, _| {}).await.unwrap()
}

async fn rows(db: &TestDatabase) -> Vec<String> {
    let mut rows = db.rows("SELECT * FROM tally.hour ORDER BY host, start").await;
    rows.extend(db.rows("SELECT * FROM tally.series ORDER BY host").await);
    rows
}

#[tokio::test]
async fn a_replay_after_a_drop_gives_the_same_rows() {
    let db = database().await;
    append_three_days(&db).await;
    replay(&db).await;
    let before = rows(&db).await;
    assert_eq!(before.len(), 12 + 2);
    assert_eq!(compare(&db).await.frozen, 0);
    retain_all(&db, &[&TALLY]).await;
    assert!(rows(&db).await == before);
    let compared = compare(&db).await;
    assert_eq!((compared.frozen, compared.rows, compared.difference), (8, 4 + 2, None));
    replay(&db).await;
    assert_eq!(rows(&db).await, before);
    // A second replay, with events that were appended since; the series spans both sides of the horizon.
    append(&db.database, &[sampled("a", 4, 5), sampled("c", 3, 7)]).await;
    replay(&db).await;
    assert_eq!(db.number("SELECT count(*) FROM tally.hour").await, 14);
    assert_eq!(
        db.rows("SELECT host, first_at, last_at FROM tally.series WHERE host = 'a'").await,
        [
            r#"{"host": "a", "last_at": "2020-03-04T05:10:00+00:00", "first_at": "2020-03-01T01:10:00+00:00"}"#
        ]
    );
    assert_eq!(compare(&db).await.difference, None);
}

/// A wrong row that is not before the horizon is found.
#[tokio::test]
async fn a_row_that_is_not_frozen_is_compared() {
    let db = database().await;
    append_three_days(&db).await;
    replay(&db).await;
    retain_all(&db, &[&TALLY]).await;
    let superuser = db.superuser().await;
    let change = |day: u32| {
        format!(
            "UPDATE tally.hour SET count = 9 WHERE start = '2020-03-0{day} 01:00Z' AND host = 'a'"
        )
    };
    superuser.batch_execute(&change(2)).await.unwrap();
    assert_eq!(compare(&db).await.difference, None);
    superuser.batch_execute(&change(3)).await.unwrap();
    let difference = compare(&db).await.difference.unwrap();
    assert!(difference.starts_with("tally.hour, only "), "{difference}");
}

/// An interrupted replay does not prevent a drop: rows that it has not computed are copied.
#[tokio::test]
async fn an_abandoned_replay_is_not_waited_for() {
    let db = database().await;
    append_three_days(&db).await;
    replay(&db).await;
    let before = rows(&db).await;
    // The replay stops at once: its slot is released, but remains.
    let (file, stop) = (Arc::<File>::default(), CancellationToken::new());
    stop.cancel();
    let stopped = projection::replay(&db.database, &TALLY, &file, "test", &stop, |_| {}).await;
    assert!(stopped.unwrap_err().to_string().starts_with("stopped at position 0"));
    assert_eq!(
        db.rows("SELECT position, holder FROM projection.checkpoint WHERE slot = 'next'").await,
        [r#"{"holder": null, "position": 0}"#]
    );
    retain_all(&db, &[&TALLY]).await;
    assert_eq!(super::days(&db).await, ["2020-03-03"]);
    replay(&db).await;
    assert_eq!(rows(&db).await, before);
}

/// Without live tables there is nothing to copy: a replay gives the rows of the events still in the log.
#[tokio::test]
async fn a_replay_without_live_tables_gives_the_rest() {
    let db = database().await;
    append_three_days(&db).await;
    retain_all(&db, &[]).await;
    replay(&db).await;
    assert_eq!(db.number("SELECT count(*) FROM tally.hour").await, 4);
    assert_eq!(compare(&db).await.difference, None);
}

#[tokio::test]
async fn a_day_that_is_still_to_be_read_is_kept() {
    let db = database().await;
    append_three_days(&db).await;
    // The projection has never run.
    let waits = retain(&db, &[&TALLY]).await;
    assert_eq!(
        waits[0],
        "horizon of perf to 2020-03-03: waits: tally has not applied the event at position 4"
    );
    assert_eq!(waits[1], "log.event_perf_20200301: waits: the horizon has not passed it");
    assert_eq!(db.number("SELECT count(perf_horizon) FROM log.head").await, 0);
    replay(&db).await;
    // A replay at position 0, running or abandoned, of rows that it cannot copy.
    let client = db.client().await;
    let next = "INSERT INTO projection.checkpoint (name, slot, version, config) VALUES ('tally', 'next', 1, '')";
    client.batch_execute(next).await.unwrap();
    let unfrozen: &Projection = Box::leak(Box::new(Projection { frozen: &[], ..TALLY }));
    let waits = retain(&db, &[unfrozen]).await;
    assert_eq!(waits[0], "horizon of perf to 2020-03-03: done");
    assert_eq!(
        waits[1],
        "log.event_perf_20200301: waits: tally has not read the event at position 4"
    );
    client.batch_execute("UPDATE projection.checkpoint SET position = 4").await.unwrap();
    let waits = retain(&db, &[unfrozen]).await;
    assert_eq!(waits[0], "log.event_perf_20200301: done");
    client.batch_execute("DELETE FROM projection.checkpoint WHERE slot = 'next'").await.unwrap();
    client.batch_execute("UPDATE projection.checkpoint SET position = 12").await.unwrap();
    // A comparison is running.
    projection::lock_tables_shared(&client, "tally").await.unwrap();
    assert_eq!(
        retain(&db, &[&TALLY]).await,
        ["log.event_perf_20200302: waits: the tables of tally are being compared or swapped"]
    );
    projection::unlock_tables(&client, "tally").await.unwrap();
    retain_all(&db, &[&TALLY]).await;
    assert_eq!(super::days(&db).await, ["2020-03-03"]);
    assert!(at() > stackledger::log::read_horizons(&client).await.unwrap().perf.unwrap());
}
