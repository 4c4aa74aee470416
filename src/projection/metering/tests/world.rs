//! Messages of samples to say, tables in memory to fold them into, and what stands there then.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::billing::settings::Settings;
use crate::billing::{Mapping, Metadata, Reading, Span, Timeline, Usage, transform};
use crate::config::{File, Metering};
use crate::event::{Event, Family, Recorded};
use crate::projection::metering::fact::{Facts, Rejected};
use crate::projection::metering::fold::{Changes, Place, Stored, fold};
use crate::projection::metering::load::wanted;
use crate::projection::metering::located::{Placed, Replaced};
use crate::projection::metering::meter::Meter;
use crate::projection::metering::month::Month;
use crate::projection::metering::resource::Resource;
use crate::projection::metering::sample::Sample;
use crate::projection::metering::usage::{Known, Mapped, Texts, Windows, series};
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

/// An event that tells these samples, of the id that the number makes.
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
        metering: Metering { trust_sources: Some(vec![trusted]) },
        billing: Settings { mappings: mappings(), ..Settings::default() },
        ..File::default()
    }
}

pub fn mappings() -> Vec<Mapping> {
    let all = [
        "meter = 'm'\ntransformer = 'average'\nunit = 'x'\nmax_gap_s = 9000\nservice = 'average'",
        "meter = 'm'\ntransformer = 'max'\nunit = 'x'\nmetadata = { name = ['name'] }",
        "meter = 'n'\ntransformer = 'cumulative'\nunit = 'x'\nmetadata = { name = ['name'] }",
        "meter = 'n'\ntransformer = 'uptime'",
        "meter = 'n'\ntransformer = 'count'\nservice = 'count'\nfilter = { name = 'one' }\ncarry_over = true",
    ];
    all.map(|text| toml::from_str(text).unwrap()).to_vec()
}

/// What tells a window of a mapping from others: tenant, start, resource, and the mapping's index.
pub type WindowKey = (String, Timestamp, String, i16);

/// What is told of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub usage: Vec<Usage>,
    pub description: Option<String>,
    pub position: i64,
}

/// What the events say.
pub fn facts(events: &[Recorded]) -> Facts {
    *PROJECTION.decode_all(&file(), events.to_vec()).facts.downcast().unwrap()
}

/// The tables, in memory; what stands for a `ctid` is a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    samples: BTreeMap<u32, Sample>,
    pub superseded: Vec<(Sample, i64)>,
    meters: BTreeMap<u32, Meter>,
    resources: BTreeMap<u32, Resource>,
    metadata: BTreeMap<Uuid, String>,
    rejected: Vec<Rejected>,
    pub usage: BTreeMap<WindowKey, Told>,
    last: u32,
}

impl Tables {
    /// The tables after these events, all at once.
    pub fn of(events: &[Recorded]) -> Self {
        let mut tables = Tables::default();
        tables.apply(facts(events));
        tables
    }

    /// What `apply` does with the database.
    pub fn apply(&mut self, facts: Facts) {
        let seen: HashSet<_> = facts.resources.iter().map(Resource::key).collect();
        let resources = placed(&self.resources, |row| seen.contains(&row.key()));
        let names: HashSet<_> = facts.meters.iter().map(|meter| &meter.counter_name).collect();
        let meters = placed(&self.meters, |row| names.contains(&row.counter_name));
        let stored = self.stored(&facts.samples, &resources);
        let changes = fold(facts.samples, stored);
        self.metadata.extend(facts.metadata);
        self.apply_usage(&changes, &resources);
        for superseded in &changes.superseded {
            if let Some(Place { ctid, .. }) = &superseded.row {
                self.samples.remove(&ctid.parse().unwrap()).unwrap();
            }
            self.superseded.push((superseded.sample.clone(), superseded.at));
        }
        let replaced = meter::fold(meters, facts.meters, &changes);
        for sample in changes.new {
            self.last += 1;
            self.samples.insert(self.last, sample);
        }
        replace(&mut self.meters, &mut self.last, replaced);
        let replaced = resource::fold(resources, facts.resources);
        replace(&mut self.resources, &mut self.last, replaced);
        self.rejected.extend(facts.rejected);
        let identities: HashSet<_> = self.samples.values().map(Sample::identity).collect();
        assert_eq!(identities.len(), self.samples.len(), "every identity has one row");
    }

    fn apply_usage(&mut self, changes: &Changes, resources: &[Placed<Resource>]) {
        let mappings = mappings();
        let mapped = Mapped::new(&mappings);
        let texts = Texts::read(self.metadata.iter().map(|(id, body)| (*id, body.as_str())));
        let mut windows = Windows::default();
        for mut series in series(&mapped, changes, resources) {
            let stored = self.readings(series.project_id, series.resource_id, series.counter_name);
            for end in series.open_ends() {
                let next = stored.iter().find(|known| known.at >= end);
                next.into_iter().for_each(|known| series.open(known.at));
            }
            let mut found = Vec::new();
            for wanted in series.wanted() {
                let floor = wanted.floor.unwrap_or(Timestamp::MIN);
                let before = |it: &&Known| it.at >= floor && it.at < wanted.span.from;
                found.extend(stored.iter().rfind(before));
                found.extend(stored.iter().filter(|known| wanted.span.contains(known.at)));
            }
            series.add(found);
            windows.add(&series, &texts);
        }
        for it in windows.0 {
            let key = (it.project_id.to_owned(), it.at, it.resource_id.to_owned(), it.mapping);
            let told = Told { usage: it.usage, description: it.description, position: it.position };
            let before = self.usage.insert(key, told);
            assert!(before.is_none() || it.may_be_there);
        }
    }

