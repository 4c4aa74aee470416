//! The reading side: stretches of the read model `metering`, in order of positions.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::plan::Chunk;
use super::sample::Sample;
use super::select::{Selection, Verdict};
use super::stretch::{Read, Rows, Window, stretch};
use crate::event::json;
use crate::projection;

/// The projection whose rows are exported.
const METERING: &str = "metering";

/// How long a reading may look for something that is selected. It holds a snapshot, and keeps a
/// replay from putting new tables in place.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// What the rows were made from and by; when it differs from the target's, the target's rows are
/// not these rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The hash of the log's first batch, which no two logs share; empty while there is none.
    pub log: String,
    /// The read model's version, and the configuration its rows depend on.
    pub made: String,
}

/// Where the read model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub origin: Origin,
    /// Everything up to this position is in its rows.
    pub checkpoint: i64,
}

/// Reads the read model over one connection.
pub(super) struct Source {
    client: Client,
    window: Window,
    filter: Filter,
}

impl Source {
    pub fn new(client: Client, selection: Selection, batch: usize) -> Self {
        let filter = Filter { selection, verdicts: HashMap::new() };
        Source { client, window: Window::new(batch), filter }
    }

    /// The connection, for what is noted between two readings.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the read model stands; `None` where it has never been made.
    pub async fn standing(&mut self) -> Result<Option<Standing>> {
        let transaction = self.client.transaction().await?;
        Ok(standing(&transaction).await?)
    }

    /// The next chunk after `from`, with where the read model stood then; `None` when there is
    /// nothing after it. It holds a batch at most, or all of one position; where nothing is selected
    /// for long, nothing at all.
    ///
    /// Chunks need not be of one snapshot. A row that is superseded after it was read comes again,
    /// as one to take out, in the chunk of the position that did it, which is still ahead.
    pub async fn next(&mut self, from: i64) -> Result<Option<(Chunk, Standing)>> {
        // A snapshot keeps rows, not names: without this, a replay's swap would put tables in
        // place whose rows are too young for it.
        projection::lock_tables_shared(&self.client, METERING).await?;
        // Where this fails, the connection is given up, and the lock goes with it.
        let read = self.read(from).await?;
        projection::unlock_tables(&self.client, METERING).await?;
        Ok(read)
    }

    async fn read(&mut self, from: i64) -> Result<Option<(Chunk, Standing)>> {
        let transaction = self
            .client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let standing = standing(&transaction)
            .await?
            .with_context(|| format!("the read model {METERING} is gone"))?;
        let started = Instant::now();
        let mut chunk = Chunk { to: from, ..Chunk::default() };
        while chunk.to < standing.checkpoint && chunk.is_empty() && started.elapsed() < LOOK_MAX {
            let from = chunk.to;
            let until = self.window.after(from).min(standing.checkpoint);
            let (to, mut superseded) =
                stretch(&transaction, Rows::Superseded, from, until, self.window.batch).await?;
            let (to, rows) =
                stretch(&transaction, Rows::Samples, from, to, self.window.batch).await?;
            superseded.retain(|row| row.position <= to);
            self.window.adapt(from, until, to, rows.len().max(superseded.len()));
            chunk = Chunk {
                to,
                samples: self.filter.selected(&transaction, rows).await?,
                superseded: superseded.into_iter().map(|row| row.sample).collect(),
            };
        }
        Ok((chunk.to > from).then_some((chunk, standing)))
    }

    /// The samples of positions after `from` as they were when the read model stood at `as_of`,
    /// in order, and how far they reach.
    pub async fn next_as_of(&mut self, from: i64, as_of: i64) -> Result<(i64, Vec<Sample>)> {
        projection::lock_tables_shared(&self.client, METERING).await?;
        let transaction = self
            .client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let until = self.window.after(from).min(as_of);
        let (to, rows) =
            stretch(&transaction, Rows::AsOf(as_of), from, until, self.window.batch).await?;
        self.window.adapt(from, until, to, rows.len());
        let samples = self.filter.selected(&transaction, rows).await?;
        transaction.rollback().await?;
        projection::unlock_tables(&self.client, METERING).await?;
        Ok((to, samples))
    }
}

impl Chunk {
    fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.superseded.is_empty()
    }
}

async fn standing(
    transaction: &Transaction<'_>,
) -> Result<Option<Standing>, tokio_postgres::Error> {
    let row = transaction
        .query_opt(
            "-- export::standing
             SELECT position, 'version ' || version || ' ' || config AS made,
                    coalesce((SELECT encode(hash, 'hex') FROM log.batch WHERE batch = 1), '') AS log
             FROM projection.checkpoint WHERE name = $1 AND slot = 'live'",
            &[&METERING],
        )
        .await?;
    Ok(row.map(|row| Standing {
        checkpoint: row.get("position"),
        origin: Origin { log: row.get("log"), made: row.get("made") },
    }))
}

/// Tells which samples are exported. What the selection says to metadata is remembered: most
/// samples of a resource share theirs.
struct Filter {
    selection: Selection,
    verdicts: HashMap<Uuid, Verdict>,
}

impl Filter {
    async fn selected(
        &mut self,
        transaction: &Transaction<'_>,
        rows: Vec<Read>,
    ) -> Result<Vec<Sample>, tokio_postgres::Error> {
        if self.selection.asks_for_metadata() {
            self.learn(transaction, &rows).await?;
        }
        let without = self.selection.verdict(None);
        let is_selected = |row: &Read| {
            let known = row.metadata_id.and_then(|id| self.verdicts.get(&id));
            self.selection.selects(&row.sample, known.unwrap_or(&without))
        };
        Ok(rows.into_iter().filter(is_selected).map(|row| row.sample).collect())
    }

    /// Looks at the rows' metadata that were not seen yet.
    async fn learn(
        &mut self,
        transaction: &Transaction<'_>,
        rows: &[Read],
    ) -> Result<(), tokio_postgres::Error> {
        const REMEMBERED_MAX: usize = 50_000;
        if self.verdicts.len() > REMEMBERED_MAX {
            self.verdicts.clear();
        }
        let ids = rows.iter().filter_map(|row| row.metadata_id);
        let unknown: HashSet<Uuid> = ids.filter(|id| !self.verdicts.contains_key(id)).collect();
        let bodies = transaction
            .query(
                "-- export::metadata
                 SELECT metadata_id, body FROM metering.metadata WHERE metadata_id = ANY($1)",
                &[&Vec::from_iter(unknown)],
            )
            .await?;
        for row in bodies {
            let body: &str = row.get("body");
            // What cannot be read has no value that anybody could ask for.
            let metadata = json::parse(body.as_bytes()).ok();
            let verdict = self.selection.verdict(metadata.as_ref());
            self.verdicts.insert(row.get("metadata_id"), verdict);
        }
        Ok(())
    }
}
