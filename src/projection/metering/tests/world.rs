//! Messages with samples, tables in memory to fold them into, and the contents of these tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::billing::settings::Settings;
use crate::billing::{Mapping, Metadata, Span, Usage, transform};
use crate::config::{File, Metering};
use crate::event::{Event, Family, Recorded};
use crate::projection::metering::fact::{Facts, RejectedSample};
use crate::projection::metering::fold::{Changes, Location, StoredSample, fold};
use crate::projection::metering::load::look_ups;
use crate::projection::metering::located::{LocatedRow, RowChanges};
use crate::projection::metering::metadata_text::MetadataText;
use crate::projection::metering::meter::Meter;
use crate::projection::metering::month::Month;
use crate::projection::metering::name::{self, ReportedName};
use crate::projection::metering::read::{EvidenceRow, ReadingRow, timeline};
use crate::projection::metering::resource::Resource;
use crate::projection::metering::sample::Sample;
use crate::projection::metering::usage::{MappingsByMeter, Windows, changed_series};
use crate::projection::metering::{PROJECTION, meter, resource};

/// Second 0 of all tests, an hour before the month ends.
pub fn second(second: i64) -> Timestamp {
    "2026-11-30T23:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// A sample of meter `m` of resource `r` of project `p`.
pub fn sample(at: i64, volume: Value, message_id: &str) -> Value {
    json!({
        "counter_name": "m", "counter_type": "gauge", "counter_unit": "B", "counter_volume": volume,
        "user_id": "u", "project_id": "p", "resource_id": "r", "source": "good",
        "timestamp": second(at).to_string(), "message_id": message_id,
        "resource_metadata": {"name": "one"},
    })
}

/// The sample with another value for a key.
pub fn with(mut sample: Value, key: &str, value: Value) -> Value {
    sample[key] = value;
    sample
}

/// An event that contains these samples, with the number as its id.
pub fn event(id: u128, samples: &[Value]) -> Event {
    let message = json!({
        "event_type": "telemetry.polling", "payload": {"samples": samples},
    });
    Event {
        id: Uuid::from_u128(id),
        family: Family::Meter,
        kind: "telemetry.polling".to_owned(),
        stream: None,
        project_id: None,
        occurred_at: None,
        key_at: None,
        source: "ceilometer.polling".to_owned(),
        redacted: false,
        bad_signatures: None,
        body: message.to_string().into_bytes(),
    }
}

/// The events at the first positions of a log.
pub fn logged(events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    let recorded = |(position, event)| Recorded { position, recorded_at: second(0), event };
    (1..).zip(events).map(recorded).collect()
}

/// Samples whose source is `good` are trusted. Every way of using readings is mapped.
pub fn file() -> File {
    let trusted = "good".to_owned().try_into().unwrap();
    File {
        metering: Metering { trust_sources: Some(vec![trusted]), ..Metering::default() },
        billing: Settings { mappings: mappings(), ..Settings::default() },
        ..File::default()
    }
}

pub fn mappings() -> Vec<Mapping> {
    MAPPINGS.clone()
}

/// Parsed once: many worlds are made, and parsing takes longer than what they test.
static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let all = [
        "meter = 'm'\ntransformer = 'average'\nunit = 'x'\nmax_gap_s = 9000\nservice = 'average'",
        "meter = 'm'\ntransformer = 'max'\nunit = 'x'\nmetadata = { name = ['name'] }",
        "meter = 'm'\ntransformer = 'sum'\nunit = 'x'\nservice = 'sum'",
        "meter = 'n'\ntransformer = 'cumulative'\nunit = 'x'\nmetadata = { name = ['name'] }",
        "meter = 'n'\ntransformer = 'uptime'\nmax_gap_s = 3600",
        "meter = 'n'\ntransformer = 'storagemax'\nunit = 'x'\nservice = 'b1'",
        "meter = 'n'\ntransformer = 'count'\nservice = 'count'\nfilter = { name = 'one' }\ncarry_over = true",
    ];
    all.map(|text| toml::from_str(text).unwrap()).to_vec()
});

/// The key of a window of a mapping: tenant, start, resource, and the mapping's index.
pub type WindowKey = (String, Timestamp, String, i16);

/// The contents of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowContents {
    pub usage: Vec<Usage>,
    pub description: Option<String>,
    pub position: i64,
}

/// The facts of the events.
pub fn facts(events: &[Recorded]) -> Facts {
    *PROJECTION.decode_all(&file(), events.to_vec()).facts.downcast().unwrap()
}

