//! Rebuilds a read model aside and compares it, row by row, with the live one at the same position
//! (`verify --read-models`). Rows before a horizon are left out, because they cannot be rebuilt, and so are events
//! that the live read model goes without.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio_util::sync::CancellationToken;

use super::Projection;
use super::checkpoint;
use super::feed::Feed;
use super::frozen;
use super::live;
use super::set_aside;
use super::slot::Slot;
use super::step::connect;
use super::stretch;
use crate::config::File;
use crate::db::Database;
use crate::log;

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The position of both.
    pub position: i64,
    /// The number of rebuilt rows.
    pub rows: i64,
    /// The number of rows that are not compared: they lie before a horizon, and the events they were made of
    /// may be dropped.
    pub frozen: i64,
    /// The first row that differs: its table, the side that has it, and the row as JSON.
    pub difference: Option<String>,
}

/// Rebuilds the projection up to the position of the live tables, into tables of its own within a
/// transaction that is rolled back, and compares both. The live tables are not disturbed.
///
/// # Errors
///
/// When no process has ever projected it, or the database does not answer.
pub async fn compare(
    database: &Database,
    projection: &'static Projection,
    file: &Arc<File>,
    stop: &CancellationToken,
    mut progress: impl FnMut(i64, i64),
) -> Result<Comparison> {
    let aside = format!("{}__check_{}", projection.name, std::process::id());
    let live = Slot::Live.schema(projection);
    let mut client = connect(database, projection, Slot::Live).await?;
    // A snapshot keeps rows, not names: without the lock, a replay's swap would put tables in place
    // whose rows are too young for it. It is released with the connection.
    checkpoint::lock_tables_shared(&client, projection.name).await?;
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await?;
    let position = live::live_position(&transaction, projection)
        .await?
        .with_context(|| format!("no process has ever projected {}", projection.name))?
        .position;
    transaction
        .batch_execute(&format!(
            "CREATE SCHEMA {aside}; SET LOCAL search_path = {aside}; {}",
            projection.ddl
        ))
        .await?;
    let without = set_aside::positions(&transaction, projection).await?;
    let mut feed = Feed::of_all_but(without, database, projection, file, position);
    while let Some(prepared) = feed.next().await? {
        if stop.is_cancelled() {
            bail!("stopped");
        }
        stretch::fold(projection, &transaction, file, prepared.decoded?.facts).await?;
        progress(prepared.to, position);
    }
    let mut comparison = Comparison { position, rows: 0, frozen: 0, difference: None };
    let horizons = log::read_horizons(&transaction).await?;
    let merged = projection.frozen.iter().filter(|frozen| frozen.merge.is_some());
    frozen::copy_frozen(&transaction, merged, (&live, &aside), log::Horizons::default()).await?;
    for table in projection.tables {
        let frozen = projection.frozen.iter().find(|frozen| frozen.table == *table);
        let is_frozen = frozen.and_then(|frozen| frozen.frozen_condition(horizons));
        let is_frozen = is_frozen.as_deref().unwrap_or("false");
        let row = transaction
            .query_one(
                // Whole rows as JSON: NULLs and arrays are compared by value, and the first difference can
                // be shown.
                &format!(
                    "-- compare
                     WITH live AS (SELECT to_jsonb(t) AS r FROM {live}.{table} AS t WHERE ({is_frozen}) IS NOT TRUE),
                          again AS (SELECT to_jsonb(t) AS r FROM {aside}.{table} AS t WHERE ({is_frozen}) IS NOT TRUE),
                          differ AS (
                              (SELECT 'only live' AS side, r FROM (SELECT r FROM live EXCEPT ALL SELECT r FROM again) AS x)
                              UNION ALL
                              (SELECT 'only replayed', r FROM (SELECT r FROM again EXCEPT ALL SELECT r FROM live) AS x)
                          )
                     SELECT (SELECT count(*) FROM again),
                            (SELECT side || ': ' || r::text FROM differ ORDER BY r::text, side LIMIT 1),
                            (SELECT count(*) FROM {live}.{table} AS t WHERE {is_frozen})"
                ),
                &[],
            )
            .await?;
        comparison.rows += row.get::<_, i64>(0);
        comparison.frozen += row.get::<_, i64>(2);
        if let Some(difference) = row.get::<_, Option<String>>(1)
            && comparison.difference.is_none()
        {
            comparison.difference = Some(format!("{live}.{table}, {difference}"));
        }
    }
    transaction.rollback().await?;
    Ok(comparison)
}
