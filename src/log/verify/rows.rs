//! The rows of a leaf, compared with its batches.

use std::pin::pin;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio_postgres::Client;

use super::report::{Batch, Report};
use crate::event::Family;
use crate::log::chain::{ZERO, hash_columns};
use crate::log::horizon;
use crate::log::read::{COLUMNS, recorded_of_row};

/// Compares the rows of a leaf with the batches that went into it, both in order of positions. Returns the
/// horizons that are set by events in batches without a fault.
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
        let mut moved_here = Vec::new();
        let mut position = batch.first;
        while position <= batch.last {
            match &next {
                Some(row) if row.get::<_, i64>(0) < position => {
                    report.note_fault(
                        row.get(0),
                        format!("{leaf} holds a row that was not appended there"),
                    );
                    next = rows.try_next().await?;
                }
                Some(row) if row.get::<_, i64>(0) == position => {
                    // All columns except the position, which the batch's hash covers, and the hash.
                    hash = hash_columns(&hash, row, 1..row.len() - 1);
                    if let Ok(event) = recorded_of_row(row) {
                        moved_here.extend(horizon::parse_move(&event.event));
                    }
                    let stored: &[u8] = row.get("hash");
                    if hash.as_slice() != stored {
                        is_whole = false;
                        report.note_fault(
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
                    report.note_fault(position, format!("the row is missing from {leaf}"));
                    // Skip to the next row that exists: any number may be missing, and a forged batch may
                    // claim any number.
                    let existing = later.as_ref().map_or(i64::MAX, |row| row.get(0));
                    position = existing.min(batch.last.saturating_add(1));
                    if position == i64::MAX {
                        break;
                    }
                }
            }
        }
        // The rows' own hashes were forged, too: the digest shows only that some row of the batch differs.
        if is_whole && hash != batch.digest.as_slice() {
            report.note_fault(
                batch.first,
                format!(
                    "the rows {} to {} in {leaf} are not the ones that were appended",
                    batch.first, batch.last
                ),
            );
            is_whole = false;
        }
        if is_whole {
            moved.append(&mut moved_here);
        }
    }
    while let Some(row) = next {
        report.note_fault(row.get(0), format!("{leaf} holds a row that was not appended there"));
        next = rows.try_next().await?;
    }
    Ok(moved)
}
