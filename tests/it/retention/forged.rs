//! Leaves dropped and horizons moved without an event of the log: `verify` finds them.

use super::{append_three_days, report, retain_all};
use crate::support::database::{TestDatabase, database};

/// Tampers with the log as its owner, and returns the position and the text of the fault that is found.
async fn fault_after(db: &TestDatabase, tampering: &str) -> (i64, String) {
    let tampering = format!(
        "ALTER TABLE log.event_other DISABLE TRIGGER ALL; ALTER TABLE log.batch DISABLE TRIGGER ALL;
         ALTER TABLE log.head DISABLE TRIGGER ALL; {tampering}"
    );
    db.superuser().await.batch_execute(&tampering).await.unwrap();
    let fault = report(db).await.fault.unwrap_or_else(|| panic!("not found: {tampering}"));
    (fault.position, fault.what)
}

async fn database_after_drop() -> TestDatabase {
    let db = database().await;
    append_three_days(&db).await;
    retain_all(&db, &[]).await;
    let report = report(&db).await;
    assert_eq!((report.fault, report.events, report.position), (None, 5, 13));
    db
}

#[tokio::test]
async fn verify_reports_what_was_dropped() {
    let dropped: Vec<_> = report(&database_after_drop().await)
        .await
        .dropped
        .into_iter()
        .map(|d| (d.leaf, d.events, d.first, d.last))
        .collect();
    let leaf = |name: &str| name.to_owned();
    assert_eq!(
        dropped,
        [(leaf("event_perf_20200301"), 4, 1, 4), (leaf("event_perf_20200302"), 4, 5, 8)]
    );
}

#[tokio::test]
async fn a_leaf_that_was_dropped_by_hand_is_a_fault() {
    let db = database().await;
    append_three_days(&db).await;
    let (position, what) = fault_after(&db, "DROP TABLE log.event_perf_20200301").await;
    assert_eq!((position, what.as_str()), (1, "the partition event_perf_20200301 is gone"));
    // Also if other leaves were dropped by retention.
    let (position, _) =
        fault_after(&database_after_drop().await, "DROP TABLE log.event_perf_20200303").await;
    assert_eq!(position, 9);
}

#[tokio::test]
async fn a_horizon_that_no_event_has_moved_is_a_fault() {
    let (position, what) = fault_after(
        &database_after_drop().await,
        "UPDATE log.head SET perf_horizon = '2020-03-04Z'",
    )
    .await;
    assert_eq!(position, 13);
    assert_eq!(
        what,
        "the head's horizon of perf is 2020-03-04T00:00:00Z, according to the chain it is 2020-03-03T00:00:00Z"
    );
    fault_after(&database_after_drop().await, "UPDATE log.head SET perf_horizon = NULL").await;
    fault_after(&database_after_drop().await, "UPDATE log.head SET meter_horizon = '2020-03-04Z'")
        .await;
}

/// Without the event that moved the horizon, or with a changed one, the missing leaves are a fault.
#[tokio::test]
async fn an_event_that_is_not_in_the_chain_proves_nothing() {
    let removed = "DELETE FROM log.event_other WHERE kind = 'stackledger.horizon.moved'";
    assert_eq!(fault_after(&database_after_drop().await, removed).await.0, 1);
    let changed =
        "UPDATE log.event_other SET source = 'x' WHERE kind = 'stackledger.horizon.moved'";
    assert_eq!(fault_after(&database_after_drop().await, changed).await.0, 1);
}

/// A leaf before the horizon that still exists is verified like any other.
#[tokio::test]
async fn a_row_that_is_removed_before_its_leaf_is_dropped_is_found() {
    let db = database().await;
    append_three_days(&db).await;
    let mut appender = crate::support::events::appender(&db.database).await;
    let to = stackledger::log::Target {
        family: stackledger::event::Family::Perf,
        day: "2020-03-02".parse().unwrap(),
        read_to: i64::MAX,
    };
    appender.move_horizon(&to, super::at()).await.unwrap();
    assert_eq!(report(&db).await.fault, None);
    let removed = "ALTER TABLE log.event_perf_20200301 DISABLE TRIGGER ALL;
                   DELETE FROM log.event_perf_20200301 WHERE position = 3";
    assert_eq!(fault_after(&db, removed).await.0, 3);
}
