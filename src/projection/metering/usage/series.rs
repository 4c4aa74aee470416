//! The series whose readings changed, and the other readings that the same windows depend on.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use crate::billing::window::{reach, reach_back};
use crate::billing::{Mapping, Metadata, Span, Timeline};
use crate::projection::metering::fold::Changes;
use crate::projection::metering::located::LocatedRow;
use crate::projection::metering::read::{ReadingRow, timeline};
use crate::projection::metering::resource::{Key, Resource};
use crate::projection::metering::sample::Sample;

/// The mappings, by meter.
#[derive(Debug, Default)]
pub(in crate::projection::metering) struct MappingsByMeter<'m>(
    HashMap<&'m str, Vec<(i16, &'m Mapping)>>,
);

impl<'m> MappingsByMeter<'m> {
    /// Groups the configuration's mappings, which are given in its order.
    pub fn new(mappings: &'m [Mapping]) -> Self {
        let mut by_meter = HashMap::<&str, Vec<(i16, &Mapping)>>::new();
        for (index, mapping) in (0..=i16::MAX).zip(mappings) {
            by_meter.entry(&mapping.meter).or_default().push((index, mapping));
        }
        MappingsByMeter(by_meter)
    }
}

/// The readings of one mapped meter of a tenant's resource, some of which changed.
#[derive(Debug)]
pub(in crate::projection::metering) struct ChangedSeries<'a> {
    pub project_id: &'a str,
    pub resource_id: &'a str,
    pub counter_name: &'a str,
    /// The mappings of the meter, with their indexes in the configuration.
    pub mappings: &'a [(i16, &'a Mapping)],
    /// Times of the readings that are new or replace others, in order; a time of several of them is repeated.
    pub changed: Vec<Timestamp>,
    /// Spans of whole windows that contain all windows that can change, in order and with gaps between
    /// them.
    pub spans: Vec<Span>,
    /// The readings in the spans and the last one before each, for counters of each host; by time. At first
    /// only the changed ones.
    pub readings: Vec<ReadingRow>,
    /// The stored readings that changed ones replace.
    pub replaced: Vec<ReadingRow>,
    /// An upper bound of the times of its stored samples; `None` when none is stored.
    pub stored_to: Option<Timestamp>,
}

/// A span whose stored readings are needed, with the last one before it that is not before `floor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::projection::metering) struct NeededSpan {
    pub span: Span,
    /// `None`: at any distance.
    pub floor: Option<Timestamp>,
}

/// Returns the series whose readings change. Readings are a tenant's trusted samples. A sample that is
/// not trusted never replaces a trusted one, so no reading ever goes away.
pub(in crate::projection::metering) fn changed_series<'a>(
    mappings: &'a MappingsByMeter<'a>,
    changes: &'a Changes,
    resources: &[LocatedRow<Resource>],
) -> Vec<ChangedSeries<'a>> {
    if mappings.0.is_empty() {
        return Vec::new();
    }
    let stored: HashMap<Key<'_>, &Resource> =
        resources.iter().map(|located| (located.row.key(), &located.row)).collect();
    let replaced = replaced_readings(changes);
    let mut found = Vec::new();
    // Samples are in the order of resource, meter and time: those of several tenants that use the same
    // resource id alternate.
    let is_same =
        |a: &Sample, b: &Sample| a.resource_id == b.resource_id && a.counter_name == b.counter_name;
    for samples in changes.new.chunk_by(is_same) {
        let Some(mappings) = mappings.0.get(samples[0].counter_name.as_str()) else { continue };
        let mut readings: Vec<(&str, &Sample)> = samples
            .iter()
            .filter(|sample| sample.trusted)
            .filter_map(|sample| Some((sample.project_id.as_deref()?, sample)))
            .collect();
        readings.sort_by_key(|(project_id, _)| *project_id);
        for readings in readings.chunk_by(|a, b| a.0 == b.0) {
            let (project_id, first) = readings[0];
            let resource = stored.get(&(first.resource_id.as_str(), Some(project_id)));
            let stored_to = resource.and_then(|resource| resource.last_at_of(&first.counter_name));
            let readings = readings.iter().map(|(_, sample)| *sample);
            let mut series =
                ChangedSeries::new(project_id, mappings, stored_to, readings.collect());
            let key = (project_id, series.resource_id, series.counter_name);
            series.replaced = replaced.get(&key).cloned().unwrap_or_default();
            found.push(series);
        }
    }
    found
}

/// Returns the stored readings that better ones replace, by tenant, resource and meter.
fn replaced_readings(changes: &Changes) -> HashMap<(&str, &str, &str), Vec<ReadingRow>> {
    let mut replaced = HashMap::<_, Vec<ReadingRow>>::new();
    let stored = changes.superseded.iter().filter(|row| row.row.is_some() && row.sample.trusted);
    for sample in stored.map(|row| &row.sample) {
        if let Some(project_id) = sample.project_id.as_deref() {
            let key = (project_id, sample.resource_id.as_str(), sample.counter_name.as_str());
            replaced.entry(key).or_default().push(ReadingRow::from(sample));
        }
    }
    replaced
}

