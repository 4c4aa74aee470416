//! Resources: what was measured, by which meters, and the user, source and metadata of its latest sample.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::located::{LocatedRow, RowChanges};
use super::metadata_text::MetadataText;
use super::sample::Sample;
use crate::projection::engine::table::{Columns, TableRow, table};

table! {
    /// A resource of a project.
    Resource in metering.resource;
    project_id: Option<String> = TEXT,
    resource_id: String = TEXT,
    first_at: Timestamp = TIMESTAMPTZ,
    last_at: Timestamp = TIMESTAMPTZ,
    /// The names of its meters, in order, each once.
    meters: Vec<String> = TEXT_ARRAY,
    /// For each of the meters, the time of its latest sample.
    meters_last_at: Vec<Timestamp> = TIMESTAMPTZ_ARRAY,
    /// The hosts that its samples name, in order, each once; `""` for samples that name none.
    hosts: Vec<String> = TEXT_ARRAY,
    /// For each of the hosts, the time of its first sample.
    hosts_first_at: Vec<Timestamp> = TIMESTAMPTZ_ARRAY,
    /// For each of the hosts, the time of its latest sample.
    hosts_last_at: Vec<Timestamp> = TIMESTAMPTZ_ARRAY,
    user_id: Option<String> = TEXT,
    source: Option<String> = TEXT,
    metadata_id: Option<Uuid> = UUID,
    /// The time of the sample that the user, the source and the metadata are of; the columns below are
    /// of the same sample.
    told_at: Timestamp = TIMESTAMPTZ,
    told_trusted: bool = BOOL,
    told_message_id: String = TEXT,
    told_event_id: Uuid = UUID,
}

/// The values that distinguish a resource from others: its id and its project.
pub(super) type Key<'a> = (&'a str, Option<&'a str>);

impl Resource {
    /// Returns the resource's [`Key`].
    pub fn key(&self) -> Key<'_> {
        (&self.resource_id, self.project_id.as_deref())
    }

    /// Returns the time of the latest sample of a meter; `None` if the resource has no such meter.
    pub fn last_at_of(&self, counter_name: &str) -> Option<Timestamp> {
        let index = self.meters.binary_search_by(|meter| meter.as_str().cmp(counter_name)).ok()?;
        self.meters_last_at.get(index).copied()
    }

    /// Whether `sample` may have a row for this meter and time. Samples later than the latest known one
    /// need not be looked up.
    pub fn may_have_sample(&self, counter_name: &str, at: Timestamp) -> bool {
        self.last_at_of(counter_name).is_some_and(|last| at <= last)
    }

    /// Adds the samples that another resource of the same key sums up.
    pub fn merge(&mut self, mut other: Resource) {
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        let meters = std::mem::take(&mut other.meters).into_iter().zip(&other.meters_last_at);
        for (meter, at) in meters {
            match self.meters.binary_search(&meter) {
                Ok(index) => self.meters_last_at[index] = self.meters_last_at[index].max(*at),
                Err(index) => {
                    self.meters.insert(index, meter);
                    self.meters_last_at.insert(index, *at);
                }
            }
        }
        let times = other.hosts_first_at.iter().zip(&other.hosts_last_at);
        for (host, (first_at, last_at)) in std::mem::take(&mut other.hosts).into_iter().zip(times) {
            match self.hosts.binary_search(&host) {
                Ok(index) => {
                    let (first, last) =
                        (&mut self.hosts_first_at[index], &mut self.hosts_last_at[index]);
                    (*first, *last) = ((*first).min(*first_at), (*last).max(*last_at));
                }
                Err(index) => {
                    self.hosts.insert(index, host);
                    self.hosts_first_at.insert(index, *first_at);
                    self.hosts_last_at.insert(index, *last_at);
                }
            }
        }
        if other.rank() < self.rank() {
            *self = Resource {
                first_at: self.first_at,
                last_at: self.last_at,
                meters: std::mem::take(&mut self.meters),
                meters_last_at: std::mem::take(&mut self.meters_last_at),
                hosts: std::mem::take(&mut self.hosts),
                hosts_first_at: std::mem::take(&mut self.hosts_first_at),
                hosts_last_at: std::mem::take(&mut self.hosts_last_at),
                ..other
            };
        }
    }

    /// Returns the rank of the sample that the user, the source and the metadata are of, as [`rank`] does.
    fn rank(&self) -> impl Ord + '_ {
        let content = (&self.user_id, &self.source, self.metadata_id);
        (
            !self.told_trusted,
            Reverse(self.told_at),
            &self.told_message_id,
            self.told_event_id,
            content,
        )
    }
}

