//! Each step is a transaction of its own; after an interruption the next run does the rest.

use stackledger::config::Retention;
use stackledger::retention::{self, Retainer, plan};

use super::{append_three_days, at, days, report, retain, retain_all};
use crate::support::database::{TestDatabase, database};

/// Creates partitions of rollups as the read model does, two of them old.
async fn create_rollups(db: &TestDatabase) {
    let partition = |name: &str, from: &str, to: &str| {
        let (table, _) = name.split_once('_').unwrap();
        format!(
            "CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{from}Z') TO ('{to}Z');"
        )
    };
    let sql = [
        "CREATE SCHEMA rollup; SET search_path = rollup;
         CREATE TABLE minute (start timestamptz) PARTITION BY RANGE (start);
         CREATE TABLE hour (start timestamptz) PARTITION BY RANGE (start);"
            .to_owned(),
        partition("minute_20200203", "2020-02-03", "2020-02-04"),
        partition("minute_20200204", "2020-02-04", "2020-02-05"),
        partition("hour_201802", "2018-02-01", "2018-03-01"),
        partition("hour_201803", "2018-03-01", "2018-04-01"),
    ];
    // As the role that projects, which owns them.
    db.client().await.batch_execute(&sql.concat()).await.unwrap();
}

async fn count_partitions(db: &TestDatabase) -> i64 {
    db.number("SELECT count(*) FROM pg_inherits WHERE inhparent IN ('rollup.minute'::regclass, 'rollup.hour'::regclass)").await
}

#[tokio::test]
async fn a_run_that_ended_anywhere_is_finished_by_the_next() {
    const STEPS: [&str; 5] = [
        "horizon of perf to 2020-03-03",
        "log.event_perf_20200301",
        "log.event_perf_20200302",
        "rollup.minute_20200203",
        "rollup.hour_201802",
    ];
    for taken in 0..=STEPS.len() {
        let db = database().await;
        append_three_days(&db).await;
        create_rollups(&db).await;
        let retention = Retention::default();
        let mut retainer = Retainer::begin(&db.database, &[]).await.unwrap().unwrap();
        let steps = plan(at(), &retention, &retainer.read_state(&retention).await.unwrap());
        assert_eq!(steps.iter().map(ToString::to_string).collect::<Vec<_>>(), STEPS);
        for step in &steps[..taken] {
            retainer.take(step, at()).await.unwrap();
        }
        assert_eq!(report(&db).await.fault, None, "after {taken} steps");
        // Only one retainer can run; its lock ends with its connection.
        assert!(Retainer::begin(&db.database, &[]).await.unwrap().is_none());
        drop(retainer);
        crate::support::eventually("the lock is free", || async {
            Retainer::begin(&db.database, &[]).await.unwrap().is_some()
        })
        .await;
        crate::support::eventually("the rest is done", || async {
            match retention::retain(&db.database, &[], &retention, at()).await.unwrap() {
                Some(rest) => {
                    assert_eq!(rest.len(), STEPS.len() - taken);
                    true
                }
                None => false,
            }
        })
        .await;
        assert_eq!(
            (days(&db).await, count_partitions(&db).await),
            (vec!["2020-03-03".to_owned()], 2)
        );
        let report = report(&db).await;
        assert_eq!((report.fault, report.dropped.len()), (None, 2));
        assert_eq!(report.position, 13, "one event has moved the horizon");
    }
}

/// A leaf that is being read delays a run only briefly, and the other steps are taken.
#[tokio::test]
async fn a_leaf_that_is_being_read_is_dropped_by_a_later_run() {
    let db = database().await;
    append_three_days(&db).await;
    let mut reading = db.superuser().await;
    let transaction = reading.transaction().await.unwrap();
    transaction.execute("SELECT FROM log.event_perf_20200301", &[]).await.unwrap();
    let taken = retain(&db, &[]).await;
    assert!(taken[1].starts_with("log.event_perf_20200301: waits: "), "{taken:?}");
    assert_eq!(taken[2], "log.event_perf_20200302: done");
    transaction.rollback().await.unwrap();
    let lock = "SELECT pg_advisory_lock_shared(hashtext('log.drop_day'))";
    reading.execute(lock, &[]).await.unwrap();
    crate::support::eventually("the previous run has ended", || async {
        let retention = Retention::default();
        let taken = retention::retain(&db.database, &[], &retention, at()).await.unwrap();
        taken.is_some_and(|taken| {
            let outcome = taken[0].1.to_string();
            assert_eq!(outcome, "waits: the log is being verified [55P03]");
            true
        })
    })
    .await;
    drop(reading);
    crate::support::eventually("it is dropped", || async {
        let retention = Retention::default();
        let _ = retention::retain(&db.database, &[], &retention, at()).await.unwrap();
        days(&db).await == ["2020-03-03"]
    })
    .await;
    retain_all(&db, &[]).await;
}
