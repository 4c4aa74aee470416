//! Reads the stored readings that changed windows depend on, and their metadata.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::series::ChangedSeries;
use crate::billing::Metadata;
use crate::projection::metering::read::{
    self, EvidenceRow, HostKeys, ReadingRow, Schema, SpanKeys,
};

/// Reads the next readings of counters after samples that arrived late, and adds their windows.
pub(super) async fn next_readings(
    tx: &Transaction<'_>,
    all: &mut [ChangedSeries<'_>],
) -> Result<()> {
    let mut indexes = Vec::new();
    let mut keys = HostKeys::default();
    for (index, series) in all.iter().enumerate() {
        for (end, host) in series.open_counters() {
            indexes.push(index);
            keys.push(series.project_id, series.resource_id, series.counter_name, end, host);
        }
    }
    if indexes.is_empty() {
        return Ok(());
    }
    let found =
        read::next_of_hosts(tx, &keys).await.context("reading the next readings of counters")?;
    for (nth, at) in found {
        let index = *indexes.get(nth).context("a row without a key")?;
        all[index].add_window_of(at);
    }
    Ok(())
}

/// Reads, of each host that reported a counter in a needed span, the last reading before the span, unless
/// it is there already.
pub(super) async fn starts_of_counters(
    tx: &Transaction<'_>,
    all: &mut [ChangedSeries<'_>],
    metadata: &HashMap<Uuid, Metadata>,
) -> Result<()> {
    let mut indexes = Vec::new();
    let mut keys = HostKeys::default();
    for (index, series) in all.iter().enumerate() {
        for (start, host) in series.counters_without_start(metadata) {
            indexes.push(index);
            keys.push(series.project_id, series.resource_id, series.counter_name, start, host);
        }
    }
    if indexes.is_empty() {
        return Ok(());
    }
    let rows =
        read::last_of_hosts(tx, &keys).await.context("reading the last readings of counters")?;
    for (nth, reading) in rows {
        let index = *indexes.get(nth).context("a row without a key")?;
        all[index].add_stored([reading]);
    }
    Ok(())
}

/// Reads the stored readings of all needed spans, and the last one before each.
pub(super) async fn readings(tx: &Transaction<'_>, all: &mut [ChangedSeries<'_>]) -> Result<()> {
    let mut indexes = Vec::new();
    let mut keys = SpanKeys::default();
    for (index, series) in all.iter().enumerate() {
        for needed in series.needed_spans() {
            indexes.push(index);
            keys.push_series(series.project_id, series.resource_id, series.counter_name);
            keys.from.push(needed.span.from);
            keys.to.push(needed.span.to);
            // No sample is older.
            keys.floor.push(needed.floor.unwrap_or(Timestamp::UNIX_EPOCH));
        }
    }
    if indexes.is_empty() {
        return Ok(());
    }
    let rows = read::readings_of_spans(tx, &keys).await.context("reading the windows' readings")?;
    let mut by_series = HashMap::<usize, Vec<ReadingRow>>::new();
    for (nth, reading) in rows {
        let index = *indexes.get(nth).context("a row without a key")?;
        by_series.entry(index).or_default().push(reading);
    }
    for (index, readings) in by_series {
        all[index].add_stored(readings);
    }
    Ok(())
}

/// Reads the stored readings of the resources' other meters that are within reach.
pub(super) async fn other_meters(
    tx: &Transaction<'_>,
    all: &mut [ChangedSeries<'_>],
) -> Result<()> {
    let mut sources = Vec::new();
    let mut keys = SpanKeys::default();
    for (index, series) in all.iter().enumerate() {
        for (meter, span) in series.needed_others() {
            sources.push((index, meter));
            keys.push_series(series.project_id, series.resource_id, meter);
            keys.push_span(span);
        }
    }
    for (index, rows) in evidence(tx, &sources, &keys).await? {
        all[index].add_others(rows);
    }
    Ok(())
}

/// Reads the stored readings of other projects that are within reach.
pub(super) async fn other_projects(
    tx: &Transaction<'_>,
    all: &mut [ChangedSeries<'_>],
) -> Result<()> {
    let mut sources = Vec::new();
    let mut keys = SpanKeys::default();
    for (index, series) in all.iter().enumerate() {
        for (project_id, span) in series.needed_foreign() {
            sources.push((index, project_id));
            keys.push_series(project_id, series.resource_id, series.counter_name);
            keys.push_span(span);
        }
    }
    for (index, rows) in evidence(tx, &sources, &keys).await? {
        all[index].add_foreign(rows);
    }
    Ok(())
}

/// Reads the readings of the keys, by series. `sources` contains each key's series and source.
async fn evidence<'s>(
    tx: &Transaction<'_>,
    sources: &[(usize, &'s str)],
    keys: &SpanKeys<'_>,
) -> Result<HashMap<usize, Vec<EvidenceRow<'s>>>> {
    let mut by_series = HashMap::<usize, Vec<EvidenceRow<'s>>>::new();
    if sources.is_empty() {
        return Ok(by_series);
    }
    let rows = read::readings_of_spans(tx, keys).await.context("reading other readings")?;
    for (nth, reading) in rows {
        let (index, source) = *sources.get(nth).context("a row without a key")?;
        by_series.entry(index).or_default().push(EvidenceRow { source, reading });
    }
    Ok(by_series)
}

/// Adds the metadata of all readings that is not there yet.
pub(super) async fn metadata(
    tx: &Transaction<'_>,
    all: &[ChangedSeries<'_>],
    metadata: &mut HashMap<Uuid, Metadata>,
) -> Result<()> {
    let ids = all.iter().flat_map(ChangedSeries::rows).filter_map(|reading| reading.metadata_id);
    let needed: HashSet<Uuid> = ids.filter(|id| !metadata.contains_key(id)).collect();
    let stored = Vec::from_iter(needed);
    if !stored.is_empty() {
        let found = read::metadata_by_id(tx, Schema::SearchPath, &stored).await;
        metadata.extend(found.context("reading metadata")?);
    }
    Ok(())
}
