//! Which readings changed, and which others tell of the same windows.

use std::collections::HashMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::billing::window::{reach, reach_back};
use crate::billing::{Mapping, Span};
use crate::projection::metering::fold::Changes;
use crate::projection::metering::located::Placed;
use crate::projection::metering::resource::{Key, Resource};
use crate::projection::metering::sample::Sample;

/// The mappings, by meter.
#[derive(Debug, Default)]
pub(in crate::projection::metering) struct Mapped<'m>(HashMap<&'m str, Vec<(i16, &'m Mapping)>>);

impl<'m> Mapped<'m> {
    /// Those of the configuration, in its order.
    pub fn new(mappings: &'m [Mapping]) -> Self {
        let mut by_meter = HashMap::<&str, Vec<(i16, &Mapping)>>::new();
        for (index, mapping) in (0..=i16::MAX).zip(mappings) {
            by_meter.entry(&mapping.meter).or_default().push((index, mapping));
        }
        Mapped(by_meter)
    }
}

/// A reading, as far as usage needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::projection::metering) struct Known {
    pub at: Timestamp,
    pub volume: Decimal,
    pub metadata_id: Option<Uuid>,
    pub position: i64,
}

impl From<&Sample> for Known {
    fn from(sample: &Sample) -> Self {
        Known {
            at: sample.timestamp,
            volume: sample.counter_volume,
            metadata_id: sample.metadata_id,
            position: sample.position,
        }
    }
}

/// The readings of one mapped meter of a tenant's resource.
#[derive(Debug)]
pub(in crate::projection::metering) struct Series<'a> {
    pub project_id: &'a str,
    pub resource_id: &'a str,
    pub counter_name: &'a str,
    /// With their indexes in the configuration.
    pub mappings: &'a [(i16, &'a Mapping)],
    /// Times of the readings that are new or take the place of others, in order.
    pub changed: Vec<Timestamp>,
    /// Whole windows, all that can change among them; in order, and apart from each other.
    pub spans: Vec<Span>,
    /// The readings in the spans and the last one before each, by time: at first those that
    /// changed.
    pub known: Vec<Known>,
    /// No sample of it that is stored is later; `None` when none is stored.
    pub stored_to: Option<Timestamp>,
}

/// A span of which the stored readings are needed, and the last one before it, from `floor` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::projection::metering) struct Wanted {
    pub span: Span,
    /// `None`: at any distance.
    pub floor: Option<Timestamp>,
}

/// The series of which readings change. Readings are samples of a tenant that are trusted; a trusted
/// one's place is never taken by one that is not, so no reading ever goes away.
pub(in crate::projection::metering) fn series<'a>(
    mapped: &'a Mapped<'a>,
    changes: &'a Changes,
    resources: &[Placed<Resource>],
) -> Vec<Series<'a>> {
    if mapped.0.is_empty() {
        return Vec::new();
    }
    let stored: HashMap<Key<'_>, &Resource> =
        resources.iter().map(|placed| (placed.row.key(), &placed.row)).collect();
    let mut found = Vec::new();
    // By resource, meter and time: a tenant's stand between another one's of the same resource id.
    let same =
        |a: &Sample, b: &Sample| a.resource_id == b.resource_id && a.counter_name == b.counter_name;
    for of_all in changes.new.chunk_by(same) {
        let Some(mappings) = mapped.0.get(of_all[0].counter_name.as_str()) else { continue };
        let mut readings: Vec<(&str, &Sample)> = of_all
            .iter()
            .filter(|sample| sample.trusted)
            .filter_map(|sample| Some((sample.project_id.as_deref()?, sample)))
            .collect();
        readings.sort_by_key(|(project_id, _)| *project_id);
        for readings in readings.chunk_by(|a, b| a.0 == b.0) {
            let (project_id, first) = readings[0];
            let resource = stored.get(&(first.resource_id.as_str(), Some(project_id)));
            let stored_to = resource.and_then(|it| it.meters.get(&first.counter_name)).copied();
            let readings = readings.iter().map(|(_, sample)| *sample);
            found.push(Series::new(project_id, mappings, stored_to, readings.collect()));
        }
    }
    found
}

impl<'a> Series<'a> {
    /// `new` are its readings in order, at least one.
    fn new(
        project_id: &'a str,
        mappings: &'a [(i16, &'a Mapping)],
        stored_to: Option<Timestamp>,
        new: Vec<&'a Sample>,
    ) -> Self {
        let reach = |at| mappings.iter().map(move |(_, mapping)| reach(mapping, at));
        let changed: Vec<Timestamp> = new.iter().map(|sample| sample.timestamp).collect();
        Series {
            project_id,
            resource_id: &new[0].resource_id,
            counter_name: &new[0].counter_name,
            mappings,
            spans: joined(changed.iter().copied().flat_map(reach).collect()),
            changed,
            known: new.into_iter().map(Known::from).collect(),
            stored_to,
        }
    }

    /// The times from which on the first stored reading is needed: a counter's next one tells the
    /// increase since the changed one, at any distance.
    pub fn open_ends(&self) -> Vec<Timestamp> {
        let is_counter =
            self.mappings.iter().any(|(_, it)| reach_back(it, self.spans[0]).is_none());
        let ends = self.spans.iter().map(|span| span.to);
        ends.filter(|end| is_counter && self.stored_to >= Some(*end)).collect()
    }

    /// Adds the window of a reading that is needed as well.
    pub fn open(&mut self, at: Timestamp) {
        let mut spans = std::mem::take(&mut self.spans);
        spans.push(Span::hour_of(at));
        self.spans = joined(spans);
    }

    /// What is to be brought. What is later than everything that is stored need not be looked for.
    pub fn wanted(&self) -> impl Iterator<Item = Wanted> {
        self.spans.iter().filter_map(|span| {
            let floors = self.mappings.iter().map(|(_, mapping)| reach_back(mapping, *span));
            let floor = floors.min().flatten();
            (self.stored_to? >= floor.unwrap_or(Timestamp::MIN))
                .then_some(Wanted { span: *span, floor })
        })
    }

    /// Adds stored readings. Those that changed stand for them.
    pub fn add(&mut self, stored: impl IntoIterator<Item = Known>) {
        self.known.extend(stored);
        // Stable: the changed ones stand before the stored ones of the same time.
        self.known.sort_by_key(|reading| reading.at);
        self.known.dedup_by_key(|reading| reading.at);
    }
}

/// The spans, in order, those that touch made one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
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
