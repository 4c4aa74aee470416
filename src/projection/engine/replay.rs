//! Replay: applies the log from position 0 to fresh tables, by the same code as live, while the old tables
//! keep serving; when it has caught up, one transaction swaps them. After an interruption the old tables
//! go on serving, and the next replay continues. Rows from before a horizon are copied.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;

use super::candidate;
use super::checkpoint;
use super::feed::Feed;
use super::frozen;
use super::slot::Slot;
use super::step::{Step, connect};
use super::stretch;
use super::{LeaseLost, Projection, StandBy, set_aside};
use crate::config::File;
use crate::db::{self, Database};
use crate::log::{self, Horizons};

/// The progress of a replay.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The last position whose event is applied.
    pub position: i64,
    /// The log's head at the last look.
    pub head: i64,
    /// The number of events that this call has applied.
    pub events: u64,
    /// The time since the call.
    pub elapsed: Duration,
}

impl Progress {
    /// Returns the number of events applied per second.
    pub fn events_per_s(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }
}

/// Rebuilds a projection's tables from the log and swaps them in. Calls `progress` after each stretch.
///
/// # Errors
///
/// When another process is replaying it, a stretch cannot be applied, or the database does not answer. The
/// old tables then go on serving.
pub async fn replay(
    database: &Database,
    projection: &'static Projection,
    file: &Arc<File>,
    holder: &str,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress),
) -> Result<()> {
    let mut step = begin(database, projection, file, holder).await?;
    let started = Instant::now();
    let mut events = 0;
    loop {
        // Each round reads the events that arrived during the one before; the rounds shrink quickly.
        loop {
            let before = step.held.position;
            let (head, _) = log::read_head(&step.client).await?;
            let mut feed = Feed::until(database, projection, file, before, head);
            while let Some(prepared) = feed.next().await? {
                if stop.is_cancelled() {
                    checkpoint::release(&step.client, projection, Slot::Next, &step.held).await?;
                    bail!(
                        "stopped at position {}: the next replay continues there",
                        step.held.position
                    );
                }
                events += prepared.events;
                if let Err(error) = step.apply(prepared).await {
                    step.note(&error).await;
                    return Err(error);
                }
                let position = step.held.position;
                progress(Progress { position, head, events, elapsed: started.elapsed() });
            }
            const CAUGHT_UP: i64 = 10_000;
            if step.held.position - before < CAUGHT_UP {
                break;
            }
        }
        // Only the swap is left after this; few rows arrive meanwhile.
        create_indexes(&mut step).await?;
        let copied = frozen::copy_frozen_ahead(&mut step.client, projection, &step.held).await?;
        // If one of their events has to be set aside, another round does that.
        if let Some(old) = swap(database, &mut step, copied).await? {
            drop_old(&step, &old).await;
            return Ok(());
        }
    }
}

/// Creates the indexes. This may take longer than a lease, so it is done as a step, during which no process
/// takes over.
async fn create_indexes(step: &mut Step) -> Result<()> {
    let (projection, slot) = (step.projection, step.slot);
    let transaction = step.client.transaction().await?;
    checkpoint::lock(&transaction, projection, slot, &step.held).await?;
    transaction.batch_execute(projection.indexes).await?;
    checkpoint::extend(&transaction, projection, slot, &step.held).await?;
    Ok(transaction.commit().await?)
}

/// Takes the next slot: empty, or with the rows that an interrupted replay of the same version left.
async fn begin(
    database: &Database,
    projection: &'static Projection,
    file: &Arc<File>,
    holder: &str,
) -> Result<Step> {
    let (slot, made) = (Slot::Next, &projection.rows_version(file));
    let mut client = connect(database, projection, slot).await?;
    candidate::check(&client, projection, made).await?;
    for _ in 0..2 {
        checkpoint::create(&mut client, projection, slot, made).await?;
        let Some(held) = checkpoint::acquire(&client, projection, slot, holder).await? else {
            return Err(StandBy::Replaying.into());
        };
        if checkpoint::rows_version(&client, projection, slot).await?.as_ref() == Some(made) {
            return Ok(Step { client, projection, file: Arc::clone(file), slot, held });
        }
        checkpoint::remove(&mut client, projection, slot).await?;
    }
    Err(StandBy::Replaying.into())
}