    /// The stored readings of a series, by time.
    fn readings(&self, project: &str, resource: &str, meter: &str) -> Vec<Known> {
        let is_of = |row: &&Sample| {
            row.trusted
                && row.project_id.as_deref() == Some(project)
                && (row.resource_id.as_str(), row.counter_name.as_str()) == (resource, meter)
        };
        let mut found: Vec<Known> = self.samples.values().filter(is_of).map(Known::from).collect();
        found.sort_by_key(|known| known.at);
        found
    }

    /// The usage of all windows as text, with its positions or without.
    pub fn usage(&self, with_positions: bool) -> Vec<String> {
        let shown = |(key, told): (&WindowKey, &Told)| {
            let position = told.position * i64::from(with_positions);
            format!("{key:?}: {:?}", Told { position, ..told.clone() })
        };
        self.usage.iter().map(shown).collect()
    }

    /// What all windows come to, computed one by one from all samples at once.
    pub fn usage_of_all(&self) -> BTreeMap<WindowKey, (Vec<Usage>, Option<String>)> {
        let bodies: HashMap<Uuid, Metadata> =
            self.metadata.iter().map(|(id, body)| (*id, Metadata::read(body))).collect();
        let mut all = BTreeMap::new();
        for (index, mapping) in (0_i16..).zip(&mappings()) {
            let of_meter = self.samples.values().filter(|row| row.counter_name == mapping.meter);
            let series: HashSet<_> = of_meter
                .filter_map(|row| Some((row.project_id.clone()?, row.resource_id.clone())))
                .collect();
            for (project, resource) in series {
                let known = self.readings(&project, &resource, &mapping.meter);
                let reading = |known: &Known| Reading {
                    at: known.at,
                    volume: known.volume,
                    metadata: known.metadata_id.and_then(|id| bodies.get(&id)),
                    message_id: "",
                };
                let timeline = Timeline::new(known.iter().map(reading).collect());
                for window in Span::new(second(-36_000), second(72_000)).unwrap().windows() {
                    let usage = transform::compute_usage(mapping, &timeline, window);
                    if usage.is_empty() {
                        continue;
                    }
                    let said = transform::describe_resource(mapping, &timeline, window);
                    let said = (!said.is_empty()).then(|| serde_json::to_string(&said).unwrap());
                    let key = (project.clone(), window.from, resource.clone(), index);
                    all.insert(key, (usage, said));
                }
            }
        }
        all
    }

    fn stored(&self, samples: &[Sample], resources: &[Placed<Resource>]) -> HashMap<usize, Stored> {
        let mut stored = HashMap::new();
        for (month, indexes) in wanted(samples, resources) {
            for index in indexes {
                let identity = samples[index].identity();
                let row = self.samples.iter().find(|(_, row)| row.identity() == identity);
                if let Some((ctid, row)) = row {
                    assert_eq!(month, Month::of(row.timestamp));
                    let place = Place { month, ctid: ctid.to_string() };
                    stored.insert(index, Stored { place, sample: row.clone() });
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

    /// The rows that replaced none, as text: what was superseded, and when.
    pub fn superseded(&self) -> Vec<String> {
        lines(&self.superseded)
    }

    /// The rows of all other tables, as text; those of `rejected` without positions, each once.
    pub fn sums(&self) -> [Vec<String>; 4] {
        let mut rejected =
            lines(self.rejected.iter().cloned().map(|row| Rejected { position: 0, ..row }));
        rejected.dedup();
        let (meters, resources) = (lines(self.meters.values()), lines(self.resources.values()));
        [meters, resources, lines(&self.metadata), rejected]
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

    /// Why samples do not count, in the order in which they came.
    pub fn reasons(&self) -> Vec<&'static str> {
        self.rejected.iter().map(|row| row.said.reason).collect()
    }
}

fn placed<T: Clone>(rows: &BTreeMap<u32, T>, wanted: impl Fn(&T) -> bool) -> Vec<Placed<T>> {
    rows.iter()
        .filter(|(_, row)| wanted(row))
        .map(|(ctid, row)| Placed { ctid: ctid.to_string(), row: row.clone() })
        .collect()
}

fn replace<T>(rows: &mut BTreeMap<u32, T>, last: &mut u32, replaced: Replaced<T>) {
    for ctid in replaced.gone {
        rows.remove(&ctid.parse().unwrap()).unwrap();
    }
    for row in replaced.new {
        *last += 1;
        rows.insert(*last, row);
    }
}

/// Rows as text, in an order that is not theirs.
fn lines<T: std::fmt::Debug>(rows: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut lines: Vec<String> = rows.into_iter().map(|row| format!("{row:?}")).collect();
    lines.sort();
    lines
}
