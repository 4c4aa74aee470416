//! The log at a horizon: late events, readers, and the changes that the database refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stackledger::config::Retention;
use stackledger::event::{Event, Family};
use stackledger::log::{self, Filter, HorizonMove, Limit, Reader, Refusal, Target};
use stackledger::projection;
use stackledger::retention::{self, Outcome};

use super::{append_three_days, at, days, report, retain_all, sampled};
use crate::support::database::database;
use crate::support::events::{append, appender, event};
use crate::support::eventually;

fn day(n: u64) -> jiff::Timestamp {
    let first: jiff::Timestamp = "2020-03-01T12:00:00Z".parse().unwrap();
    first + jiff::SignedDuration::from_hours(24 * n as i64)
}

fn target(family: Family, day: &str) -> Target {
    Target { family, day: day.parse().unwrap(), read_to: i64::MAX }
}

#[tokio::test]
async fn a_late_event_becomes_a_dead_letter_and_its_neighbours_are_stored() {
    let db = database().await;
    // This appender has cached the leaves before they are dropped.
    let mut appender = appender(&db.database).await;
    let first = [sampled("a", 1, 1), sampled("a", 3, 1)];
    assert_eq!(appender.append(&first, &[], at()).await.unwrap().events, 2);
    retain_all(&db, &[]).await;
    let batch = [
        sampled("late", 1, 2),
        event(Family::Other, 1),
        sampled("a", 1, 1),
        sampled("a", 3, 1),
        sampled("a", 3, 2),
    ];
    let appended = appender.append(&batch, &[], at()).await.unwrap();
    assert_eq!((appended.events, appended.duplicates, appended.dead_letters), (2, 1, 2));
    assert_eq!(appended.is_new, [false, true, false, false, true]);
    let horizon = "2020-03-03T00:00:00Z".parse().unwrap();
    let late = Some(Refusal::BeforeHorizon { family: Family::Perf, horizon });
    assert_eq!(appended.refused, [late, None, late, None, None]);
    assert_eq!(
        db.rows("SELECT reason, count(*) FROM log.dead_letter GROUP BY 1").await,
        [
            r#"{"count": 2, "reason": "before_horizon: events of perf before 2020-03-03T00:00:00Z are not accepted any more"}"#
        ]
    );
    // An appender without a cache, with the same events again.
    let again = append(&db.database, &batch).await;
    assert_eq!((again.events, again.duplicates, again.dead_letters), (0, 3, 0));
    assert_eq!(days(&db).await, ["2020-03-03"]);
    assert_eq!(report(&db).await.fault, None);
}

#[tokio::test]
async fn readers_skip_dropped_events() {
    let db = database().await;
    append_three_days(&db).await;
    append(&db.database, &[event(Family::Recipe, 1)]).await;
    retain_all(&db, &[]).await;
    let client = db.client().await;
    for (families, events) in [(&[Family::Perf][..], 4), (&Family::ALL, 4 + 2)] {
        let reader = Reader::new(families);
        let stretch = reader.next(&client, 0, i64::MAX, Limit::USUAL).await.unwrap();
        assert_eq!((stretch.events.len(), stretch.position), (events, 14));
    }
    // Dropped events do not count towards a limit.
    let limit = Limit { events: 4, ..Limit::USUAL };
    let stretch = Reader::new(&[Family::Perf]).next(&client, 0, 12, limit).await.unwrap();
    assert_eq!((stretch.events.len(), stretch.position), (4, 12));
    assert_eq!(log::read_at(&client, 1).await.unwrap(), None);
    assert_eq!(log::read_at(&client, 9).await.unwrap().unwrap().event.family, Family::Perf);
    let page = log::read_page(&client, &Filter::default(), 0, 100).await.unwrap();
    let positions: Vec<i64> = page.events.iter().map(|event| event.position).collect();
    assert_eq!((positions, page.next), ((9..=14).collect(), None));
    // A leaf that is missing without an event of the log is an error.
    db.superuser().await.batch_execute("DROP TABLE log.event_perf_20200303").await.unwrap();
    let lost = Reader::new(&[Family::Perf]).next(&client, 0, i64::MAX, Limit::USUAL).await;
    assert!(lost.is_err());
    assert!(log::read_at(&client, 9).await.is_err());
}

