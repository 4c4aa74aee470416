//! `verify`: walks the chain from the first batch to the head, and every leaf row by row beside it.
//! A changed, removed, inserted or moved row gives the position where it shows.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{Client, Row};

use super::chain::{BatchLink, Hash, ZERO, batch_hash, hex, row_hash, unhex};
use super::copy::COLUMNS;
use super::leaf::is_leaf_name;
use super::read::recorded;

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
    /// The first fault; `None`: the log is what was appended.
    pub fault: Option<Fault>,
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

/// Checks the whole log within one snapshot, and `anchors` against the chain. `progress` is called
/// with the number of events checked so far.
///
/// # Errors
///
/// When the database is away; what is wrong with the log is in the report.
pub async fn verify(
    client: &mut Client,
    anchors: &[Anchor],
    mut progress: impl FnMut(u64),
) -> Result<Report, tokio_postgres::Error> {
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let client = transaction.client();
    let mut report = Report::default();
    let head = client.query_opt("SELECT position, batch, hash FROM log.head", &[]).await?;
    let mut batches = chain(client, anchors, head.as_ref(), &mut report).await?;
    let leaves = client
        .query(
            "SELECT relname::text, relnamespace = 'log'::regnamespace AS is_in_log, relid::regclass::text
             FROM pg_partition_tree('log.event') JOIN pg_class ON oid = relid
             WHERE isleaf",
            &[],
        )
        .await?;
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
        check_leaf(client, name, &batches, &mut report, &mut progress).await?;
    }
    for (leaf, batches) in &batches {
        report.fault(batches[0].first, format!("the partition {leaf} is gone"));
    }
    beyond_the_head(client, &mut report).await?;
    Ok(report)
}

/// Follows the chain of batches up to the head; returns the batches of each leaf.
async fn chain(
    client: &Client,
    anchors: &[Anchor],
    head: Option<&Row>,
    report: &mut Report,
) -> Result<BTreeMap<String, Vec<Batch>>, tokio_postgres::Error> {
    let mut batches: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
    let (mut hash, mut position, mut count) = (ZERO, 0, 0);
    let mut met = vec![false; anchors.len()];
    let rows = client
        .query_raw(
            "SELECT batch, leaf, first_position, last_position, digest, hash, family, bytes, recorded_at
             FROM log.batch ORDER BY batch",
            [] as [i64; 0],
        )
        .await?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await? {
        let (number, leaf): (i64, &str) = (row.get(0), row.get(1));
        let batch = Batch { first: row.get(2), last: row.get(3), digest: row.get(4) };
        count += 1;
        if number != count || batch.first != position + 1 {
            report.fault(
                position + 1,
                format!(
                    "the chain is broken: batch {count} should begin here, batch {number} at {} follows",
                    batch.first
                ),
            );
            count = number;
        }
        hash = batch_hash(
            &hash,
            &BatchLink {
                batch: number,
                leaf,
                family: row.get(6),
                bytes: row.get(7),
                recorded_at: row.get(8),
                first_position: batch.first,
                last_position: batch.last,
                digest: &batch.digest,
            },
        );
        if hash.as_slice() != row.get::<_, &[u8]>(5) {
            report
                .fault(batch.first, format!("batch {number} is not the one the chain was made of"));
            // Go on from what stands there, so that the rest is checked in its own right.
            hash = row.get::<_, &[u8]>(5).try_into().unwrap_or(hash);
        }
        for (anchor, met) in anchors.iter().zip(&mut met) {
            if anchor.position == batch.last {
                *met = true;
                if anchor.hash != hash {
                    report.fault(
                        1,
                        format!(
                            "the chain was written again: at position {} its hash was {}, now it is {}; \
                             the change lies somewhere from 1 to there",
                            anchor.position, hex(&anchor.hash), hex(&hash)
                        ),
                    );
                }
            }
        }
        position = batch.last;
        report.batches += 1;
        batches.entry(leaf.to_owned()).or_default().push(batch);
    }
    report.position = position;
    report.hash = hex(&hash);
    match head {
        None => report.fault(1, "the log's head is missing"),
        Some(head) => {
            let (at, batch): (i64, i64) = (head.get(0), head.get(1));
            if at > position || batch > count {
                report.fault(position + 1, format!("the tail is cut off: the head stands at {at}"));
            } else if at < position {
                report.fault(
                    at + 1,
                    format!("the head stands at {at}, the chain goes on to {position}"),
                );
            } else if head.get::<_, &[u8]>(2) != hash {
                report.fault(position, "the head's hash is not the chain's");
            }
        }
    }
    for (anchor, met) in anchors.iter().zip(met) {
        if anchor.position == 0 && anchor.hash == ZERO || met {
            continue;
        }
        if anchor.position > position {
            report.fault(
                position + 1,
                format!(
                    "the tail is cut off: the log had reached {} when its hash was noted",
                    anchor.position
                ),
            );
        } else {
            report.fault(
                1,
                format!("the chain was written again: no append ended at position {}, where its hash was noted", anchor.position),
            );
        }
    }
    Ok(batches)
}

