//! Batches that the database does not store at the first attempt.

use std::sync::Arc;

use stackledger::event::{Event, Family};
use stackledger::health::Health;
use stackledger::ingest::{Batch, Disposition, Sink, dispose};
use stackledger::log::{AppendError, AppendOutcome};
use tokio_util::sync::CancellationToken;

use crate::support::database::database;
use crate::support::events::event;
use crate::support::is_long;

/// Samples of consecutive days, one per day.
fn days(count: u64) -> Vec<Event> {
    let first: jiff::Timestamp = "2001-01-01T12:00:00Z".parse().unwrap();
    let of_day = |n: u64| {
        let at = first + jiff::SignedDuration::from_hours(24 * n as i64);
        Event { key_at: Some(at), ..event(Family::Perf, n) }
    };
    (0..count).map(of_day).collect()
}

#[tokio::test]
async fn the_disposition_depends_on_the_database_s_error() {
    let db = database().await;
    let client = db.client().await;
    for (state, events, expected) in [
        ("22023", 2, Disposition::Split),
        ("22023", 1, Disposition::Split),
        ("22023", 0, Disposition::RetryLoudly),
        // Out of memory, which includes the memory for locks: a smaller batch may succeed.
        ("53200", 3000, Disposition::Split),
        ("53200", 2, Disposition::Split),
        ("53200", 1, Disposition::Retry),
        ("53200", 0, Disposition::Retry),
        ("53100", 2, Disposition::Retry),
        ("53300", 2, Disposition::Retry),
        ("57P01", 2, Disposition::Retry),
        ("42P01", 2, Disposition::RetryLoudly),
    ] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$");
        let error = AppendError::from(client.batch_execute(&raise).await.unwrap_err());
        assert_eq!(dispose(&Err(error), events), expected, "{state} of {events}");
    }
    assert_eq!(dispose(&Ok(AppendOutcome::default()), 1), Disposition::Ack);
}

/// Each day is a partition. In the long form of the test, the server itself cannot lock them all.
#[tokio::test]
async fn a_batch_over_too_many_days_is_stored_in_parts() {
    let db = database().await;
    let days = days(if is_long() { 3000 } else { 9 });
    if !is_long() {
        let few = "CREATE FUNCTION public.few() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF (SELECT count(*) FROM added) > 2 THEN
                    RAISE EXCEPTION 'out of shared memory' USING ERRCODE = '53200';
                END IF;
                RETURN NULL;
             END $$;
             CREATE TRIGGER few AFTER INSERT ON log.batch REFERENCING NEW TABLE AS added
                FOR EACH STATEMENT EXECUTE FUNCTION public.few()";
        db.superuser().await.batch_execute(few).await.unwrap();
    }
    let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
    let mut sink = Sink::new(db.database.clone(), health, stop);
    let batch = Batch { events: days.clone(), ..Batch::default() };
    let appended = sink.append(batch).await.unwrap();
    assert_eq!((appended.events, appended.dead_letters), (days.len(), 0));
    assert!(appended.is_new.iter().all(|is_new| *is_new) && appended.is_new.len() == days.len());
    assert_eq!(db.number("SELECT position FROM log.head").await, days.len() as i64);
    if !is_long() {
        let widest = "SELECT max(leaves) FROM (SELECT count(*) AS leaves FROM log.batch GROUP BY recorded_at) AS b";
        assert!(db.number(widest).await <= 2);
    }
}
