//! The chain of batches, from the first to the head.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{Client, Row};

use super::report::{Anchor, Batch, Report};
use crate::log::chain::{BATCH_COLUMNS, ZERO, hash_columns};

/// Follows the chain of batches up to the head, and checks it, the head and the anchors. Returns the batches
/// of each leaf.
pub(super) async fn check_batches(
    client: &Client,
    anchors: &[Anchor],
    head: Option<&Row>,
    report: &mut Report,
) -> Result<BTreeMap<String, Vec<Batch>>, tokio_postgres::Error> {
    let mut batches: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
    let (mut hash, mut position, mut count) = (ZERO, 0, 0);
    let mut is_found = vec![false; anchors.len()];
    let rows = client
        .query_raw(
            &format!("SELECT {BATCH_COLUMNS}, hash FROM log.batch ORDER BY batch"),
            [] as [i64; 0],
        )
        .await?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await? {
        let (number, leaf): (i64, &str) = (row.get(0), row.get(1));
        let batch = Batch { first: row.get(3), last: row.get(4), digest: row.get(6) };
        count += 1;
        if number != count || batch.first != position + 1 {
            report.note_fault(
                position + 1,
                format!(
                    "the chain is broken: batch {count} should begin here, but batch {number} at {} follows",
                    batch.first
                ),
            );
            count = number;
        }
        hash = hash_columns(&hash, &row, 0..row.len() - 1);
        let stored: &[u8] = row.get("hash");
        if hash.as_slice() != stored {
            report.note_fault(
                batch.first,
                format!("batch {number} is not the one that was appended"),
            );
            // Go on from the stored hash, so that the rest is checked on its own.
            hash = stored.try_into().unwrap_or(hash);
        }
        for (anchor, is_found) in anchors.iter().zip(&mut is_found) {
            if anchor.position == batch.last {
                *is_found = true;
                if anchor.hash != hash {
                    report.note_fault(
                        1,
                        format!(
                            "the chain was written again: at position {} its hash was {}, now it is {}; \
                             the change is somewhere between 1 and that position",
                            anchor.position, hex::encode(anchor.hash), hex::encode(hash)
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
    report.hash = hex::encode(hash);
    match head {
        None => report.note_fault(1, "the log's head is missing"),
        Some(head) => {
            let (at, batch): (i64, i64) = (head.get(0), head.get(1));
            if at > position || batch > count {
                report
                    .note_fault(position + 1, format!("the tail is cut off: the head is at {at}"));
            } else if at < position {
                report.note_fault(
                    at + 1,
                    format!("the head is at {at}, but the chain goes on to {position}"),
                );
            } else if head.get::<_, &[u8]>(2) != hash {
                report.note_fault(position, "the head's hash is not the chain's");
            }
        }
    }
    for (anchor, is_found) in anchors.iter().zip(is_found) {
        if anchor.position == 0 && anchor.hash == ZERO || is_found {
            continue;
        }
        if anchor.position > position {
            report.note_fault(
                position + 1,
                format!(
                    "the tail is cut off: the log had reached {} when its hash was noted",
                    anchor.position
                ),
            );
        } else {
            report.note_fault(
                1,
                format!("the chain was written again: no append ended at position {}, where its hash was noted", anchor.position),
            );
        }
    }
    Ok(batches)
}
