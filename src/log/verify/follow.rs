//! The chain of batches, from the first to the head.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{Client, Row};

use super::{Anchor, Batch, Report};
use crate::log::chain::{BATCH_COLUMNS, ZERO, hash_of_sent, hex};

/// Follows the chain of batches up to the head; returns the batches of each leaf.
pub(super) async fn follow(
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
            report.fault(
                position + 1,
                format!(
                    "the chain is broken: batch {count} should begin here, batch {number} at {} follows",
                    batch.first
                ),
            );
            count = number;
        }
        hash = hash_of_sent(&hash, &row, 0..row.len() - 1);
        let stored: &[u8] = row.get("hash");
        if hash.as_slice() != stored {
            report
                .fault(batch.first, format!("batch {number} is not the one the chain was made of"));
            // Go on from what stands there, so that the rest is checked in its own right.
            hash = stored.try_into().unwrap_or(hash);
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
