//! Readings of one tenant as of a position of the log, a few series at a time.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::Error;
use crate::billing::window::reach_back;
use crate::billing::{Basis, Bill, Mapping, Metadata, Span, Timeline};
use crate::projection::metering::read::{self, HostKey, ReadingRow, Series};

/// No sample is earlier: 2000-01-01, in microseconds.
const FIRST_US: i64 = 946_684_800_000_000;

/// Readings that are read at once, about.
const ROWS: usize = 100_000;

/// Series that are read first, before it is known how many readings they have.
const SERIES_FIRST: usize = 32;

/// Series that are read at once, at most.
const SERIES_MAX: usize = 1000;

/// Texts of metadata that are kept for later series.
const METADATA_MAX: usize = 10_000;

/// The readings of a tenant as of a position.
pub(super) struct Readings<'t> {
    tx: &'t Transaction<'t>,
    tenant_id: &'t str,
    position: i64,
    /// The readings that counted at the position and were superseded since.
    superseded: HashMap<Series, Vec<ReadingRow>>,
    metadata: HashMap<Uuid, Metadata>,
}

/// Readings of some series, in the order of the series.
pub(super) struct LoadedReadings(Vec<Vec<ReadingRow>>);

impl<'t> Readings<'t> {
    /// Opens the readings of times before `until`.
    pub async fn open(
        tx: &'t Transaction<'t>,
        tenant_id: &'t str,
        position: i64,
        until: Timestamp,
    ) -> Result<Self, Error> {
        let mut superseded = HashMap::<Series, Vec<ReadingRow>>::new();
        for row in read::superseded_readings(tx, tenant_id, position, until).await? {
            superseded.entry(row.series).or_default().push(row.reading);
        }
        Ok(Readings { tx, tenant_id, position, superseded, metadata: HashMap::new() })
    }

    /// Adds the usage of the span that the basis's mappings make of these series to the bill, for the
    /// billed resources that fulfil `is_billed`. The readings of a few series at a time are in memory.
    pub async fn add_to(
        &mut self,
        bill: &mut Bill<'_>,
        basis: &Basis,
        series: &[Series],
        span: Span,
        is_billed: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let by_meter = indexes_by_meter(&basis.mappings);
        let (mut first, mut count) = (0, SERIES_FIRST);
        while first < series.len() {
            let chunk = &series[first..series.len().min(first + count)];
            let loaded = self.load(chunk, &basis.mappings, span).await?;
            for (index, Series { resource_id, meter }) in chunk.iter().enumerate() {
                let timeline = self.timeline(&loaded, index);
                for mapping in by_meter.get(meter.as_str()).into_iter().flatten() {
                    if is_billed(&basis.mappings[*mapping].billed_resource(resource_id)) {
                        bill.add_readings(*mapping, resource_id, &timeline, span);
                    }
                }
            }
            let rows: usize = loaded.0.iter().map(Vec::len).sum();
            first += chunk.len();
            count = (chunk.len() * ROWS / rows.max(1)).clamp(1, SERIES_MAX);
        }
        Ok(())
    }

    /// Reads the readings of a few series in the span, and the last one before it (of a counter, of each host)
    /// where a mapping can depend on it.
    pub async fn load(
        &mut self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
    ) -> Result<LoadedReadings, Error> {
        if self.metadata.len() > METADATA_MAX {
            self.metadata.clear();
        }
        let floors: Vec<Timestamp> =
            series.iter().map(|series| floor(mappings, &series.meter, span)).collect();
        let (tx, tenant_id, position) = (self.tx, self.tenant_id, self.position);
        let mut all = read::readings_as_of(tx, tenant_id, position, span, series, &floors).await?;
        for (series, readings) in series.iter().zip(&mut all) {
            let superseded = self.superseded.get(series).into_iter().flatten();
            readings.extend(superseded.filter(|reading| reading.at < span.to));
        }
        self.load_metadata(&all).await?;
        self.load_starts_of_counters(series, mappings, span, &mut all).await?;
        self.load_metadata(&all).await?;
        Ok(LoadedReadings(all))
    }

    /// Adds, of each host that reported a counter in the span, the last reading before the span, unless it is
    /// there already.
    async fn load_starts_of_counters(
        &self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
        all: &mut [Vec<ReadingRow>],
    ) -> Result<(), Error> {
        let is_counter = |series: &Series| {
            let mut of_meter = mappings.iter().filter(|mapping| mapping.meter == series.meter);
            of_meter.any(|mapping| reach_back(mapping, span).is_none())
        };
        let (mut indexes, mut keys) = (Vec::new(), Vec::new());
        for (index, series) in series.iter().enumerate().filter(|(_, series)| is_counter(series)) {
            let timeline = read::timeline(&all[index], &self.metadata);
            for host in timeline.hosts_without_start(span) {
                let (series, host) = (series.clone(), host.into_owned());
                indexes.push(index);
                keys.push(HostKey { series, host, before: span.from });
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let rows = read::last_of_hosts_as_of(self.tx, self.tenant_id, self.position, &keys).await?;
        for (nth, reading) in rows {
            let index = indexes.get(nth).ok_or_else(|| Error::broken("a row without a key"))?;
            all[*index].push(reading);
        }
        Ok(())
    }

    /// Returns the readings of one of the loaded series, by its index.
    pub fn timeline(&self, loaded: &LoadedReadings, index: usize) -> Timeline<'_> {
        read::timeline(loaded.0.get(index).map_or(&[], Vec::as_slice), &self.metadata)
    }

    /// Reads the metadata that is not in memory yet.
    async fn load_metadata(&mut self, readings: &[Vec<ReadingRow>]) -> Result<(), Error> {
        let ids: HashSet<Uuid> = readings
            .iter()
            .flatten()
            .filter_map(|reading| reading.metadata_id)
            .filter(|id| !self.metadata.contains_key(id))
            .collect();
        self.metadata.extend(read::metadata(self.tx, &Vec::from_iter(ids)).await?);
        Ok(())
    }
}

/// Returns the earliest time at which the last reading before a span matters to some mapping of the meter.
fn floor(mappings: &[Mapping], meter: &str, span: Span) -> Timestamp {
    let of_meter = mappings.iter().filter(|mapping| mapping.meter == meter);
    let first = Timestamp::from_microsecond(FIRST_US).unwrap_or(span.from);
    let earliest = of_meter.map(|mapping| reach_back(mapping, span).unwrap_or(first)).min();
    earliest.unwrap_or(span.from).max(first)
}

/// Returns the series that the mappings compute the usage of these billed resources from, in order.
pub(super) fn series_of_billed<'r>(
    mappings: &[Mapping],
    billed: impl IntoIterator<Item = &'r str>,
) -> Vec<Series> {
    let mut series: Vec<Series> = billed
        .into_iter()
        .flat_map(|billed| {
            mappings.iter().filter_map(move |mapping| {
                let resource_id = mapping.sampled_resource(billed)?.to_owned();
                Some(Series { resource_id, meter: mapping.meter.clone() })
            })
        })
        .collect();
    series.sort();
    series.dedup();
    series
}

/// Returns, by meter, the indexes of its mappings.
fn indexes_by_meter(mappings: &[Mapping]) -> BTreeMap<&str, Vec<usize>> {
    let mut by_meter = BTreeMap::<&str, Vec<usize>>::new();
    for (index, mapping) in mappings.iter().enumerate() {
        by_meter.entry(&mapping.meter).or_default().push(index);
    }
    by_meter
}