/// The tables, in memory. A row's number serves as its `ctid`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    samples: BTreeMap<u32, Sample>,
    pub superseded: Vec<(Sample, i64)>,
    meters: BTreeMap<u32, Meter>,
    resources: BTreeMap<u32, Resource>,
    metadata: BTreeMap<Uuid, MetadataText>,
    rejected: Vec<RejectedSample>,
    names: BTreeMap<u32, ReportedName>,
    pub usage: BTreeMap<WindowKey, WindowContents>,
    last: u32,
}

impl Tables {
    /// The tables after these events, all at once.
    pub fn of(events: &[Recorded]) -> Self {
        let mut tables = Tables::default();
        tables.apply(facts(events));
        tables
    }

    /// Does what `apply` does with the database.
    pub fn apply(&mut self, facts: Facts) {
        let ids: HashSet<_> = facts.resources.iter().map(|row| &row.resource_id).collect();
        let resources = located(&self.resources, |row| ids.contains(&row.resource_id));
        let names: HashSet<_> = facts.meters.iter().map(|meter| &meter.counter_name).collect();
        let meters = located(&self.meters, |row| names.contains(&row.counter_name));
        let stored = self.stored(&facts.samples, &resources);
        let changes = fold(facts.samples, stored);
        self.metadata.extend(facts.metadata);
        self.apply_usage(&changes, &resources);
        for superseded in &changes.superseded {
            if let Some(Location { ctid, .. }) = &superseded.row {
                self.samples.remove(&ctid.parse().unwrap()).unwrap();
            }
            self.superseded.push((superseded.sample.clone(), superseded.at));
        }
        let meters = meter::fold(meters, facts.meters, &changes);
        for sample in changes.new {
            self.last += 1;
            self.samples.insert(self.last, sample);
        }
        replace(&mut self.meters, &mut self.last, meters);
        let resources = resource::fold(resources, facts.resources);
        replace(&mut self.resources, &mut self.last, resources);
        self.rejected.extend(facts.rejected);
        let keys: HashSet<_> = facts.names.iter().map(ReportedName::key).collect();
        let names =
            located(&self.names, |row| row.superseded_at.is_none() && keys.contains(&row.key()));
        let names = name::fold(names, facts.names.clone());
        replace(&mut self.names, &mut self.last, names);
        let identities: HashSet<_> = self.samples.values().map(Sample::identity).collect();
        assert_eq!(identities.len(), self.samples.len(), "every identity has one row");
    }

    fn apply_usage(&mut self, changes: &Changes, resources: &[LocatedRow<Resource>]) {
        let mappings = mappings();
        let by_meter = MappingsByMeter::new(&mappings);
        let metadata = self.parsed_metadata();
        let mut windows = Windows::default();
        for mut series in changed_series(&by_meter, changes, resources, &metadata) {
            let stored = self.readings(series.project_id, series.resource_id, series.counter_name);
            let of_host = |host: &str, reading: &&ReadingRow| reading.host(&metadata) == host;
            series.find_hosts(&metadata);
            for (end, host) in series.open_counters() {
                let mut next = stored.iter().filter(|reading| of_host(&host, reading));
                let next = next.find(|reading| reading.at >= end);
                next.into_iter().for_each(|reading| series.add_window_of(reading.at));
            }
            let mut found = Vec::new();
            for needed in series.needed_spans() {
                let floor = needed.floor.unwrap_or(Timestamp::MIN);
                let is_before = |row: &&ReadingRow| row.at >= floor && row.at < needed.span.from;
                found.extend(stored.iter().rfind(is_before));
                found.extend(stored.iter().filter(|reading| needed.span.contains(reading.at)));
            }
            series.add_stored(found);
            for (start, host) in series.counters_without_start(&metadata) {
                let before = stored.iter().rev().filter(|reading| reading.at < start);
                let last = before.filter(|reading| of_host(&host, reading)).take(1);
                series.add_stored(last.copied());
            }
            let evidence = |wanted: Vec<(&str, Span)>, read: &dyn Fn(&str) -> Vec<ReadingRow>| {
                let rows = |(source, span): (&str, Span)| {
                    let rows = read(source).into_iter().filter(move |row| span.contains(row.at));
                    rows.collect::<Vec<_>>()
                };
                wanted.into_iter().map(|(source, span)| rows((source, span))).collect::<Vec<_>>()
            };
            let wanted: Vec<_> = series.needed_others().collect();
            let (project, resource) = (series.project_id, series.resource_id);
            let rows = evidence(wanted.clone(), &|meter| self.readings(project, resource, meter));
            series.add_others(with_sources(&wanted, rows));
            let wanted: Vec<_> = series.needed_foreign().collect();
            let meter = series.counter_name;
            let rows = evidence(wanted.clone(), &|project| self.readings(project, resource, meter));
            series.add_foreign(with_sources(&wanted, rows));
            windows.add(&series, &metadata);
        }
        for window in windows.0 {
            let (project, resource) = (window.project_id.to_owned(), window.resource_id.to_owned());
            let key = (project, window.at, resource, window.mapping);
            let contents = WindowContents {
                usage: window.usage,
                description: window.description,
                position: window.position,
            };
            let before = self.usage.insert(key, contents);
            assert!(before.is_none() || window.may_be_stored);
        }
    }