impl<'a> ChangedSeries<'a> {
    /// Creates a series from its new readings, in order of time, of which there is at least one.
    fn new(
        project_id: &'a str,
        mappings: &'a [(i16, &'a Mapping)],
        stored_to: Option<Timestamp>,
        new: Vec<&'a Sample>,
    ) -> Self {
        let reach = |at| mappings.iter().map(move |(_, mapping)| reach(mapping, at));
        let changed: Vec<Timestamp> = new.iter().map(|sample| sample.timestamp).collect();
        ChangedSeries {
            project_id,
            resource_id: &new[0].resource_id,
            counter_name: &new[0].counter_name,
            mappings,
            spans: join_spans(changed.iter().copied().flat_map(reach).collect()),
            changed,
            readings: new.into_iter().map(ReadingRow::from).collect(),
            replaced: Vec::new(),
            stored_to,
        }
    }

    /// Whether some mapping computes increases of a counter.
    fn is_counter(&self) -> bool {
        // Only a counter's readings matter at any distance.
        self.mappings.iter().any(|(_, mapping)| reach_back(mapping, self.spans[0]).is_none())
    }

    /// Returns the hosts whose counters changed, each with the times from which on its first stored reading is
    /// needed: the next reading of a host, at any distance, determines the increase since the changed one.
    /// To be called before stored readings are added.
    pub fn open_counters(
        &self,
        metadata: &HashMap<Uuid, Metadata>,
    ) -> BTreeSet<(Timestamp, String)> {
        let mut found = BTreeSet::new();
        let is_followed = |span: &&Span| self.stored_to >= Some(span.to);
        for span in self.spans.iter().filter(is_followed).filter(|_| self.is_counter()) {
            let changed = self.readings.iter().chain(&self.replaced);
            for reading in changed.filter(|reading| span.contains(reading.at)) {
                found.insert((span.to, reading.host(metadata)));
            }
        }
        found
    }

    /// Returns the hosts whose last reading before a span may be missing, each with the start of the span,
    /// unless nothing is stored.
    pub fn counters_without_start(
        &self,
        metadata: &HashMap<Uuid, Metadata>,
    ) -> Vec<(Timestamp, String)> {
        if self.stored_to.is_none() || !self.is_counter() {
            return Vec::new();
        }
        let timeline = timeline(&self.readings, metadata);
        let of_span = |span: &Span| {
            let hosts = timeline.hosts_without_start(*span).into_iter();
            hosts.map(|host| (span.from, host.into_owned())).collect::<Vec<_>>()
        };
        self.spans.iter().flat_map(of_span).collect()
    }

    /// Returns the times of the next readings of the hosts whose counters a changed reading is or was of.
    /// `all` is the timeline of [`ChangedSeries::readings`].
    pub fn next_of_hosts(
        &self,
        at: Timestamp,
        all: &Timeline<'_>,
        metadata: &HashMap<Uuid, Metadata>,
    ) -> BTreeSet<Timestamp> {
        let first = self.readings.partition_point(|reading| reading.at < at);
        let of_time = self.readings[first..].iter().take_while(|reading| reading.at == at);
        let of_time = of_time.chain(self.replaced.iter().filter(|reading| reading.at == at));
        let hosts: BTreeSet<String> = of_time.map(|reading| reading.host(metadata)).collect();
        hosts.iter().filter_map(|host| all.next_of_host(at, host)).collect()
    }

    /// Adds the window of a reading whose usage can change as well.
    pub fn add_window_of(&mut self, at: Timestamp) {
        let mut spans = std::mem::take(&mut self.spans);
        spans.push(Span::hour_of(at));
        self.spans = join_spans(spans);
    }

    /// Returns the spans whose stored readings are needed. A span that lies after everything stored is
    /// left out.
    pub fn needed_spans(&self) -> impl Iterator<Item = NeededSpan> {
        self.spans.iter().filter_map(|span| {
            let floors = self.mappings.iter().map(|(_, mapping)| reach_back(mapping, *span));
            let floor = floors.min().flatten();
            (self.stored_to? >= floor.unwrap_or(Timestamp::MIN))
                .then_some(NeededSpan { span: *span, floor })
        })
    }

    /// Adds stored readings, except where a changed one of the same identity replaces them.
    pub fn add_stored(&mut self, stored: impl IntoIterator<Item = ReadingRow>) {
        self.readings.extend(stored);
        // The sort is stable: the changed reading stays before the stored one.
        self.readings.sort_by_key(ReadingRow::key);
        self.readings.dedup_by_key(|reading| reading.key());
    }
}

/// Sorts spans and joins spans that touch or overlap.
fn join_spans(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}
