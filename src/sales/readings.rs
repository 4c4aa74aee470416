//! Readings of one tenant as of a position of the log, a few series at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::Error;
use crate::billing::window::{evidence_span, reach_back};
use crate::billing::{Basis, Bill, Mapping, Metadata, Span, Timeline};
use crate::projection::metering::read::{self, EvidenceRow, HostKey, ReadingRow, Series};

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

/// The longest time after a reading that another one can matter to it, in hours: twice a month.
const REACH_H_MAX: i64 = 2 * 31 * 24;

/// Readings that counted at the position and were superseded since, by series.
type SupersededReadings = HashMap<Series, Vec<ReadingRow>>;

/// The readings of a tenant as of a position.
pub(super) struct Readings<'t> {
    tx: &'t Transaction<'t>,
    tenant_id: &'t str,
    position: i64,
    /// No readings are needed from this time on.
    until: Timestamp,
    /// Superseded readings of the tenant, and of the other projects that have come up, by project.
    superseded: HashMap<String, SupersededReadings>,
    metadata: HashMap<Uuid, Metadata>,
}

/// Readings of some series, in the order of the series.
pub(super) struct LoadedReadings(Vec<LoadedSeries>);

/// The readings of a series, and the other evidence of its resource; each with its source.
#[derive(Default)]
struct LoadedSeries {
    own: Vec<ReadingRow>,
    /// By meter.
    others: Vec<(String, Vec<ReadingRow>)>,
    /// By project.
    foreign: Vec<(String, Vec<ReadingRow>)>,
}

impl LoadedSeries {
    fn rows(&self) -> impl Iterator<Item = &ReadingRow> {
        let others = self.others.iter().chain(&self.foreign).flat_map(|(_, rows)| rows);
        self.own.iter().chain(others)
    }
}