    fn parsed_metadata(&self) -> HashMap<Uuid, Metadata> {
        self.metadata.iter().map(|(id, text)| (*id, Metadata::read(&text.body))).collect()
    }

    /// The stored readings of a series, by time.
    fn readings(&self, project: &str, resource: &str, meter: &str) -> Vec<ReadingRow> {
        let is_of = |row: &&Sample| {
            row.trusted
                && row.project_id.as_deref() == Some(project)
                && (row.resource_id.as_str(), row.counter_name.as_str()) == (resource, meter)
        };
        let of_series = self.samples.values().filter(is_of);
        let mut found: Vec<ReadingRow> = of_series.map(ReadingRow::from).collect();
        found.sort_by_key(ReadingRow::key);
        found
    }

    /// The readings of the resource's other meters, and of the meter under other projects.
    fn evidence(
        &self,
        project: &str,
        resource: &str,
        meter: &str,
    ) -> (Vec<EvidenceRow<'_>>, Vec<EvidenceRow<'_>>) {
        let (mut others, mut foreign) = (Vec::new(), Vec::new());
        for row in self.samples.values().filter(|row| row.trusted && row.resource_id == resource) {
            let Some(owner) = row.project_id.as_deref() else { continue };
            let reading = ReadingRow::from(row);
            match (owner == project, row.counter_name == meter) {
                (true, false) => {
                    others.push(EvidenceRow { source: row.counter_name.as_str(), reading });
                }
                (false, true) => foreign.push(EvidenceRow { source: owner, reading }),
                _ => {}
            }
        }
        (others, foreign)
    }

    /// The usage of all windows as text, with its positions or without.
    pub fn usage(&self, with_positions: bool) -> Vec<String> {
        let shown = |(key, window): (&WindowKey, &WindowContents)| {
            let position = window.position * i64::from(with_positions);
            format!("{key:?}: {:?}", WindowContents { position, ..window.clone() })
        };
        self.usage.iter().map(shown).collect()
    }

    /// The usage of all windows, computed one by one from all samples at once.
    pub fn usage_of_all(&self) -> BTreeMap<WindowKey, (Vec<Usage>, Option<String>)> {
        let metadata = self.parsed_metadata();
        let mut all = BTreeMap::new();
        for (index, mapping) in (0_i16..).zip(&mappings()) {
            let of_meter = self.samples.values().filter(|row| row.counter_name == mapping.meter);
            let series: HashSet<_> = of_meter
                .filter_map(|row| Some((row.project_id.clone()?, row.resource_id.clone())))
                .collect();
            for (project, resource) in series {
                let readings = self.readings(&project, &resource, &mapping.meter);
                let (others, foreign) = self.evidence(&project, &resource, &mapping.meter);
                let timeline = timeline(&project, &readings, &others, &foreign, &metadata);
                for window in Span::new(second(-36_000), second(72_000)).unwrap().windows() {
                    let usage = transform::compute_usage(mapping, &timeline, window);
                    if usage.is_empty() {
                        continue;
                    }
                    let fields = transform::describe_resource(mapping, &timeline, window);
                    let description =
                        (!fields.is_empty()).then(|| serde_json::to_string(&fields).unwrap());
                    let key = (project.clone(), window.from, resource.clone(), index);
                    all.insert(key, (usage, description));
                }
            }
        }
        all
    }

    fn stored(
        &self,
        samples: &[Sample],
        resources: &[LocatedRow<Resource>],
    ) -> HashMap<usize, StoredSample> {
        let mut stored = HashMap::new();
        for (month, indexes) in look_ups(samples, resources) {
            for index in indexes {
                let identity = samples[index].identity();
                let row = self.samples.iter().find(|(_, row)| row.identity() == identity);
                if let Some((ctid, row)) = row {
                    assert_eq!(month, Month::of(row.timestamp));
                    let location = Location { month, ctid: ctid.to_string() };
                    stored.insert(index, StoredSample { location, sample: row.clone() });
                }
            }
        }
        stored
    }

    /// The rows of `sample`, as text, with their positions or without.
    pub fn samples(&self, with_positions: bool) -> Vec<String> {
        lines(self.samples.values().cloned().map(|mut sample| {
            sample.position *= i64::from(with_positions);
            sample
        }))
    }

