//! The reading side: stretches of the read model `metering`, in order of positions.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio_postgres::{Client, GenericClient, Transaction};
use uuid::Uuid;

use super::plan::Chunk;
use super::sample::Sample;
use super::select::{Selection, Verdict};
use super::window::Window;
use crate::event::json;
use crate::log;
use crate::projection::metering::PROJECTION;
use crate::projection::metering::read::export::{Rows, SampleRow, load_metadata, load_stretch};
use crate::projection::{self, LivePosition, Snapshot};

/// How long one read may search for selected samples. It keeps a snapshot, and a replay from swapping the
/// tables.
const SEARCH_MAX: Duration = Duration::from_secs(1);

/// The log and the rules that rows are computed from. If the target's origin differs from the read model's,
/// the target's rows are not these rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The hash of the log's first batch, which no two logs share; empty while there is none.
    pub log: String,
    /// The read model's version, and the configuration its rows depend on.
    pub rows_version: String,
}

/// The position of the read model, and the origin of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourcePosition {
    pub origin: Origin,
    /// The last position whose event is applied.
    pub checkpoint: i64,
}

impl SourcePosition {
    /// Returns the position that the read model has in a snapshot.
    async fn of(
        client: &impl GenericClient,
        live: LivePosition,
    ) -> Result<SourcePosition, tokio_postgres::Error> {
        let projection::RowsVersion { version, config } = live.rows_version;
        let origin = Origin {
            log: log::read_first_hash(client).await?.unwrap_or_default(),
            rows_version: format!("version {version} {config}"),
        };
        Ok(SourcePosition { origin, checkpoint: live.position })
    }
}

/// Reads the read model over one connection.
pub(super) struct Source {
    client: Client,
    window: Window,
    filter: CachedSelection,
}

impl Source {
    pub fn new(client: Client, selection: Selection, batch: usize) -> Self {
        let filter = CachedSelection { selection, verdicts: HashMap::new() };
        Source { client, window: Window::new(batch), filter }
    }

    /// Returns the connection, for statements between two reads.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the position of the read model; `None` if no process has ever projected it.
    pub async fn position(&mut self) -> Result<Option<SourcePosition>> {
        let tx = projection::moment(&mut self.client).await?;
        let Some(live) = projection::live_position(&tx, &PROJECTION).await? else {
            return Ok(None);
        };
        Ok(Some(SourcePosition::of(&tx, live).await?))
    }

    /// Reads the next chunk after `from`, and the position that the read model has in the same snapshot;
    /// `None` if nothing is after `from`. A chunk contains at most a batch, or all of one position. It may be
    /// empty: a search that finds nothing selected ends after a second.
    ///
    /// Chunks need not be of one snapshot. A row that is superseded after it was read is read again, as one
    /// to delete, in the chunk of the position that supersedes it, which is still to come.
    pub async fn next(&mut self, from: i64) -> Result<Option<(Chunk, SourcePosition)>> {
        // If this fails, the connection is given up, and the lock on the tables with it.
        let read = self.read(from).await?;
        projection::unlock_tables(&self.client, PROJECTION.name).await?;
        Ok(read)
    }

    async fn read(&mut self, from: i64) -> Result<Option<(Chunk, SourcePosition)>> {
        let Snapshot { tx, live } = snapshot(&mut self.client).await?;
        let position = SourcePosition::of(&tx, live).await?;
        let started = Instant::now();
        let mut chunk = Chunk { to: from, ..Chunk::default() };
        while chunk.to < position.checkpoint && chunk.is_empty() && started.elapsed() < SEARCH_MAX {
            let from = chunk.to;
            let until = self.window.end(from).min(position.checkpoint);
            let batch = self.window.batch;
            let (to, mut superseded) =
                load_stretch(&tx, Rows::Superseded, from, until, batch).await?;
            let (to, rows) = load_stretch(&tx, Rows::Samples, from, to, batch).await?;
            superseded.retain(|row| row.position <= to);
            self.window.adapt(from, until, to, rows.len().max(superseded.len()));
            chunk = Chunk {
                to,
                samples: self.filter.select(&tx, rows).await?,
                superseded: superseded.into_iter().map(|row| row.sample).collect(),
            };
        }
        Ok((chunk.to > from).then_some((chunk, position)))
    }

    /// Reads the samples of positions after `from` that counted when the read model was at `as_of`, in order,
    /// and returns them with the last position that they cover.
    pub async fn next_as_of(&mut self, from: i64, as_of: i64) -> Result<(i64, Vec<Sample>)> {
        let Snapshot { tx, .. } = snapshot(&mut self.client).await?;
        let until = self.window.end(from).min(as_of);
        let (to, rows) =
            load_stretch(&tx, Rows::AsOf(as_of), from, until, self.window.batch).await?;
        self.window.adapt(from, until, to, rows.len());
        let samples = self.filter.select(&tx, rows).await?;
        tx.rollback().await?;
        projection::unlock_tables(&self.client, PROJECTION.name).await?;
        Ok((to, samples))
    }
}

async fn snapshot(client: &mut Client) -> Result<Snapshot<'_>> {
    let snapshot = projection::snapshot(client, &PROJECTION).await?;
    snapshot.with_context(|| format!("the read model {} is gone", PROJECTION.name))
}

/// Chooses the samples to export. The verdicts on metadata are kept: most samples of a resource share their
/// metadata.
struct CachedSelection {
    selection: Selection,
    verdicts: HashMap<Uuid, Verdict>,
}

impl CachedSelection {
    async fn select(
        &mut self,
        tx: &Transaction<'_>,
        rows: Vec<SampleRow>,
    ) -> Result<Vec<Sample>, tokio_postgres::Error> {
        if self.selection.needs_metadata() {
            self.judge_metadata(tx, &rows).await?;
        }
        let without = self.selection.judge(None);
        let is_selected = |row: &SampleRow| {
            let known = row.metadata_id.and_then(|id| self.verdicts.get(&id));
            self.selection.selects(&row.sample, known.unwrap_or(&without))
        };
        Ok(rows.into_iter().filter(is_selected).map(|row| row.sample).collect())
    }

    /// Adds the verdicts on these rows' metadata.
    async fn judge_metadata(
        &mut self,
        tx: &Transaction<'_>,
        rows: &[SampleRow],
    ) -> Result<(), tokio_postgres::Error> {
        const VERDICTS_MAX: usize = 50_000;
        if self.verdicts.len() > VERDICTS_MAX {
            self.verdicts.clear();
        }
        let ids = rows.iter().filter_map(|row| row.metadata_id);
        let unknown: HashSet<Uuid> = ids.filter(|id| !self.verdicts.contains_key(id)).collect();
        for (id, body) in load_metadata(tx, &Vec::from_iter(unknown)).await? {
            // Metadata that are not JSON have no value to select by.
            let metadata = json::parse(body.as_bytes()).ok();
            self.verdicts.insert(id, self.selection.judge(metadata.as_ref()));
        }
        Ok(())
    }
}