/// Returns a sample's rank among those of its resource. The one of the smallest rank gives the user, the
/// source and the metadata: a trusted one before others, then the latest. The rest of the rank only makes
/// the choice independent of the order in which samples arrive.
fn rank(sample: &Sample) -> impl Ord + '_ {
    let content = (&sample.user_id, &sample.source, sample.metadata_id);
    (!sample.trusted, Reverse(sample.timestamp), &sample.message_id, sample.event_id, content)
}

/// Returns the resources of the samples, whose metadata is given by its ids.
pub(super) fn resources_of(
    samples: &[Sample],
    metadata: &HashMap<Uuid, MetadataText>,
) -> Vec<Resource> {
    let mut summaries = HashMap::<Key<'_>, Summary<'_>>::new();
    for sample in samples {
        let at = sample.timestamp;
        let summary = summaries
            .entry((&sample.resource_id, sample.project_id.as_deref()))
            .or_insert_with(|| Summary {
                first_ranked: sample,
                meters: BTreeMap::new(),
                hosts: BTreeMap::new(),
            });
        let text = sample.metadata_id.and_then(|id| metadata.get(&id));
        let host = text.map_or("", |text| text.host.as_str());
        for times in [summary.meters.entry(sample.counter_name.as_str()), summary.hosts.entry(host)]
        {
            let (first, last) = times.or_insert((at, at));
            (*first, *last) = ((*first).min(at), (*last).max(at));
        }
        if rank(sample) < rank(summary.first_ranked) {
            summary.first_ranked = sample;
        }
    }
    summaries.into_values().map(Summary::resource).collect()
}

/// A resource while its samples are gone through.
struct Summary<'a> {
    /// The sample of the smallest rank so far.
    first_ranked: &'a Sample,
    /// The first and the last time of each meter.
    meters: BTreeMap<&'a str, (Timestamp, Timestamp)>,
    /// The first and the last time of each host.
    hosts: BTreeMap<&'a str, (Timestamp, Timestamp)>,
}

impl Summary<'_> {
    fn resource(self) -> Resource {
        let sample = self.first_ranked;
        let at = sample.timestamp;
        let times = || self.meters.values();
        Resource {
            project_id: sample.project_id.clone(),
            resource_id: sample.resource_id.clone(),
            first_at: times().map(|(first, _)| *first).min().unwrap_or(at),
            last_at: times().map(|(_, last)| *last).max().unwrap_or(at),
            meters: self.meters.keys().map(|meter| (*meter).to_owned()).collect(),
            meters_last_at: times().map(|(_, last)| *last).collect(),
            hosts: self.hosts.keys().map(|host| (*host).to_owned()).collect(),
            hosts_first_at: self.hosts.values().map(|(first, _)| *first).collect(),
            hosts_last_at: self.hosts.values().map(|(_, last)| *last).collect(),
            user_id: sample.user_id.clone(),
            source: sample.source.clone(),
            metadata_id: sample.metadata_id,
            told_at: at,
            told_trusted: sample.trusted,
            told_message_id: sample.message_id.clone(),
            told_event_id: sample.event_id,
        }
    }
}

/// Folds the resources of a stretch of the log into the stored ones. `rows` are the stored resources of
/// the same keys.
pub(super) fn fold(
    rows: Vec<LocatedRow<Resource>>,
    resources: Vec<Resource>,
) -> RowChanges<Resource> {
    let stored: HashMap<Key<'_>, &LocatedRow<Resource>> =
        rows.iter().map(|located| (located.row.key(), located)).collect();
    let mut changes = RowChanges::default();
    for resource in resources {
        match stored.get(&resource.key()).copied() {
            None => changes.new.push(resource),
            Some(located) => {
                let mut row = located.row.clone();
                row.merge(resource);
                changes.replace(located, row);
            }
        }
    }
    changes
}