/// Catches up with the live tables under a lock on their checkpoint, copies the rows that became frozen
/// since `copied`, and takes their place. Returns the schema of the tables that served until now; `None`, with
/// nothing changed, if the read model has to go without an event that it would catch up with.
async fn swap(database: &Database, step: &mut Step, copied: Horizons) -> Result<Option<String>> {
    let (projection, slot) = (step.projection, step.slot);
    let mut held = step.held.clone();
    let (live, next) = (Slot::Live.schema(projection), Slot::Next.schema(projection));
    let old = format!("{live}__old");
    step.client.batch_execute(&format!("DROP SCHEMA IF EXISTS {old} CASCADE")).await?;

    let transaction = step.client.transaction().await?;
    // The first lock, so that no process takes over however long the others have to be waited for.
    let without = checkpoint::lock(&transaction, projection, slot, &held).await?;
    checkpoint::allow_swap(&transaction, projection).await?;
    let row = transaction
        .query_opt(
            "-- replay::swap lock
             SELECT position, fence FROM projection.checkpoint WHERE name = $1 AND slot = 'live' FOR UPDATE",
            &[&projection.name],
        )
        .await?;
    let (position, fence): (i64, i64) = row.map_or((0, 0), |row| (row.get(0), row.get(1)));
    if without.is_some_and(|without| without <= position) {
        return Ok(None);
    }
    let mut feed = Feed::until(database, projection, &step.file, held.position, position);
    while let Some(prepared) = feed.next().await? {
        let to = prepared.to;
        let Ok(decoded) = prepared.decoded else { return Ok(None) };
        let unused = match stretch::apply(projection, slot, &transaction, &step.file, decoded).await
        {
            Err(error) if set_aside::is_caused_by_event(&error) => return Ok(None),
            applied => applied?,
        };
        checkpoint::advance(&transaction, projection, slot, &held, to, unused).await?;
        held.position = to;
    }
    if held.position < position {
        bail!("the log ends before the live tables' position {position}");
    }
    frozen::copy_frozen(&transaction, projection.frozen.iter(), (&live, &next), copied).await?;
    transaction
        .batch_execute(&format!(
            "DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_namespace WHERE nspname = '{live}') THEN
                    ALTER SCHEMA {live} RENAME TO {old};
                END IF;
             END $$;
             ALTER SCHEMA {next} RENAME TO {live};
             DELETE FROM projection.checkpoint WHERE name = '{}' AND slot = 'live'",
            projection.name
        ))
        .await?;
    set_aside::swap(&transaction, projection).await?;
    // A fence beyond both: a process that projected into the old tables is refused and starts again.
    let swapped = transaction
        .execute(
            "-- replay::swap checkpoint
             UPDATE projection.checkpoint
             SET slot = 'live', fence = greatest(fence, $2) + 1, holder = NULL, lease_until = 'epoch'
             WHERE name = $1 AND slot = 'next' AND fence = $3",
            &[&projection.name, &fence, &held.fence],
        )
        .await?;
    if swapped != 1 {
        return Err(LeaseLost.into());
    }
    transaction.commit().await?;
    Ok(Some(old))
}

/// Drops the tables that served until now, as soon as no query reads them. The next replay drops any that
/// remain.
async fn drop_old(step: &Step, old: &str) {
    for _ in 0..10 {
        let dropped = step
            .client
            .batch_execute(&format!(
                "SET lock_timeout = '1s'; DROP SCHEMA IF EXISTS {old} CASCADE; RESET lock_timeout"
            ))
            .await;
        match dropped {
            Ok(()) => return,
            Err(error) => tracing::debug!("{old} is still read: {}", db::explain(&error)),
        }
    }
}
