//! `verify`: follows the chain from the first batch to the head, and compares every leaf with it row by row.
//! The report names the position of a changed, removed, inserted or moved row.

mod batches;
mod report;
mod rows;

use jiff::Timestamp;
use tokio_postgres::Client;

use super::horizon::{COLUMNS as HORIZONS, Horizons};
use super::leaf::{Leaf, is_leaf_name};
use crate::event::Family;
use batches::check_batches;
use report::Batch;
use rows::check_leaf;

pub use report::{Anchor, DroppedLeaf, Fault, Report};

/// Checks the whole log within one snapshot, `anchors` against the chain, and `applied` (projections and the
/// positions that they had applied before the call) against the head. Calls `progress` with the number of
/// events checked so far.
///
/// # Errors
///
/// When the database is away. Faults of the log are in the report.
pub async fn verify(
    client: &mut Client,
    anchors: &[Anchor],
    applied: &[(String, i64)],
    mut progress: impl FnMut(u64),
) -> Result<Report, tokio_postgres::Error> {
    // Keeps partitions from being dropped meanwhile: a snapshot protects rows, not tables. This is a lock of
    // the session, not of the transaction, because the snapshot must be younger than the lock.
    client.execute("SELECT pg_advisory_lock_shared(hashtext('log.drop_day'))", &[]).await?;
    let report = check(client, anchors, applied, &mut progress).await;
    let unlock = "SELECT pg_advisory_unlock_shared(hashtext('log.drop_day'))";
    let unlocked = client.execute(unlock, &[]).await;
    let report = report?;
    unlocked?;
    Ok(report)
}

async fn check(
    client: &mut Client,
    anchors: &[Anchor],
    applied: &[(String, i64)],
    progress: &mut impl FnMut(u64),
) -> Result<Report, tokio_postgres::Error> {
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let client = transaction.client();
    let mut report = Report::default();
    let head = client
        .query_opt(&format!("SELECT position, batch, hash, {HORIZONS} FROM log.head"), &[])
        .await?;
    let mut batches = check_batches(client, anchors, head.as_ref(), &mut report).await?;
    let leaves = client
        .query(
            "SELECT relname::text, relnamespace = 'log'::regnamespace AS is_in_log, relid::regclass::text
             FROM pg_partition_tree('log.event') JOIN pg_class ON oid = relid
             WHERE isleaf",
            &[],
        )
        .await?;
    let mut horizons = Horizons::default();
    for leaf in &leaves {
        let (name, is_in_log): (&str, bool) = (leaf.get(0), leaf.get(1));
        if !is_in_log || !is_leaf_name(name) {
            // Its rows would be read as part of the log, although no append put them there.
            report.note_fault(
                1,
                format!(
                    "{} is a partition of the log that we did not create",
                    leaf.get::<_, &str>(2)
                ),
            );
            continue;
        }
        let batches = batches.remove(name).unwrap_or_default();
        let moved = check_leaf(client, name, &batches, &mut report, progress).await?;
        moved.into_iter().for_each(|(family, before)| horizons.advance(family, before));
    }
    for (leaf, batches) in batches {
        check_dropped(leaf, &batches, horizons, &mut report);
    }
    if let Some(head) = &head {
        check_horizons(Horizons::of_row(head)?, horizons, &mut report);
    }
    check_applied(applied, &mut report);
    transaction.rollback().await?;
    Ok(report)
}

/// Checks a leaf that does not exist: that is right only if the chain contains a horizon that has passed it.
fn check_dropped(leaf: String, batches: &[Batch], horizons: Horizons, report: &mut Report) {
    let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return };
    let (first, last) = (first.first, last.last);
    if Leaf::of_day(&leaf).is_some_and(|leaf| horizons.have_passed(leaf)) {
        let events = batches.iter().map(|batch| batch.last - batch.first + 1).sum();
        report.dropped.push(DroppedLeaf { leaf, events, first, last });
    } else {
        report.note_fault(first, format!("the partition {leaf} is gone"));
    }
}

/// Checks that the head's horizons equal the ones that the events of the chain have set.
fn check_horizons(head: Horizons, chain: Horizons, report: &mut Report) {
    for family in Family::ALL {
        let (head, chain) = (head.of(family), chain.of(family));
        if head != chain {
            let show = |at: Option<Timestamp>| at.map_or("none".to_owned(), |at| at.to_string());
            report.note_fault(
                report.position.max(1),
                format!(
                    "the head's horizon of {family} is {}, according to the chain it is {}",
                    show(head),
                    show(chain)
                ),
            );
        }
    }
}

/// Checks that no projection has applied a position beyond the log: it would have read a tail that was cut off.
fn check_applied(applied: &[(String, i64)], report: &mut Report) {
    let furthest = applied.iter().max_by_key(|(_, position)| *position);
    if let Some((name, position)) = furthest.filter(|(_, position)| *position > report.position) {
        report.note_fault(
            report.position + 1,
            format!(
                "the tail is cut off: the projection {name} has applied events up to {position}"
            ),
        );
    }
}
