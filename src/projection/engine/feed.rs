//! Feeds a projection: reads and decodes the next stretch of the log on a thread of its own while the one
//! before is applied.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::Projection;
use super::stretch::{self, PreparedStretch};
use crate::config::File;
use crate::db::Database;
use crate::lifecycle::run_on_own_thread;

/// Longest pause between two looks at the log, should a notification be lost.
const POLL: std::time::Duration = std::time::Duration::from_millis(250);

/// The end of a feed.
enum End {
    /// None: the feed waits for appends and goes on.
    Never(watch::Receiver<i64>),
    /// This position.
    At(i64),
}

/// The reading side of a projection. Dropping it ends the reading.
pub(super) struct Feed {
    receiver: mpsc::Receiver<anyhow::Result<PreparedStretch>>,
    thread: oneshot::Receiver<()>,
}

impl Feed {
    /// Feeds all events after `position`, and goes on as the log grows.
    pub fn follow(
        database: &Database,
        projection: &'static Projection,
        file: &Arc<File>,
        position: i64,
        wake: watch::Receiver<i64>,
    ) -> Feed {
        Feed::start(database, projection, file, position, End::Never(wake), BTreeSet::new())
    }

    /// Feeds the events after `position` up to and including position `until`.
    pub fn until(
        database: &Database,
        projection: &'static Projection,
        file: &Arc<File>,
        position: i64,
        until: i64,
    ) -> Feed {
        Feed::start(database, projection, file, position, End::At(until), BTreeSet::new())
    }

    /// Feeds all events up to and including position `until`, except those at the positions `without`.
    pub fn of_all_but(
        without: BTreeSet<i64>,
        database: &Database,
        projection: &'static Projection,
        file: &Arc<File>,
        until: i64,
    ) -> Feed {
        Feed::start(database, projection, file, 0, End::At(until), without)
    }

    fn start(
        database: &Database,
        projection: &'static Projection,
        file: &Arc<File>,
        position: i64,
        end: End,
        without: BTreeSet<i64>,
    ) -> Feed {
        // Bounds memory to three stretches: one is applied, one waits here, one is being read.
        let (sender, receiver) = mpsc::channel(1);
        let (database, file) = (database.clone(), Arc::clone(file));
        let thread = run_on_own_thread(&format!("read {}", projection.name), move || async move {
            let source = Source { database, projection, file, without };
            if let Err(error) = source.read(position, end, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Feed { receiver, thread }
    }

    /// Returns the next stretch; `None` at the end of a feed that has one.
    ///
    /// # Errors
    ///
    /// When the log cannot be read, or the reading thread panicked: neither is the end of the log.
    pub async fn next(&mut self) -> anyhow::Result<Option<PreparedStretch>> {
        match self.receiver.recv().await {
            Some(prepared) => prepared.map(Some),
            None => match (&mut self.thread).await {
                Ok(()) => Ok(None),
                Err(_) => anyhow::bail!("the thread that reads the log panicked before the end"),
            },
        }
    }
}

/// What a feed reads.
struct Source {
    database: Database,
    projection: &'static Projection,
    file: Arc<File>,
    /// The positions that are left out.
    without: BTreeSet<i64>,
}

impl Source {
    async fn read(
        &self,
        mut position: i64,
        mut end: End,
        sender: &mpsc::Sender<anyhow::Result<PreparedStretch>>,
    ) -> anyhow::Result<()> {
        let client = self.database.connect(None).await?;
        loop {
            let until = match &end {
                End::Never(_) => i64::MAX,
                End::At(until) => *until,
            };
            let (projection, without) = (self.projection, &self.without);
            let prepared =
                stretch::prepare(&client, projection, &self.file, position, until, without).await?;
            let Some(prepared) = prepared else {
                let End::Never(wake) = &mut end else { return Ok(()) };
                // The next look decides, woken or not: a lost notification costs a moment, never an event.
                let _ = tokio::time::timeout(POLL, wake.changed()).await;
                continue;
            };
            position = prepared.to;
            if sender.send(Ok(prepared)).await.is_err() {
                return Ok(());
            }
        }
    }
}