    /// The rows of `sample` as they were at that position.
    pub fn samples_as_of(&self, position: i64) -> Vec<String> {
        let now = self.samples.values().filter(|sample| sample.position <= position);
        let then = self.superseded.iter().filter(|(sample, superseded_at)| {
            sample.position <= position && position < *superseded_at
        });
        lines(now.chain(then.map(|(sample, _)| sample)))
    }

    /// The superseded samples, each with the position at which it was superseded, as text.
    pub fn superseded(&self) -> Vec<String> {
        lines(&self.superseded)
    }

    /// The rows of all other tables, as text; those of `rejected` without positions, each once.
    pub fn sums(&self) -> [Vec<String>; 5] {
        let mut rejected =
            lines(self.rejected.iter().cloned().map(|row| RejectedSample { position: 0, ..row }));
        rejected.dedup();
        let (meters, resources) = (lines(self.meters.values()), lines(self.resources.values()));
        let names = self.names.values().filter(|row| row.superseded_at.is_none());
        let names = lines(names.cloned().map(|row| ReportedName { position: 0, ..row }));
        [meters, resources, lines(&self.metadata), rejected, names]
    }

    /// All rows of names, with their positions.
    pub fn names(&self) -> Vec<String> {
        lines(self.names.values())
    }

    /// `project p One`, as they were at that position.
    pub fn names_as_of(&self, position: i64) -> Vec<String> {
        let counts = |row: &&ReportedName| {
            row.position <= position && row.superseded_at.is_none_or(|at| position < at)
        };
        let shown = |row: &ReportedName| format!("{:?} {} {}", row.kind, row.id, row.name);
        let mut names: Vec<String> = self.names.values().filter(counts).map(shown).collect();
        names.sort();
        names
    }

    /// `m p r 10: 5 B`, by time.
    pub fn show(&self) -> Vec<String> {
        let mut rows: Vec<&Sample> = self.samples.values().collect();
        rows.sort_by_key(|row| (row.timestamp, row.identity()));
        let shown = |row: &&Sample| {
            let project = row.project_id.as_deref().unwrap_or("-");
            let at = row.timestamp.duration_since(second(0)).as_secs();
            let unit = row.counter_unit.as_deref().unwrap_or("-");
            let (meter, resource) = (&row.counter_name, &row.resource_id);
            format!("{meter} {project} {resource} {at}: {} {unit}", row.counter_volume)
        };
        rows.iter().map(shown).collect()
    }

    /// `m gauge B 3 0-20`, by name.
    pub fn meters(&self) -> Vec<String> {
        let shown = |row: &Meter| {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let (kind, unit) = (text(&row.counter_type), text(&row.counter_unit));
            let second_of = |at: Timestamp| at.duration_since(second(0)).as_secs();
            let (first, last) = (second_of(row.first_at), second_of(row.last_at));
            format!("{} {kind} {unit} {} {first}-{last}", row.counter_name, row.samples)
        };
        let mut meters: Vec<String> = self.meters.values().map(shown).collect();
        meters.sort();
        meters
    }

    /// The one resource there is.
    pub fn resource(&self) -> &Resource {
        assert_eq!(self.resources.len(), 1);
        self.resources.values().next().unwrap()
    }

    /// Why samples do not count, in order of arrival.
    pub fn reasons(&self) -> Vec<&str> {
        self.rejected.iter().map(|row| row.reason.as_str()).collect()
    }
}

/// The readings, each with the source of its list.
fn with_sources<'s>(
    wanted: &[(&'s str, Span)],
    rows: Vec<Vec<ReadingRow>>,
) -> Vec<EvidenceRow<'s>> {
    let of = |((source, _), rows): (&(&'s str, Span), Vec<ReadingRow>)| {
        let source = *source;
        rows.into_iter().map(move |reading| EvidenceRow { source, reading })
    };
    wanted.iter().zip(rows).flat_map(of).collect()
}

fn located<T: Clone>(
    rows: &BTreeMap<u32, T>,
    is_needed: impl Fn(&T) -> bool,
) -> Vec<LocatedRow<T>> {
    rows.iter()
        .filter(|(_, row)| is_needed(row))
        .map(|(ctid, row)| LocatedRow { ctid: ctid.to_string(), row: row.clone() })
        .collect()
}

fn replace<T>(rows: &mut BTreeMap<u32, T>, last: &mut u32, changes: RowChanges<T>) {
    for ctid in changes.gone {
        rows.remove(&ctid.parse().unwrap()).unwrap();
    }
    for row in changes.new {
        *last += 1;
        rows.insert(*last, row);
    }
}

/// Returns rows as text, sorted by the text.
fn lines<T: std::fmt::Debug>(rows: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut lines: Vec<String> = rows.into_iter().map(|row| format!("{row:?}")).collect();
    lines.sort();
    lines
}