/// Each leaf needs a lock, and may need a partition of a read model.
#[tokio::test]
async fn a_stretch_ends_before_its_thirty_third_leaf() {
    let db = database().await;
    let of_day = |n: u64| Event { key_at: Some(day(n)), ..event(Family::Perf, n) };
    let days: Vec<Event> = (0..40).map(of_day).collect();
    append(&db.database, &days).await;
    // One more event of a leaf that has been read already.
    append(&db.database, &[Event { key_at: Some(day(39)), ..event(Family::Perf, 99) }]).await;
    let (client, reader) = (db.client().await, Reader::new(&[Family::Perf]));
    let first = reader.next(&client, 0, i64::MAX, Limit::USUAL).await.unwrap();
    assert_eq!((first.events.len(), first.position), (32, 32));
    let rest = reader.next(&client, 32, i64::MAX, Limit::USUAL).await.unwrap();
    assert_eq!((rest.events.len(), rest.position), (9, 41));
}

#[tokio::test]
async fn a_horizon_moves_once_and_only_forward() {
    let db = database().await;
    append_three_days(&db).await;
    let mut appender = appender(&db.database).await;
    let to = target(Family::Perf, "2020-03-02");
    let unread = Target { read_to: 3, ..to };
    assert_eq!(appender.move_horizon(&unread, at()).await.unwrap(), HorizonMove::NotYet(4));
    assert_eq!(appender.move_horizon(&to, at()).await.unwrap(), HorizonMove::Now);
    assert_eq!(appender.move_horizon(&to, at()).await.unwrap(), HorizonMove::Already);
    let back = target(Family::Perf, "2020-03-01");
    assert_eq!(appender.move_horizon(&back, at()).await.unwrap(), HorizonMove::Already);
    assert_eq!(
        db.rows("SELECT position, perf_horizon FROM log.head").await,
        [r#"{"position": 13, "perf_horizon": "2020-03-02T00:00:00+00:00"}"#]
    );
    assert_eq!(
        db.rows("SELECT kind, source, family, convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM log.event WHERE position = 13").await,
        [r#"{"data": {"before": "2020-03-02T00:00:00Z", "family": "perf"}, "kind": "stackledger.horizon.moved", "family": "other", "source": "stackledger"}"#]
    );
    assert_eq!(report(&db).await.fault, None);
}

/// The application's role cannot bypass the horizon, nor the owner the trigger.
#[tokio::test]
async fn the_database_refuses_changes_that_the_chain_does_not_contain() {
    let db = database().await;
    append_three_days(&db).await;
    let client = db.client().await;
    let refusal = async |client: &tokio_postgres::Client, sql: &str| {
        let error = client.batch_execute(sql).await.unwrap_err();
        error.as_db_error().unwrap().message().to_owned()
    };
    for (sql, expected) in [
        ("DROP TABLE log.event_perf_20200301", "must be owner of table event_perf_20200301"),
        (
            "SELECT log.drop_day('perf', '2020-03-01')",
            "2020-03-01 of perf does not lie before its horizon",
        ),
        ("SELECT log.drop_day('other', '2020-03-01')", "no partition of other for 2020-03-01"),
        ("UPDATE log.head SET perf_horizon = '2020-03-02Z'", "only moves forward"),
        (
            "UPDATE log.head SET position = 13, batch = 4, perf_horizon = '2020-03-02 01:00Z'",
            "violates check constraint",
        ),
        (
            "UPDATE log.head SET position = 13, batch = 4, perf_horizon = '2200-01-01Z'",
            "does not lie in the future",
        ),
    ] {
        let message = refusal(&client, sql).await;
        assert!(message.contains(expected), "{sql}: {message}");
    }
    retain_all(&db, &[]).await;
    let superuser = db.superuser().await;
    for to in ["'2020-03-02Z'", "NULL"] {
        let sql = format!(
            "UPDATE log.head SET position = position + 1, batch = batch + 1, perf_horizon = {to}"
        );
        assert!(refusal(&superuser, &sql).await.contains("only moves forward"), "{to}");
    }
    let ensured = "SELECT count(*) FROM (SELECT log.ensure_day('perf', '2020-03-01') AS made) AS t WHERE made";
    assert_eq!(db.number(ensured).await, 0);
    assert_eq!(days(&db).await, ["2020-03-03"]);
}

/// Samples that are still to be billed are kept.
#[tokio::test]
async fn the_horizon_of_meter_does_not_pass_the_end_of_a_tenants_last_order() {
    let db = database().await;
    db.superuser()
        .await
        .batch_execute(
            "INSERT INTO log.sales_order VALUES
                 (gen_random_uuid(), 'a', '[2020-02-01Z,2020-03-01Z)', 1),
                 (gen_random_uuid(), 'a', '[2020-03-01Z,2020-04-01Z)', 2),
                 (gen_random_uuid(), 'b', '[2020-02-01Z,2020-03-02Z)', 3)",
        )
        .await
        .unwrap();
    let mut appender = appender(&db.database).await;
    let error =
        appender.move_horizon(&target(Family::Meter, "2020-03-03"), at()).await.unwrap_err();
    assert!(error.to_string().contains("may not pass 2020-03-02 00:00:00+00"), "{error}");
    let moved = appender.move_horizon(&target(Family::Meter, "2020-03-02"), at()).await.unwrap();
    assert_eq!(moved, HorizonMove::Now);
    assert_eq!(report(&db).await.fault, None);
}

/// While day after day is dropped, readers start from the beginning and late events arrive, over and over:
/// none of them gets an error, and events that are not before the horizon are always read.
#[tokio::test(flavor = "multi_thread")]
async fn readers_and_late_events_meet_days_that_are_being_dropped() {
    let db = database().await;
    const DAYS: u32 = 20;
    for day in 1..=DAYS {
        append(&db.database, &[sampled("a", day, 1), sampled("b", day, 1)]).await;
    }
    let is_done = Arc::new(AtomicBool::new(false));
    let (client, done) = (db.client().await, Arc::clone(&is_done));
    let reading = tokio::spawn(async move {
        let reader = Reader::new(&[Family::Perf]);
        let mut read = 0;
        while !done.load(Ordering::Relaxed) {
            let stretch = reader.next(&client, 0, i64::MAX, Limit::USUAL).await.unwrap();
            assert!(stretch.position >= 40 && stretch.events.len() >= 2, "{stretch:?}");
            log::read_page(&client, &Filter::default(), 0, 100).await.unwrap();
            log::read_at(&client, 21).await.unwrap();
            read += 1;
        }
        read
    });
    let (mut late, done) = (appender(&db.database).await, Arc::clone(&is_done));
    let appending = tokio::spawn(async move {
        let all: Vec<_> = (1..=DAYS).map(|day| sampled("b", day, 1)).collect();
        while !done.load(Ordering::Relaxed) {
            let appended = late.append(&all, &[], at()).await.unwrap();
            let refused = appended.refused.iter().flatten().count();
            assert_eq!((appended.events, appended.duplicates + refused), (0, all.len()));
        }
    });
    let retention = Retention::default();
    for day in 4..=DAYS + 2 {
        let now = format!("2020-03-{day:02}T12:00:00Z").parse().unwrap();
        eventually("the day is dropped", || async {
            let taken = retention::retain(&db.database, &[], &retention, now).await.unwrap();
            taken.is_some_and(|taken| taken.iter().all(|(_, outcome)| *outcome == Outcome::Done))
        })
        .await;
    }
    is_done.store(true, Ordering::Relaxed);
    assert!(reading.await.unwrap() > 0);
    appending.await.unwrap();
    assert_eq!(days(&db).await, ["2020-03-20"]);
    let report = report(&db).await;
    assert_eq!((report.fault, report.dropped.len()), (None, 19));
}

#[tokio::test]
async fn dropping_waits_for_a_comparison() {
    let db = database().await;
    append_three_days(&db).await;
    let (one, other) = (db.client().await, db.client().await);
    projection::lock_tables_shared(&one, "timing").await.unwrap();
    assert!(!projection::try_lock_tables_exclusive(&other, "timing").await.unwrap());
    assert!(projection::try_lock_tables_exclusive(&other, "sales").await.unwrap());
}
