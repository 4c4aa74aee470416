//! Facts: the samples of a stretch of the log, summed up by bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::bucket::Bucket;
use super::resolution::{Partition, Resolution};

/// The samples of a stretch of the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The hosts and metrics of the samples, in order.
    pub keys: Vec<Key>,
    /// By resolution, in order of keys and starts.
    buckets: [Vec<BucketFact>; 3],
    /// The values that do not count.
    pub rejections: Vec<Rejection>,
}

/// A host and a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub host: Arc<str>,
    pub metric: Arc<str>,
}

/// The samples to be added to one bucket.
#[derive(Clone, Debug)]
pub(super) struct BucketFact {
    /// The index of its key.
    pub key: usize,
    pub start: Timestamp,
    /// The time of the earliest sample.
    pub first_at: Timestamp,
    /// See [`Span::alive_at`].
    pub alive_at: Timestamp,
    pub bucket: Bucket,
}

/// The times of a key's first and last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The latest time at which a sample shows that its host was alive: its own time or, if its host's clock
    /// was ahead, that of its arrival.
    pub alive_at: Timestamp,
}

impl Span {
    /// Returns the shortest span that contains both.
    pub fn union(self, other: Span) -> Span {
        Span {
            first_at: self.first_at.min(other.first_at),
            last_at: self.last_at.max(other.last_at),
            alive_at: self.alive_at.max(other.alive_at),
        }
    }
}

/// Values of one host and metric that do not count, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub host: Arc<str>,
    pub metric: Option<Arc<str>>,
    pub reason: &'static str,
    /// The day of the log that contains their events; `None` if the events have no time.
    pub start: Option<Timestamp>,
    pub count: i64,
    /// Time and event of the latest value.
    pub last: (Option<Timestamp>, Uuid),
}

impl Facts {
    /// Rolls up minutes, which are in order of keys and starts, into hours and days.
    pub fn of(keys: Vec<Key>, minutes: Vec<BucketFact>, rejections: Vec<Rejection>) -> Self {
        let hours = roll_up(&minutes, Resolution::Hour);
        let days = roll_up(&hours, Resolution::Day);
        Facts { keys, buckets: [minutes, hours, days], rejections }
    }

    /// Returns the buckets of a resolution, by the table that contains their rows.
    pub fn by_partition(&self, resolution: Resolution) -> BTreeMap<Partition, Vec<&BucketFact>> {
        let mut parts = BTreeMap::<Partition, Vec<&BucketFact>>::new();
        for fact in &self.buckets[resolution as usize] {
            parts.entry(resolution.partition(fact.start)).or_default().push(fact);
        }
        parts
    }

    /// Returns the span of each key's samples; `None` if no sample of the key is left.
    pub fn spans(&self) -> Vec<Option<Span>> {
        let mut spans = vec![None::<Span>; self.keys.len()];
        for fact in &self.buckets[Resolution::Day as usize] {
            let BucketFact { key, first_at, alive_at, bucket, .. } = fact;
            let span = Span { first_at: *first_at, last_at: bucket.last.at, alive_at: *alive_at };
            spans[*key] = Some(spans[*key].map_or(span, |known| known.union(span)));
        }
        spans
    }

    /// Removes the samples before a horizon, which is the beginning of a day, because their buckets are
    /// frozen; also the rejected values of events before it. Returns the number of removed samples.
    pub fn remove_before(&mut self, horizon: Timestamp) -> u64 {
        let mut count = 0;
        for fact in &self.buckets[Resolution::Minute as usize] {
            count += if fact.start < horizon { fact.bucket.count.unsigned_abs() } else { 0 };
        }
        for buckets in &mut self.buckets {
            buckets.retain(|fact| fact.start >= horizon);
        }
        self.rejections.retain(|rejection| rejection.start.is_none_or(|start| start >= horizon));
        count
    }
}

/// Sums up buckets, which are in order of keys and starts, into longer ones.
fn roll_up(shorter: &[BucketFact], resolution: Resolution) -> Vec<BucketFact> {
    let mut longer = Vec::<BucketFact>::new();
    for fact in shorter {
        let start = resolution.start(fact.start);
        match longer.last_mut() {
            Some(sum) if (sum.key, sum.start) == (fact.key, start) => {
                // They are in order, so that this one is not the first.
                sum.bucket.add_later(&fact.bucket);
                sum.first_at = sum.first_at.min(fact.first_at);
                sum.alive_at = sum.alive_at.max(fact.alive_at);
            }
            _ => {
                let bucket = fact.bucket.widened(start == fact.start);
                longer.push(BucketFact { start, bucket, ..*fact });
            }
        }
    }
    longer
}