impl<'t> Readings<'t> {
    /// Creates the readings of times before `until`. Nothing is read yet.
    pub fn new(
        tx: &'t Transaction<'t>,
        tenant_id: &'t str,
        position: i64,
        until: Timestamp,
    ) -> Self {
        let until = until.checked_add(SignedDuration::from_hours(REACH_H_MAX));
        let until = until.unwrap_or(Timestamp::MAX);
        let (superseded, metadata) = (HashMap::new(), HashMap::new());
        Readings { tx, tenant_id, position, until, superseded, metadata }
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
            let rows: usize = loaded.0.iter().map(|series| series.rows().count()).sum();
            first += chunk.len();
            count = (chunk.len() * ROWS / rows.max(1)).clamp(1, SERIES_MAX);
        }
        Ok(())
    }

    /// Reads the readings of a few series in the span, and the last one before it (of a counter, of each host)
    /// where a mapping can depend on it; and the evidence of other meters and projects within reach.
    pub async fn load(
        &mut self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
    ) -> Result<LoadedReadings, Error> {
        if self.metadata.len() > METADATA_MAX {
            self.metadata.clear();
        }
        let mut all = Vec::with_capacity(series.len());
        let needed = evidence_span(mappings, span);
        let floors: Vec<Timestamp> = series
            .iter()
            .map(|series| floor(mappings, &series.meter, span).min(needed.from))
            .collect();
        for own in self.rows(self.tenant_id, needed, series, &floors).await? {
            all.push(LoadedSeries { own, ..LoadedSeries::default() });
        }
        self.load_evidence(series, mappings, span, &mut all).await?;
        self.load_metadata(&all).await?;
        self.load_starts_of_counters(series, mappings, span, &mut all).await?;
        self.load_metadata(&all).await?;
        Ok(LoadedReadings(all))
    }

    /// Reads the evidence of other meters and projects.
    async fn load_evidence(
        &mut self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
        all: &mut [LoadedSeries],
    ) -> Result<(), Error> {
        let is_state = |meter: &str| {
            mappings.iter().any(|mapping| mapping.meter == meter && mapping.uses_other_meters())
        };
        let is_counter = |meter: &str| {
            mappings.iter().all(|mapping| mapping.meter != meter || mapping.is_counter())
        };
        let ids: BTreeSet<&str> = series
            .iter()
            .filter(|series| !is_counter(&series.meter))
            .map(|series| series.resource_id.as_str())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut owners = HashMap::<String, Vec<read::Owner>>::new();
        for owner in read::owners(self.tx, &Vec::from_iter(ids)).await? {
            owners.entry(owner.resource_id.clone()).or_default().push(owner);
        }
        // The series to read, by project, each with the index of the series that it is evidence of.
        let mut wanted = BTreeMap::<String, Vec<(usize, Series)>>::new();
        for (index, Series { resource_id, meter }) in series.iter().enumerate() {
            for owner in owners.get(resource_id).into_iter().flatten() {
                let is_own = owner.project_id == self.tenant_id;
                let meters = owner.meters.iter().filter(|other| match is_own {
                    true => *other != meter && is_state(meter),
                    false => *other == meter && !is_counter(meter),
                });
                let found = meters.map(|other| {
                    (index, Series { resource_id: resource_id.clone(), meter: other.clone() })
                });
                wanted.entry(owner.project_id.clone()).or_default().extend(found);
            }
        }
        let reach = mappings.iter().filter(|mapping| !mapping.is_counter());
        let from = reach.filter_map(|mapping| reach_back(mapping, span)).min();
        let to = evidence_span(mappings, span).to;
        let needed = Span { from: from.unwrap_or(span.from), to };
        for (project_id, wanted) in wanted {
            let (indexes, series): (Vec<usize>, Vec<Series>) = wanted.into_iter().unzip();
            let floors = vec![needed.from; series.len()];
            let found = self.rows(&project_id, needed, &series, &floors).await?;
            for ((index, series), rows) in indexes.into_iter().zip(series).zip(found) {
                if rows.is_empty() {
                    continue;
                }
                match project_id == self.tenant_id {
                    true => all[index].others.push((series.meter, rows)),
                    false => all[index].foreign.push((project_id.clone(), rows)),
                }
            }
        }
        Ok(())
    }

    /// Adds, of each host that reported a counter in the span, the last reading before the span, unless it is
    /// there already.
    async fn load_starts_of_counters(
        &self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
        all: &mut [LoadedSeries],
    ) -> Result<(), Error> {
        let is_counter = |series: &Series| {
            let mut of_meter = mappings.iter().filter(|mapping| mapping.meter == series.meter);
            of_meter.any(|mapping| reach_back(mapping, span).is_none())
        };
        let (mut indexes, mut keys) = (Vec::new(), Vec::new());
        for (index, series) in series.iter().enumerate().filter(|(_, series)| is_counter(series)) {
            let rows = &all[index].own;
            let timeline = read::timeline(self.tenant_id, rows, &[], &[], &self.metadata);
            for host in timeline.hosts_without_start(span) {
                let (series, host) = (series.clone(), host.to_owned());
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
            all[*index].own.push(reading);
        }
        Ok(())
    }

    /// Reads a project's readings of a few series in a span, and the last one before it, not before the
    /// series' floor.
    async fn rows(
        &mut self,
        project_id: &str,
        span: Span,
        series: &[Series],
        floors: &[Timestamp],
    ) -> Result<Vec<Vec<ReadingRow>>, Error> {
        let (tx, position, until) = (self.tx, self.position, self.until);
        if series.is_empty() {
            return Ok(Vec::new());
        }
        if !self.superseded.contains_key(project_id) {
            let mut superseded = SupersededReadings::new();
            for row in read::superseded_readings(tx, project_id, position, until).await? {
                superseded.entry(row.series).or_default().push(row.reading);
            }
            self.superseded.insert(project_id.to_owned(), superseded);
        }
        let superseded = &self.superseded[project_id];
        let mut all = read::readings_as_of(tx, project_id, position, span, series, floors).await?;
        for (series, readings) in series.iter().zip(&mut all) {
            let superseded = superseded.get(series).into_iter().flatten();
            readings.extend(superseded.filter(|reading| reading.at < span.to));
        }
        Ok(all)
    }

    /// Returns the readings of one of the loaded series, by its index.
    pub(super) fn timeline<'s>(&'s self, loaded: &'s LoadedReadings, index: usize) -> Timeline<'s> {
        let Some(series) = loaded.0.get(index) else { return Timeline::default() };
        let evidence = |all: &'s [(String, Vec<ReadingRow>)]| -> Vec<EvidenceRow<'s>> {
            let rows = |(source, rows): &'s (String, Vec<ReadingRow>)| {
                rows.iter().map(move |reading| EvidenceRow { source, reading: *reading })
            };
            all.iter().flat_map(rows).collect()
        };
        let (others, foreign) = (evidence(&series.others), evidence(&series.foreign));
        read::timeline(self.tenant_id, &series.own, &others, &foreign, &self.metadata)
    }

    /// Reads the metadata that is not in memory yet.
    async fn load_metadata(&mut self, all: &[LoadedSeries]) -> Result<(), Error> {
        let ids: HashSet<Uuid> = all
            .iter()
            .flat_map(LoadedSeries::rows)
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
