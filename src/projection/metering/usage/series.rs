//! The series whose usage can change with new readings, and the other readings that the same windows
//! depend on: those of the meter, of the resource's other meters, and of the meter under other projects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use crate::billing::transform::is_evidence;
use crate::billing::window::{Change, evidence_span, join_spans, reach, reach_back};
use crate::billing::{Mapping, Metadata, Reading, Span, reading};
use crate::projection::metering::fold::Changes;
use crate::projection::metering::located::LocatedRow;
use crate::projection::metering::read::{EvidenceRow, ReadingRow, timeline};
use crate::projection::metering::resource::Resource;
use crate::projection::metering::sample::{Identity, Sample};

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

/// The readings of one mapped meter of a tenant's resource, and the other evidence of the resource; some of
/// them changed.
#[derive(Debug)]
pub(in crate::projection::metering) struct ChangedSeries<'a> {
    pub project_id: &'a str,
    pub resource_id: &'a str,
    pub counter_name: &'a str,
    /// The mappings of the meter, with their indexes in the configuration.
    pub mappings: &'a [(i16, &'a Mapping)],
    /// The readings that are new or replace others. The hosts are missing at first.
    pub changes: reading::Changes,
    /// Spans of whole windows that contain all windows that can change, in order and with gaps between
    /// them.
    pub spans: Vec<Span>,
    /// The readings in the spans and the last one before each, for counters of each host; by time. At first
    /// only the changed ones.
    pub readings: Vec<ReadingRow>,
    /// The stored readings that changed ones replace.
    replaced: Vec<ReadingRow>,
    /// The readings of other meters within reach of the spans, by time and meter. At first only the changed
    /// ones.
    pub others: Vec<EvidenceRow<'a>>,
    /// The readings of other projects within reach of the spans, by time and project. At first only the
    /// changed ones.
    pub foreign: Vec<EvidenceRow<'a>>,
    /// The resource's other meters that have stored samples.
    other_meters: Vec<&'a str>,
    /// The other projects that have stored samples of the resource and meter.
    other_projects: Vec<&'a str>,
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

/// The known meters of a resource, by project; each with the time of its latest stored sample.
type MetersByProject<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Option<Timestamp>>>;

/// The readings of a resource that change, by project and meter.
type ReadingsBySeries<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Sample>>;

/// Returns the series whose usage can change. Readings are a tenant's trusted samples. A sample that is not
/// trusted never replaces a trusted one, so no reading ever goes away. `resources` are the stored rows of
/// the samples' resources, of all projects; `metadata` contains that of the samples.
pub(in crate::projection::metering) fn changed_series<'a>(
    mappings: &'a MappingsByMeter<'a>,
    changes: &'a Changes,
    resources: &'a [LocatedRow<Resource>],
    metadata: &HashMap<Uuid, Metadata>,
) -> Vec<ChangedSeries<'a>> {
    if mappings.0.is_empty() {
        return Vec::new();
    }
    let mut stored = HashMap::<&str, MetersByProject<'a>>::new();
    for Resource { resource_id, project_id, meters, meters_last_at, .. } in
        resources.iter().map(|located| &located.row)
    {
        let Some(project_id) = project_id else { continue };
        let times = meters_last_at.iter().map(|at| Some(*at));
        let meters = meters.iter().map(String::as_str).zip(times);
        stored.entry(resource_id).or_default().entry(project_id).or_default().extend(meters);
    }
    let known_metadata = KnownMetadata::new(changes, metadata);
    let mut found = Vec::new();
    // Samples are in the order of resource, meter and time: those of several tenants that use the same
    // resource id alternate.
    for samples in changes.new.chunk_by(|a, b| a.resource_id == b.resource_id) {
        let resource_id = samples[0].resource_id.as_str();
        let mut readings = ReadingsBySeries::new();
        let mut known = stored.remove(resource_id).unwrap_or_default();
        for sample in samples.iter().filter(|sample| sample.trusted) {
            let Some(project_id) = sample.project_id.as_deref() else { continue };
            let meter = sample.counter_name.as_str();
            readings.entry((project_id, meter)).or_default().push(sample);
            known.entry(project_id).or_default().entry(meter).or_insert(None);
        }
        let known = &known;
        for (project_id, meters) in known {
            for meter in meters.keys() {
                let Some(mappings) = mappings.0.get(*meter) else { continue };
                let series = Series { project_id, resource_id, meter };
                found.extend(ChangedSeries::new(
                    series,
                    mappings,
                    known,
                    &readings,
                    &known_metadata,
                ));
            }
        }
    }
    found
}

/// A meter of a project's resource.
#[derive(Clone, Copy)]
struct Series<'a> {
    project_id: &'a str,
    resource_id: &'a str,
    meter: &'a str,
}

/// The metadata of changed readings, and the stored readings that they replace.
struct KnownMetadata<'a> {
    metadata: &'a HashMap<Uuid, Metadata>,
    /// By identity. They may have had any metadata.
    replaced: HashMap<Identity<'a>, ReadingRow>,
}

