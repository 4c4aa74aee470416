//! Rollups: the samples of hosts, summed up by minute, hour and day.
//!
//! `decode` reads a stretch of events and sums it up (`fact`, `bucket`, `sum`), so that few rows are
//! loaded and written. A bucket is the sum of the samples of all events, and the log has each event once.
//! All these are pure. `resolution` knows the tables and creates their partitions, `load` and `write` carry
//! rows from and to the database, `read` contains the queries on the live tables.

mod bucket;
mod decode;
mod expiry;
mod fact;
mod load;
mod read;
mod resolution;
pub mod routes;
mod sum;
#[cfg(test)]
mod tests;
mod write;

use std::any::Any;

use anyhow::{Result, anyhow};
use tokio_postgres::Transaction;

pub use self::expiry::{delete_days_before, drop_partition, list_partitions, read_first_day};
pub use self::read::{BucketSums, list_metrics, read_sums};
pub use self::resolution::Resolution;

use self::fact::Facts;
use crate::event::Family;
use crate::log::{self, Limit};
use crate::projection::{FrozenRows, Projection};

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "rollup",
    version: 2,
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
        FrozenRows {
            merge: Some(
                "(host, metric) DO UPDATE SET first_at = least(t.first_at, excluded.first_at),
                 last_at = greatest(t.last_at, excluded.last_at),
                 alive_at = greatest(t.alive_at, excluded.alive_at)",
            ),
            ..before_horizon("series", "first_at")
        },
    ],
    // Facts contain each value and each bucket: several times the size of a body of short samples.
    stretch: Limit { bytes: 8 << 20, ..Limit::USUAL },
    decode: |_| Box::<decode::Decoder>::default(),
    apply: |tx, _, facts| Box::pin(apply(tx, facts)),
    routes: routes::routes,
};

/// Returns the rule for rows that stay as they were when the horizon of `perf` passed them.
const fn before_horizon(table: &'static str, column: &'static str) -> FrozenRows {
    FrozenRows { table, family: Family::Perf, column, merge: None }
}

/// Merges facts into the rows of the search path's schema.
async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let mut facts: Box<Facts> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of rollup"))?;
    let horizon = log::read_horizon(tx, Family::Perf).await?;
    let frozen = horizon.map_or(0, |horizon| facts.remove_before(horizon));
    if frozen > 0 {
        metrics::counter!("stackledger_rollup_frozen_samples_total").increment(frozen);
    }
    write::write_rejections(tx, &facts.rejections).await?;
    if facts.keys.is_empty() {
        return Ok(());
    }
    load::prefer_indexes(tx).await?;
    let spans = load::load_spans(tx, &facts.keys).await?;
    for resolution in Resolution::ALL {
        for (partition, buckets) in facts.by_partition(resolution) {
            resolution::ensure_partition(tx, &partition).await?;
            let rows = load::load_buckets(tx, &partition, &facts.keys, &buckets, &spans).await?;
            write::write_buckets(tx, &partition, &facts.keys, &buckets, rows).await?;
        }
    }
    write::write_series(tx, &facts, &spans).await
}
