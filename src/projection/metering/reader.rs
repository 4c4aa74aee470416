//! Reading windows of usage and samples as of one moment, in rows made by the configuration in use.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

use super::PROJECTION;
use crate::config::File;
use crate::db::Database;
use crate::log;
use crate::projection::{self, LivePosition, Snapshot, Wait, live_position};

/// Readers that one process has open at most: each takes a connection beside those of the pool.
const READERS_MAX: usize = 8;

static PERMITS: Semaphore = Semaphore::const_new(READERS_MAX);

/// A connection for one computation. It is closed with the reader and not given to others, so that the
/// locks of its session end with it.
pub struct Reader {
    client: Client,
    _permit: SemaphorePermit<'static>,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The read model has not applied enough of the log, its rows are of another version or
    /// configuration, or too many readers are open. The text names the cause.
    #[error("{0}")]
    Behind(String),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
}

impl NotReady {
    fn never_projected() -> Self {
        NotReady::Behind(
            "samples have not been projected yet: `stackledger project` or `up` has to run"
                .to_owned(),
        )
    }

    fn other_version() -> Self {
        let text = "usage is being computed anew, by another version or configuration";
        NotReady::Behind(text.to_owned())
    }
}

impl Reader {
    /// Connects. `timeout` limits each statement, and the wait for a free reader.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or `READERS_MAX` others are open all that time.
    pub async fn open(database: &Database, timeout: Duration) -> Result<Reader, NotReady> {
        let permit = tokio::time::timeout(timeout, PERMITS.acquire()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(NotReady::Behind(
                "too many other computations are running: try again later".to_owned(),
            ));
        };
        let client = database.connect(None).await?;
        let milliseconds = timeout.as_millis();
        client.batch_execute(&format!("SET statement_timeout = {milliseconds}")).await?;
        Ok(Reader { client, _permit: permit })
    }

    /// Waits until the read model has applied everything that is in the log now.
    ///
    /// # Errors
    ///
    /// When that takes longer than `timeout`, with the cause. At once when the read model was never
    /// projected, or an error stops the projection.
    pub async fn wait_until_applied(&self, file: &File, timeout: Duration) -> Result<(), NotReady> {
        let (head, _) = log::read_head(&self.client).await?;
        let wanted = PROJECTION.rows_version(file);
        let client = &self.client;
        let look = || live_position(client, &PROJECTION);
        match projection::wait_until_applied(head, Some(&wanted), timeout, look).await? {
            Wait::Applied => Ok(()),
            Wait::Behind(None) => Err(NotReady::never_projected()),
            Wait::Behind(Some(live)) if live.rows_version != wanted => {
                Err(NotReady::other_version())
            }
            Wait::Behind(Some(LivePosition { position, .. })) => Err(NotReady::Behind(format!(
                "not everything in the log is projected yet: {position} of {head}"
            ))),
            Wait::Failed(error) => Err(NotReady::Behind(format!(
                "an error stops the projection {}: {error}",
                PROJECTION.name
            ))),
        }
    }

    /// Opens one moment of the rows.
    ///
    /// # Errors
    ///
    /// When the rows are of another version or configuration.
    pub async fn snapshot(&mut self, file: &File) -> Result<Snapshot<'_>, NotReady> {
        let snapshot = projection::snapshot(&mut self.client, &PROJECTION).await?;
        let snapshot = snapshot.ok_or_else(NotReady::never_projected)?;
        if snapshot.live.rows_version != PROJECTION.rows_version(file) {
            return Err(NotReady::other_version());
        }
        Ok(snapshot)
    }
}