impl<'a> KnownMetadata<'a> {
    fn new(changes: &'a Changes, metadata: &'a HashMap<Uuid, Metadata>) -> Self {
        let stored =
            changes.superseded.iter().filter(|row| row.row.is_some()).map(|row| &row.sample);
        let readings = stored.filter(|sample| sample.trusted);
        let replaced = readings.map(|sample| (sample.identity(), ReadingRow::from(sample)));
        KnownMetadata { metadata, replaced: replaced.collect() }
    }

    fn reading(&self, sample: &Sample) -> Reading<'a> {
        Reading {
            at: sample.timestamp,
            volume: sample.counter_volume,
            metadata: sample.metadata_id.and_then(|id| self.metadata.get(&id)),
            is_increase: sample.increase().is_some(),
            message_id: "",
        }
    }

    fn change(&self, sample: &Sample) -> Change {
        match self.replaced.contains_key(&sample.identity()) {
            true => Change { at: sample.timestamp, ended_at: Some(Timestamp::MIN) },
            false => self.reading(sample).change(),
        }
    }

    /// Whether a sample of another meter can change the usage by one of the mappings.
    fn is_evidence(&self, mappings: &[(i16, &Mapping)], sample: &Sample) -> bool {
        let reading = self.reading(sample);
        self.replaced.contains_key(&sample.identity())
            || mappings
                .iter()
                .any(|(_, mapping)| is_evidence(mapping, &sample.counter_name, &reading))
    }
}

