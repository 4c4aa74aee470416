//! `verify`: walks the chain from the first batch to the head, and every leaf row by row beside it.
//! A changed, removed, inserted or moved row gives the position where it shows.

mod follow;
mod rows;

use jiff::Timestamp;
use tokio_postgres::Client;

use super::chain::{Hash, unhex};
use super::horizon::{COLUMNS as HORIZONS, Horizons};
use super::leaf::{Leaf, is_leaf_name};
use crate::event::Family;
use follow::follow;
use rows::check_leaf;

/// A head that was noted earlier, outside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The log's last position when it was noted.
    pub position: i64,
    /// The chain's hash there.
    pub hash: Hash,
}

impl std::str::FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let accepted = "POSITION:HASH is expected, as `stackledger status` prints it";
        let (position, hash) = text.split_once(':').ok_or(accepted)?;
        let position = position.parse().map_err(|_| accepted)?;
        let hash = unhex(hash).ok_or(accepted)?;
        Ok(Anchor { position, hash })
    }
}

/// The first place where the log is not what was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first position that is wrong.
    pub position: i64,
    /// What is wrong there.
    pub what: String,
}

/// What `verify` saw.
#[derive(Debug, Default)]
pub struct Report {
    /// Events whose hash was computed again.
    pub events: u64,
    /// Links of the chain.
    pub batches: u64,
    /// The head's position.
    pub position: i64,
    /// The chain's hash at the head, as hex.
    pub hash: String,
    /// Leaves that were dropped after their family's horizon had passed them, by the chain's word.
    pub dropped: Vec<Dropped>,
    /// The first fault; `None`: the log is what was appended.
    pub fault: Option<Fault>,
}

/// A leaf that was dropped. What it held stays proved by its digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its name within the schema `log`.
    pub leaf: String,
    /// How many events it held.
    pub events: i64,
    /// Position of the first of them.
    pub first: i64,
    /// Position of the last of them.
    pub last: i64,
}

impl Report {
    fn fault(&mut self, position: i64, what: impl Into<String>) {
        if self.fault.as_ref().is_none_or(|known| position < known.position) {
            self.fault = Some(Fault { position, what: what.into() });
        }
    }
}

/// What one append put into a leaf.
struct Batch {
    first: i64,
    last: i64,
    digest: Vec<u8>,
}

/// Checks the whole log within one snapshot, `anchors` against the chain, and `applied` (projections and
/// the positions that they had applied before the call) against the head. `progress` is called with the
/// number of events checked so far.
///
/// # Errors
///
/// When the database is away; what is wrong with the log is in the report.
pub async fn verify(
    client: &mut Client,
    anchors: &[Anchor],
    applied: &[(String, i64)],
    mut progress: impl FnMut(u64),
) -> Result<Report, tokio_postgres::Error> {
    // Nothing is dropped meanwhile: a snapshot keeps rows, not tables. Held beyond the transaction,
    // because its snapshot has to be younger than the lock.
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
    let mut batches = follow(client, anchors, head.as_ref(), &mut report).await?;
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
            // Its rows would be read as the log's, and no append put them there.
            report.fault(
                1,
                format!("{} is a partition of the log that is not ours", leaf.get::<_, &str>(2)),
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

/// A leaf that is gone may be, where the chain says that its family's horizon has passed it.
fn check_dropped(leaf: String, batches: &[Batch], horizons: Horizons, report: &mut Report) {
    let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return };
    let (first, last) = (first.first, last.last);
    if Leaf::of_day(&leaf).is_some_and(|leaf| horizons.are_past(leaf)) {
        let events = batches.iter().map(|batch| batch.last - batch.first + 1).sum();
        report.dropped.push(Dropped { leaf, events, first, last });
    } else {
        report.fault(first, format!("the partition {leaf} is gone"));
    }
}

/// The head's horizons are those that the events of the chain have moved.
fn check_horizons(head: Horizons, chain: Horizons, report: &mut Report) {
    for family in Family::ALL {
        let (head, chain) = (head.of(family), chain.of(family));
        if head != chain {
            let shown = |at: Option<Timestamp>| at.map_or("none".to_owned(), |at| at.to_string());
            report.fault(
                report.position.max(1),
                format!(
                    "the head's horizon of {family} is {}, by the chain it is {}",
                    shown(head),
                    shown(chain)
                ),
            );
        }
    }
}

/// A projection that has applied more than the log contains has read what was cut off.
fn check_applied(applied: &[(String, i64)], report: &mut Report) {
    let furthest = applied.iter().max_by_key(|(_, position)| *position);
    if let Some((name, position)) = furthest.filter(|(_, position)| *position > report.position) {
        report.fault(
            report.position + 1,
            format!(
                "the tail is cut off: the projection {name} has applied events up to {position}"
            ),
        );
    }
}
