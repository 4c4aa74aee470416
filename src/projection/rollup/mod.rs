//! Rollups: what the samples of hosts come to by the minute, hour and day.
//!
//! `fact` reads events and sums up a stretch of them (`bucket`, `sum`), so that there is little left to
//! carry; what a bucket holds is the sum of what all events said, and the log has each event once. All
//! these are pure. `resolution` knows the tables and makes their partitions, `load` and `write` carry
//! rows from and to the database.

mod bucket;
mod fact;
mod load;
mod resolution;
pub mod routes;
mod sum;
#[cfg(test)]
mod tests;
mod write;

use std::any::Any;

use anyhow::{Result, anyhow};
use tokio_postgres::Transaction;

use self::fact::Facts;
use self::resolution::Resolution;
use crate::event::Family;
use crate::log::{self, Limit};
use crate::projection::{Frozen, Projection};

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "rollup",
    version: 1,
    families: &[Family::Perf],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/rollup.sql"),
    indexes: include_str!("../../../schema/rollup_indexes.sql"),
    tables: &["minute", "hour", "day", "series", "rejected"],
    frozen: &[
        before_horizon("minute", "start"),
        before_horizon("hour", "start"),
        before_horizon("day", "start"),
        before_horizon("rejected", "start"),
        Frozen {
            merge: Some(
                "(host, metric) DO UPDATE SET first_at = least(t.first_at, excluded.first_at),
                 last_at = greatest(t.last_at, excluded.last_at)",
            ),
            ..before_horizon("series", "first_at")
        },
    ],
    // Facts hold each value and each bucket: several times what a body of short samples takes.
    stretch: Limit { bytes: 8 << 20, ..Limit::USUAL },
    decode: |_| Box::<fact::Decoder>::default(),
    apply: |tx, _, facts| Box::pin(apply(tx, facts)),
};

/// Rows that stay as they were when the horizon of perf passed them.
const fn before_horizon(table: &'static str, column: &'static str) -> Frozen {
    Frozen { table, family: Family::Perf, column, merge: None }
}

/// Folds facts into the rows of the search path's schema.
async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let mut facts: Box<Facts> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of rollup"))?;
    let horizon = log::read_horizon(tx, Family::Perf).await?;
    let frozen = horizon.map_or(0, |horizon| facts.leave_out_before(horizon));
    if frozen > 0 {
        metrics::counter!("stackledger_rollup_frozen_samples_total").increment(frozen);
    }
    write::rejected(tx, &facts.rejected).await?;
    if facts.keys.is_empty() {
        return Ok(());
    }
    load::by_index(tx).await?;
    let known = load::series(tx, &facts.keys).await?;
    for resolution in Resolution::ALL {
        for (partition, told) in facts.by_partition(resolution) {
            resolution::ensure(tx, &partition).await?;
            let stored = load::buckets(tx, &partition, &facts.keys, &told, &known).await?;
            write::buckets(tx, &partition, &facts.keys, &told, stored).await?;
        }
    }
    write::series(tx, &facts, &known).await
}
