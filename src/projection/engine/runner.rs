//! Runs projections, each on a thread of its own. A projection is active in one process; the others stand
//! by.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::candidate::{self, Candidate};
use super::checkpoint::{self, RowsVersion};
use super::feed::Feed;
use super::slot::Slot;
use super::step::{Step, describe};
use super::{LeaseLost, Projection, StandBy, replay, wake};
use crate::config::{Config, File};
use crate::db::{self, Database};
use crate::health::Health;
use crate::lifecycle::{Backoff, process_name, random_id, run_on_own_thread};
use crate::supervise::{GivenUp, supervise};

/// Pause between two tries of a standby to take the lease.
const STANDBY_INTERVAL: Duration = Duration::from_millis(500);
/// Pause between two extensions of the lease by a process without work.
const EXTEND_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the projections until `stop` is cancelled. A projection that fails stops alone: it reports the error
/// and tries again from time to time, while the others go on.
///
/// # Errors
///
/// When the task that listens for appends panics again and again.
pub async fn run(
    projections: &'static [&'static Projection],
    database: Database,
    config: Arc<Config>,
    health: Arc<Health>,
    stop: CancellationToken,
) -> Result<()> {
    let (heads, wake) = watch::channel(0);
    let projected = projections.iter().map(|it| (*it, it.rows_version(&config.file)));
    let candidate = Candidate {
        holder: format!("{}-{}", std::process::id(), random_id().simple()),
        process: process_name(),
        projections: projected.collect(),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_announcing(
        database.clone(),
        candidate.clone(),
        Arc::clone(&health),
        stop.clone(),
    ));
    tasks.spawn(keep_listening(
        database.clone(),
        Arc::new(heads),
        Arc::clone(&health),
        stop.clone(),
    ));
    for projection in projections {
        let runner = Runner {
            database: database.clone(),
            projection,
            part: format!("projection {}", projection.name),
            rows_version: projection.rows_version(&config.file),
            file: Arc::clone(&config.file),
            health: Arc::clone(&health),
            candidate: candidate.clone(),
            wake: wake.clone(),
            stop: stop.clone(),
        };
        tasks.spawn(keep_running(runner));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn keep_announcing(
    database: Database,
    candidate: Candidate,
    health: Arc<Health>,
    stop: CancellationToken,
) -> Result<(), GivenUp> {
    let begin = || candidate.clone().keep_announcing(database.clone(), stop.clone());
    supervise("announcing the projector", &health, &stop, begin).await
}

async fn keep_listening(
    database: Database,
    heads: Arc<watch::Sender<i64>>,
    health: Arc<Health>,
    stop: CancellationToken,
) -> Result<(), GivenUp> {
    let begin = || wake::listen(database.clone(), Arc::clone(&heads), stop.clone());
    supervise("listening for appends", &health, &stop, begin).await
}

/// Runs a projection on a thread of its own, and again after a panic, however often: the cause may pass, and neither the
/// other projections nor the log are concerned.
async fn keep_running(runner: Runner) -> Result<(), GivenUp> {
    const AFTER_PANIC: Duration = Duration::from_secs(5);
    loop {
        let (thread, part) = (runner.clone(), runner.part.clone());
        if run_on_own_thread(&part, move || async move { thread.run().await }).await.is_ok() {
            return Ok(());
        }
        runner.health.set_fault(&part, "it panicked");
        tracing::error!("{part} panicked; trying again");
        tokio::select! {
            () = tokio::time::sleep(AFTER_PANIC) => {}
            () = runner.stop.cancelled() => return Ok(()),
        }
    }
}

/// Whether the database was away, so that a later attempt can succeed.
fn is_transient(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref().is_some_and(db::is_transient)
}

#[derive(Clone)]
struct Runner {
    database: Database,
    projection: &'static Projection,
    /// Its name among the parts of [`Health`].
    part: String,
    rows_version: RowsVersion,
    file: Arc<File>,
    health: Arc<Health>,
    candidate: Candidate,
    wake: watch::Receiver<i64>,
    stop: CancellationToken,
}

impl Runner {
    async fn run(&self) {
        let part = &self.part;
        let (mut backoff, mut database_backoff) =
            (Backoff::for_service(), Backoff::for_readiness());
        // A state is said once, however often it is found again.
        let mut said = None;
        while !self.stop.is_cancelled() {
            let mut is_database_away = false;
            match self.session(part, &mut backoff).await {
                Ok(()) => return,
                Err(error) if matches!(error.downcast_ref(), Some(StandBy::Conflict { .. })) => {
                    if self.health.set_fault(part, error.to_string()) {
                        tracing::error!("{part}: {error}; standing by");
                    }
                }
                Err(error) if error.is::<StandBy>() => {
                    self.health.clear_fault(part);
                    let reason = error.to_string();
                    if said.as_ref() != Some(&reason) {
                        tracing::info!("{part}: {reason}; standing by");
                    }
                    said = Some(reason);
                }
                // The lease went to another process, or a replay swapped the tables: start again.
                Err(error) if error.is::<LeaseLost>() => {
                    tracing::info!("{part}: its lease was taken; beginning anew");
                    continue;
                }
                Err(error) => {
                    is_database_away = error.chain().any(is_transient);
                    if self.health.set_fault(part, describe(&error)) {
                        tracing::error!("{part} is stopped by an error: {}", describe(&error));
                    }
                }
            }
            let backoff = if is_database_away {
                &mut database_backoff
            } else {
                database_backoff.reset();
                &mut backoff
            };
            if !backoff.wait(&self.stop).await {
                return;
            }
        }
    }

    /// Takes the lease and applies events until the lease is lost. Returns `Ok` only after `stop`.
    async fn session(&self, part: &str, backoff: &mut Backoff) -> Result<()> {
        let mut client = self.database.connect(Some(&Slot::Live.schema(self.projection))).await?;
        self.candidate.announce(&client).await?;
        candidate::check(&client, self.projection, &self.rows_version).await?;
        self.prepare(&mut client).await?;
        let mut is_said = false;
        let held = loop {
            if let Some(held) =
                checkpoint::acquire(&client, self.projection, Slot::Live, &self.candidate.holder)
                    .await?
            {
                break held;
            }
            self.health.clear_fault(part);
            if !std::mem::replace(&mut is_said, true) {
                let holder = candidate::find_holder(&client, self.projection).await?;
                let holder = holder.as_deref().unwrap_or("another process");
                tracing::info!("{part}: {holder} projects it; standing by");
            }
            tokio::select! {
                () = tokio::time::sleep(STANDBY_INTERVAL) => {}
                () = self.stop.cancelled() => return Ok(()),
            }
        };
        // A projection that stands on an event says so once, however often it tries again.
        if !self.health.faults().contains_key(part) {
            tracing::info!("{part}: projecting from position {}", held.position);
        }
        let (projection, file) = (self.projection, Arc::clone(&self.file));
        let wake = self.wake.clone();
        let mut feed = Feed::follow(&self.database, projection, &file, held.position, wake);
        let mut step = Step { client, projection, file, slot: Slot::Live, held };
        // Not at once: the first second shows whether the projection works again.
        let first = tokio::time::Instant::now() + EXTEND_INTERVAL;
        let mut extend = tokio::time::interval_at(first, EXTEND_INTERVAL);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => {
                    let _ = checkpoint::release(&step.client, self.projection, Slot::Live, &step.held).await;
                    return Ok(());
                }
                prepared = feed.next() => {
                    let Some(prepared) = prepared? else { bail!("reading the log ended unexpectedly") };
                    if let Err(error) = step.apply(prepared).await {
                        step.note(&error).await;
                        return Err(error);
                    }
                    backoff.reset();
                    if self.health.clear_fault(part) {
                        tracing::info!("{part}: works again");
                    }
                }
                _ = extend.tick() => {
                    checkpoint::extend(&step.client, self.projection, Slot::Live, &step.held).await?;
                    self.health.clear_fault(part);
                }
            }
        }
    }

    /// Creates the tables if they do not exist. Replays beside them if another version or configuration made
    /// them.
    async fn prepare(&self, client: &mut Client) -> Result<()> {
        let made = checkpoint::rows_version(client, self.projection, Slot::Live).await?;
        match made {
            None => {
                checkpoint::create(client, self.projection, Slot::Live, &self.rows_version).await?
            }
            // During a rolling upgrade the older process leaves the tables to the newer one.
            Some(made) if made.version > self.rows_version.version => {
                return Err(StandBy::Newer.into());
            }
            Some(made) if made != self.rows_version => {
                tracing::info!(
                    "projection {}: its tables are of version {}, this program makes version {}, or the \
                     configuration changed: replaying beside them",
                    self.projection.name,
                    made.version,
                    self.rows_version.version
                );
                replay::replay(
                    &self.database,
                    self.projection,
                    &self.file,
                    &self.candidate.holder,
                    &self.stop,
                    |_| {},
                )
                .await?;
            }
            Some(_) => {}
        }
        Ok(())
    }
}
