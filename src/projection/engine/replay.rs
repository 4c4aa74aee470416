//! Replay: the live path from position 0 into fresh tables, while the old ones keep serving; when
//! it has caught up, one transaction swaps them. Ended in the middle, the old tables go on, and
//! the next replay goes on from where this one stood. What the log no longer holds is carried over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;

use super::checkpoint::{self, Slot};
use super::feed::Feed;
use super::frozen;
use super::step::{Step, connect};
use super::{LeaseLost, Projection, StandBy};
use crate::config::File;
use crate::db::{self, Database};
use crate::log::{self, Horizons};

/// How far a replay is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Last position applied.
    pub position: i64,
    /// The log's head when last looked at.
    pub head: i64,
    /// Events applied so far, by this call.
    pub events: u64,
    /// How long it has taken.
    pub elapsed: Duration,
}

impl Progress {
    /// Events applied per second.
    pub fn events_per_s(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }
}

/// Rebuilds a projection's tables from the log and swaps them in. `progress` is called after each
/// stretch.
///
/// # Errors
///
/// When another replay of it is under way, a stretch cannot be applied, or the database goes away;
/// the old tables then go on serving.
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
    // Each round reads what came while the one before was applied; the rounds shrink quickly.
    loop {
        let before = step.held.position;
        let (head, _) = log::head(&step.client).await?;
        let mut feed = Feed::until(database, projection, file, before, head);
        while let Some(prepared) = feed.next().await? {
            if stop.is_cancelled() {
                checkpoint::release(&step.client, projection, Slot::Next, &step.held).await?;
                bail!(
                    "stopped at position {}: the next replay goes on from there",
                    step.held.position
                );
            }
            events += prepared.events;
            step.apply(prepared).await?;
            let position = step.held.position;
            progress(Progress { position, head, events, elapsed: started.elapsed() });
        }
        const CAUGHT_UP: i64 = 10_000;
        if step.held.position - before < CAUGHT_UP {
            break;
        }
    }
    // With these the swap is all that is left; the rows that come meanwhile are few.
    make_indexes(&mut step).await?;
    let carried = frozen::copy_frozen_ahead(&mut step.client, projection, &step.held).await?;
    swap(database, step, carried).await
}

/// Makes the indexes, which may take longer than a lease: as in a step, nobody takes over meanwhile.
async fn make_indexes(step: &mut Step) -> Result<()> {
    let (projection, slot) = (step.projection, step.slot);
    let transaction = step.client.transaction().await?;
    checkpoint::lock(&transaction, projection, slot, &step.held).await?;
    transaction.batch_execute(projection.indexes).await?;
    checkpoint::extend(&transaction, projection, slot, &step.held).await?;
    Ok(transaction.commit().await?)
}

/// Takes the next slot: fresh, or as a replay of the same version left it.
async fn begin(
    database: &Database,
    projection: &'static Projection,
    file: &Arc<File>,
    holder: &str,
) -> Result<Step> {
    let (slot, made) = (Slot::Next, &projection.rows_version(file));
    let mut client = connect(database, projection, slot).await?;
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

/// Catches up with the live tables under a lock on their checkpoint, carries over what became frozen
/// beyond what is `carried`, and takes their place.
async fn swap(database: &Database, mut step: Step, carried: Horizons) -> Result<()> {
    let (projection, slot) = (step.projection, step.slot);
    let (live, next) = (Slot::Live.schema(projection), Slot::Next.schema(projection));
    let old = format!("{live}__old");
    step.client.batch_execute(&format!("DROP SCHEMA IF EXISTS {old} CASCADE")).await?;

    let transaction = step.client.transaction().await?;
    // First, so that nobody takes over however long the waits are.
    checkpoint::lock(&transaction, projection, slot, &step.held).await?;
    checkpoint::allow_swap(&transaction, projection).await?;
    let row = transaction
        .query_opt(
            "-- replay::swap lock
             SELECT position, fence FROM projection.checkpoint WHERE name = $1 AND slot = 'live' FOR UPDATE",
            &[&projection.name],
        )
        .await?;
    let (position, fence): (i64, i64) = row.map_or((0, 0), |row| (row.get(0), row.get(1)));
    let mut feed = Feed::until(database, projection, &step.file, step.held.position, position);
    while let Some(prepared) = feed.next().await? {
        (projection.apply)(&transaction, &step.file, prepared.decoded.facts).await?;
        checkpoint::advance(
            &transaction,
            projection,
            slot,
            &step.held,
            prepared.to,
            prepared.decoded.skipped,
        )
        .await?;
        step.held.position = prepared.to;
    }
    if step.held.position < position {
        bail!("the log could not be read up to the live tables' position {position}");
    }
    frozen::copy_frozen(&transaction, projection.frozen.iter(), (&live, &next), carried).await?;
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
    // A fence beyond both: whoever projected into the old tables is refused, and begins anew.
    let swapped = transaction
        .execute(
            "-- replay::swap checkpoint
             UPDATE projection.checkpoint
             SET slot = 'live', fence = greatest(fence, $2) + 1, holder = NULL, lease_until = 'epoch'
             WHERE name = $1 AND slot = 'next' AND fence = $3",
            &[&projection.name, &fence, &step.held.fence],
        )
        .await?;
    if swapped != 1 {
        return Err(LeaseLost.into());
    }
    transaction.commit().await?;
    drop_old(&step, &old).await;
    Ok(())
}

/// Drops the tables that served until now, as soon as no query reads them any more. What stays
/// behind is dropped by the next replay.
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