impl<'a> ChangedSeries<'a> {
    /// Creates the series of a meter, with its changed readings and the other changed evidence; `None` if
    /// none of its windows can change.
    fn new(
        series: Series<'a>,
        mappings: &'a [(i16, &'a Mapping)],
        known: &MetersByProject<'a>,
        readings: &ReadingsBySeries<'a>,
        metadata: &KnownMetadata<'_>,
    ) -> Option<Self> {
        let Series { project_id, resource_id, meter } = series;
        let has_states = mappings.iter().any(|(_, mapping)| mapping.uses_other_meters());
        let has_owners = mappings.iter().any(|(_, mapping)| !mapping.is_counter());
        let own = readings.get(&(project_id, meter)).map_or(&[][..], Vec::as_slice);
        let others: Vec<(&str, &Sample)> = readings
            .iter()
            .filter(|((project, other), _)| has_states && *project == project_id && *other != meter)
            .flat_map(|((_, other), samples)| samples.iter().map(move |sample| (*other, *sample)))
            .filter(|(_, sample)| metadata.is_evidence(mappings, sample))
            .collect();
        let foreign: Vec<(&str, &Sample)> = readings
            .iter()
            .filter(|((project, same), _)| has_owners && *project != project_id && *same == meter)
            .flat_map(|((project, _), samples)| {
                samples.iter().map(move |sample| (*project, *sample))
            })
            .collect();
        if own.is_empty() && others.is_empty() && foreign.is_empty() {
            return None;
        }
        let meters = known.get(project_id)?;
        let stored_to = meters.get(meter).copied().flatten();
        let changes = |samples: &[(&str, &Sample)]| {
            samples.iter().map(|(_, sample)| metadata.change(sample)).collect::<Vec<_>>()
        };
        let is_stored = |(name, at): (&&'a str, &Option<Timestamp>)| at.is_some().then_some(*name);
        let other_meters = meters.iter().filter_map(is_stored).filter(|other| *other != meter);
        let other_projects = known.iter().filter(|(project, meters)| {
            **project != project_id && meters.get(meter).is_some_and(Option::is_some)
        });
        let evidence = |samples: &[(&'a str, &Sample)]| {
            let row = |(source, sample): &(&'a str, &Sample)| EvidenceRow {
                source,
                reading: ReadingRow::from(*sample),
            };
            samples.iter().map(row).collect::<Vec<_>>()
        };
        let mut series = ChangedSeries {
            project_id,
            resource_id,
            counter_name: meter,
            mappings,
            changes: reading::Changes {
                own: own.iter().map(|sample| metadata.change(sample)).collect(),
                others: changes(&others),
                foreign: changes(&foreign),
                hosts: BTreeSet::new(),
            },
            spans: Vec::new(),
            readings: own.iter().map(|sample| ReadingRow::from(*sample)).collect(),
            replaced: own
                .iter()
                .filter_map(|sample| metadata.replaced.get(&sample.identity()).copied())
                .collect(),
            others: evidence(&others),
            foreign: evidence(&foreign),
            other_meters: if has_states { other_meters.collect() } else { Vec::new() },
            other_projects: if has_owners {
                other_projects.map(|(project, _)| *project).collect()
            } else {
                Vec::new()
            },
            stored_to,
        };
        series.spans = series.changed_spans();
        sort_evidence(&mut series.others);
        sort_evidence(&mut series.foreign);
        (!series.spans.is_empty()).then_some(series)
    }

    /// Returns the spans that contain all windows that can change. Windows further after the meter's last
    /// reading than it can matter have no usage.
    fn changed_spans(&self) -> Vec<Span> {
        let reading::Changes { own, others, foreign, .. } = &self.changes;
        let last = own.last().map(|change| change.at).max(self.stored_to);
        let Some(last) = last else { return Vec::new() };
        let mut spans = Vec::new();
        for (_, mapping) in self.mappings {
            let end = reach(mapping, Change { at: last, ended_at: None }).to;
            let others = if mapping.uses_other_meters() { &others[..] } else { &[] };
            let foreign = if mapping.is_counter() { &[] } else { &foreign[..] };
            spans.extend(own.iter().chain(others).chain(foreign).filter_map(|change| {
                let span = reach(mapping, *change);
                Span::new(span.from, span.to.min(end))
            }));
        }
        join_spans(spans)
    }

    /// All readings, and the stored ones that changed ones replace.
    pub fn rows(&self) -> impl Iterator<Item = &ReadingRow> {
        let evidence = self.others.iter().chain(&self.foreign).map(|row| &row.reading);
        self.readings.iter().chain(&self.replaced).chain(evidence)
    }

    /// Whether some mapping computes increases of a counter.
    fn is_counter(&self) -> bool {
        // Only a counter's readings matter at any distance.
        self.mappings.iter().any(|(_, mapping)| reach_back(mapping, self.spans[0]).is_none())
    }

    /// Finds out the hosts whose counters change. To be called before stored readings are added.
    pub fn find_hosts(&mut self, metadata: &HashMap<Uuid, Metadata>) {
        if self.is_counter() {
            let changed = self.readings.iter().chain(&self.replaced);
            self.changes.hosts =
                changed.map(|reading| (reading.at, reading.host(metadata))).collect();
        }
    }

    /// Returns the hosts whose counters change, each with the times from which on its first stored reading is
    /// needed: the next reading of a host, at any distance, determines the increase since the changed one.
    pub fn open_counters(&self) -> BTreeSet<(Timestamp, String)> {
        let is_followed = |span: &&Span| self.stored_to >= Some(span.to);
        let of_span = |span: &Span| {
            let hosts = self.changes.hosts.iter().filter(|(at, _)| span.contains(*at));
            hosts.map(|(_, host)| (span.to, host.clone())).collect::<Vec<_>>()
        };
        self.spans.iter().filter(is_followed).flat_map(of_span).collect()
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
        let timeline = timeline(self.project_id, &self.readings, &[], &[], metadata);
        let of_span = |span: &Span| {
            let hosts = timeline.hosts_without_start(*span).into_iter();
            hosts.map(|host| (span.from, host.to_owned())).collect::<Vec<_>>()
        };
        self.spans.iter().flat_map(of_span).collect()
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
            let span = self.evidence_span(*span);
            let floor = floors.min().flatten().map(|floor| floor.min(span.from));
            (self.stored_to? >= floor.unwrap_or(Timestamp::MIN))
                .then_some(NeededSpan { span, floor })
        })
    }

    /// Returns the other meters and the spans whose stored readings are needed.
    pub fn needed_others(&self) -> impl Iterator<Item = (&'a str, Span)> {
        // Spans that are apart may be within reach of the same readings.
        let spans = self.spans.iter().map(|span| self.evidence_span(*span)).collect();
        let spans = join_spans(spans).into_iter();
        spans.flat_map(|span| self.other_meters.iter().map(move |meter| (*meter, span)))
    }

    /// Returns the other projects and the spans whose stored readings of the meter are needed.
    pub fn needed_foreign(&self) -> impl Iterator<Item = (&'a str, Span)> {
        let within_reach = |span: &Span| {
            let froms = self.mappings.iter().filter_map(|(_, mapping)| reach_back(mapping, *span));
            Span { from: froms.min().unwrap_or(span.from), to: span.to }
        };
        let spans = self.spans.iter().map(within_reach);
        spans.flat_map(|span| self.other_projects.iter().map(move |project| (*project, span)))
    }

    fn evidence_span(&self, span: Span) -> Span {
        evidence_span(self.mappings.iter().map(|(_, mapping)| *mapping), span)
    }

    /// Adds stored readings, except where a changed one of the same identity replaces them.
    pub fn add_stored(&mut self, stored: impl IntoIterator<Item = ReadingRow>) {
        self.readings.extend(stored);
        // The sort is stable: the changed reading stays before the stored one.
        self.readings.sort_by_key(ReadingRow::key);
        self.readings.dedup_by_key(|reading| reading.key());
    }

    /// Adds stored readings of other meters, except where a changed one replaces them.
    pub fn add_others(&mut self, stored: impl IntoIterator<Item = EvidenceRow<'a>>) {
        self.others.extend(stored);
        sort_evidence(&mut self.others);
    }

    /// Adds stored readings of other projects, except where a changed one replaces them.
    pub fn add_foreign(&mut self, stored: impl IntoIterator<Item = EvidenceRow<'a>>) {
        self.foreign.extend(stored);
        sort_evidence(&mut self.foreign);
    }
}

/// Sorts evidence by its key. Of several rows of one key the first counts.
fn sort_evidence(rows: &mut Vec<EvidenceRow<'_>>) {
    rows.sort_by_key(EvidenceRow::key);
    rows.dedup_by_key(|row| row.key());
}
