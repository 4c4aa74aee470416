//! A leaf, row by row beside its batches.

use std::pin::pin;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio_postgres::Client;

use super::{Batch, Report};
use crate::event::Family;
use crate::log::chain::{ZERO, hash_of_sent};
use crate::log::horizon;
use crate::log::read::{COLUMNS, recorded};

/// Compares the rows of a leaf with the batches that went into it, both in order of positions.
/// Returns the horizons that events of batches without a fault have moved.
pub(super) async fn check_leaf(
    client: &Client,
    leaf: &str,
    batches: &[Batch],
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> Result<Vec<(Family, Timestamp)>, tokio_postgres::Error> {
    let mut moved = Vec::new();
    let rows = client
        .query_raw(
            &format!("SELECT {COLUMNS}, hash FROM log.{leaf} ORDER BY position"),
            [] as [i64; 0],
        )
        .await?;
    let mut rows = pin!(rows);
    let mut next = rows.try_next().await?;
    for batch in batches {
        let (mut hash, mut is_whole) = (ZERO, true);
        let mut said_here = Vec::new();
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
                    // All but the position, which the batch has, and the hash.
                    hash = hash_of_sent(&hash, row, 1..row.len() - 1);
                    if let Ok(event) = recorded(row) {
                        said_here.extend(horizon::said(&event.event));
                    }
                    let stored: &[u8] = row.get("hash");
                    if hash.as_slice() != stored {
                        is_whole = false;
                        report.fault(
                            position,
                            format!("the row in {leaf} is not the one that was appended"),
                        );
                        hash = stored.try_into().unwrap_or(ZERO);
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
            is_whole = false;
        }
        if is_whole {
            moved.append(&mut said_here);
        }
    }
    while let Some(row) = next {
        report.fault(row.get(0), format!("{leaf} holds a row that was not appended there"));
        next = rows.try_next().await?;
    }
    Ok(moved)
}
