//! Resources: what was measured, by which meters, and what was last said of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use super::located::{Placed, Replaced};
use super::sample::Sample;

/// A row of `resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub project_id: Option<String>,
    pub resource_id: String,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// Its meters, each with the time of its latest sample.
    pub meters: BTreeMap<String, Timestamp>,
    pub told: Told,
}

/// What tells a resource from others.
pub(super) type Key<'a> = (&'a str, Option<&'a str>);

/// What was said of a resource, and by which sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub user_id: Option<String>,
    pub source: Option<String>,
    pub metadata_id: Option<Uuid>,
    pub at: Timestamp,
    pub trusted: bool,
    pub message_id: String,
    pub event_id: Uuid,
}

impl Resource {
    /// See [`Key`].
    pub fn key(&self) -> Key<'_> {
        (&self.resource_id, self.project_id.as_deref())
    }

    /// Whether there may be a row of `sample` for this meter and time. What is later than all that
    /// was told need not be looked for.
    pub fn may_hold(&self, counter_name: &str, at: Timestamp) -> bool {
        self.meters.get(counter_name).is_some_and(|last| at <= *last)
    }

    /// Adds what another one of the same key says.
    pub fn merge(&mut self, other: Resource) {
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        for (meter, at) in other.meters {
            let last = self.meters.entry(meter).or_insert(at);
            *last = (*last).max(at);
        }
        if other.told.rank() < self.told.rank() {
            self.told = other.told;
        }
    }
}

impl Told {
    fn of(sample: &Sample) -> Self {
        Told {
            user_id: sample.user_id.clone(),
            source: sample.source.clone(),
            metadata_id: sample.metadata_id,
            at: sample.timestamp,
            trusted: sample.trusted,
            message_id: sample.message_id.clone(),
            event_id: sample.event_id,
        }
    }

    fn rank(&self) -> impl Ord + '_ {
        let said = (&self.user_id, &self.source, self.metadata_id);
        (!self.trusted, Reverse(self.at), &self.message_id, self.event_id, said)
    }
}

/// Of two samples of a resource the one that counts is the smaller: a trusted one before others,
/// then the latest. The rest only makes sure that it does not depend on which came first.
fn rank(sample: &Sample) -> impl Ord + '_ {
    let said = (&sample.user_id, &sample.source, sample.metadata_id);
    (!sample.trusted, Reverse(sample.timestamp), &sample.message_id, sample.event_id, said)
}

/// The resources that samples are of.
pub(super) fn seen(samples: &[Sample]) -> Vec<Resource> {
    let mut seen = HashMap::<Key<'_>, Seen<'_>>::new();
    for sample in samples {
        let at = sample.timestamp;
        let seen = seen
            .entry((&sample.resource_id, sample.project_id.as_deref()))
            .or_insert_with(|| Seen { told: sample, meters: BTreeMap::new() });
        let (first, last) = seen.meters.entry(&sample.counter_name).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
        if rank(sample) < rank(seen.told) {
            seen.told = sample;
        }
    }
    seen.into_values().map(Seen::resource).collect()
}

/// A resource of samples, while they are gone through.
struct Seen<'a> {
    told: &'a Sample,
    /// The first and the last time of each meter.
    meters: BTreeMap<&'a str, (Timestamp, Timestamp)>,
}

impl Seen<'_> {
    fn resource(self) -> Resource {
        let at = self.told.timestamp;
        let meters = || self.meters.values();
        Resource {
            project_id: self.told.project_id.clone(),
            resource_id: self.told.resource_id.clone(),
            first_at: meters().map(|(first, _)| *first).min().unwrap_or(at),
            last_at: meters().map(|(_, last)| *last).max().unwrap_or(at),
            told: Told::of(self.told),
            meters: self
                .meters
                .iter()
                .map(|(meter, (_, last))| ((*meter).to_owned(), *last))
                .collect(),
        }
    }
}

/// What a stretch changes: `rows` are the stored ones of the same keys, `seen` what it says.
pub(super) fn fold(rows: Vec<Placed<Resource>>, seen: Vec<Resource>) -> Replaced<Resource> {
    let stored: HashMap<Key<'_>, &Placed<Resource>> =
        rows.iter().map(|placed| (placed.row.key(), placed)).collect();
    let mut replaced = Replaced::default();
    for new in seen {
        match stored.get(&new.key()).copied() {
            None => replaced.new.push(new),
            Some(placed) => {
                let mut row = placed.row.clone();
                row.merge(new);
                replaced.put(placed, row);
            }
        }
    }
    replaced
}