/// Compares the rows of a leaf with the batches that went into it, both in order of positions.
async fn check_leaf(
    client: &Client,
    leaf: &str,
    batches: &[Batch],
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> Result<(), tokio_postgres::Error> {
    let rows = client
        .query_raw(&format!("SELECT {COLUMNS} FROM log.{leaf} ORDER BY position"), [] as [i64; 0])
        .await?;
    let mut rows = pin!(rows);
    let mut next = rows.try_next().await?;
    for batch in batches {
        let (mut hash, mut is_whole) = (ZERO, true);
        let mut position = batch.first;
        while position <= batch.last {
            match &next {
                Some(row) if row.get::<_, i64>(0) < position => {
                    report.fault(
                        row.get(0),
                        format!("{leaf} holds a row that was not appended there"),
                    );
                    next = rows.try_next().await?;
                }
                Some(row) if row.get::<_, i64>(0) == position => {
                    if let Ok(event) = recorded(row) {
                        hash = row_hash(&hash, event.recorded_at, &event.event);
                    }
                    if hash.as_slice() != row.get::<_, &[u8]>(12) {
                        is_whole = false;
                        report.fault(
                            position,
                            format!("the row in {leaf} is not the one that was appended"),
                        );
                        hash = row.get::<_, &[u8]>(12).try_into().unwrap_or(ZERO);
                    }
                    report.events += 1;
                    if report.events.is_multiple_of(10_000) {
                        progress(report.events);
                    }
                    next = rows.try_next().await?;
                    position += 1;
                }
                later => {
                    is_whole = false;
                    report.fault(position, format!("the row is missing from {leaf}"));
                    // However many are missing, or a forged batch claims: on to the next that is there.
                    let there = later.as_ref().map_or(i64::MAX, |row| row.get(0));
                    position = there.min(batch.last.saturating_add(1));
                    if position == i64::MAX {
                        break;
                    }
                }
            }
        }
        // Rows whose own hashes were forged along: which of them, only the batch's digest knew.
        if is_whole && hash != batch.digest.as_slice() {
            report.fault(
                batch.first,
                format!(
                    "the rows {} to {} in {leaf} are not those that were appended",
                    batch.first, batch.last
                ),
            );
        }
    }
    while let Some(row) = next {
        report.fault(row.get(0), format!("{leaf} holds a row that was not appended there"));
        next = rows.try_next().await?;
    }
    Ok(())
}

/// A projection that has seen more than the log holds has seen what was cut off.
async fn beyond_the_head(
    client: &Client,
    report: &mut Report,
) -> Result<(), tokio_postgres::Error> {
    let row = client
        .query_opt(
            "SELECT name, position FROM projection.checkpoint WHERE position > $1 ORDER BY position DESC LIMIT 1",
            &[&report.position],
        )
        .await?;
    if let Some(row) = row {
        let (name, position): (&str, i64) = (row.get(0), row.get(1));
        report.fault(
            report.position + 1,
            format!(
                "the tail is cut off: the projection {name} has applied events up to {position}"
            ),
        );
    }
    Ok(())
}
