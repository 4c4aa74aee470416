//! Facts: what a stretch of the log says, summed up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::bucket::{Bucket, Last, nearest};
use super::resolution::{Partition, Resolution};
use crate::event::perf::{self, HostSamples, Sample};
use crate::event::{Event, Recorded};
use crate::projection::{Decode, Decoded};
use crate::sketch::numbers::{self, Sketch};

/// What a stretch of the log says.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// What was measured of which hosts, in order.
    pub keys: Vec<Key>,
    /// By resolution, in order of keys and starts.
    buckets: [Vec<Told>; 3],
    /// What does not count.
    pub rejected: Vec<Rejected>,
}

/// A host and what was measured of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub host: Arc<str>,
    pub metric: Arc<str>,
}

/// What one bucket is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// Index of its key.
    pub key: usize,
    pub start: Timestamp,
    /// The time of the earliest sample.
    pub first_at: Timestamp,
    pub bucket: Bucket,
}

/// The times of a key's first and last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

impl Span {
    /// The time that both take.
    pub fn and(self, other: Span) -> Span {
        Span {
            first_at: self.first_at.min(other.first_at),
            last_at: self.last_at.max(other.last_at),
        }
    }
}

/// Values that do not count for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub host: Arc<str>,
    pub metric: Option<Arc<str>>,
    pub reason: &'static str,
    /// The day of the log that holds their events; `None`: no time is known of these.
    pub start: Option<Timestamp>,
    pub count: i64,
    /// Time and event of the latest one.
    pub last: (Option<Timestamp>, Uuid),
}

/// The facts of a stretch of the log.
#[derive(Default)]
pub(super) struct Decoder {
    stretch: Stretch,
    skipped: u64,
}

impl Decode for Decoder {
    fn read(&mut self, Recorded { event, .. }: Recorded) {
        if event.kind == perf::SAMPLED {
            let is_whole = perf::read(&event.body, |sampled| self.stretch.add(&event, sampled));
            self.skipped += u64::from(!is_whole.unwrap_or(false));
        }
    }

    fn finish(self: Box<Self>) -> Decoded {
        Decoded { facts: Box::new(self.stretch.finish()), skipped: self.skipped }
    }
}

impl Facts {
    /// What the buckets of that width are told, by the table their rows are in.
    pub fn by_partition(&self, resolution: Resolution) -> BTreeMap<Partition, Vec<&Told>> {
        let mut parts = BTreeMap::<Partition, Vec<&Told>>::new();
        for told in &self.buckets[resolution as usize] {
            parts.entry(resolution.partition(told.start)).or_default().push(told);
        }
        parts
    }

    /// What time each key's samples take; none where no sample is left.
    pub fn spans(&self) -> Vec<Option<Span>> {
        let mut spans = vec![None::<Span>; self.keys.len()];
        for Told { key, first_at, bucket, .. } in &self.buckets[Resolution::Day as usize] {
            let span = Span { first_at: *first_at, last_at: bucket.last.at };
            spans[*key] = Some(spans[*key].map_or(span, |known| known.and(span)));
        }
        spans
    }

    /// Leaves out the samples before a horizon, which is the beginning of a day: their buckets are
    /// frozen. Answers how many there were. Of events before it, nothing counts.
    pub fn leave_out_before(&mut self, horizon: Timestamp) -> u64 {
        let mut count = 0;
        for told in &self.buckets[Resolution::Minute as usize] {
            count += if told.start < horizon { told.bucket.count.unsigned_abs() } else { 0 };
        }
        for buckets in &mut self.buckets {
            buckets.retain(|told| told.start >= horizon);
        }
        self.rejected.retain(|rejected| rejected.start.is_none_or(|start| start >= horizon));
        count
    }
}

/// A stretch of the log while it is read.
#[derive(Default)]
struct Stretch {
    /// Each name once; its number is its place in `texts`.
    names: HashMap<Arc<str>, usize>,
    texts: Vec<Arc<str>>,
    /// The number of each host and metric, and the minute that it was last told of: mostly the next
    /// sample is of the same.
    keys: HashMap<(usize, usize), usize>,
    latest: Vec<Option<(Timestamp, usize)>>,
    /// The place of each key's minute among the buckets.
    minutes: HashMap<(usize, Timestamp), usize>,
    buckets: Vec<Filling>,
    rejected: HashMap<Why, Rejected>,
}

/// Host, metric, reason and day of values that do not count.
type Why = (usize, Option<usize>, &'static str, Option<Timestamp>);

/// A minute that is being told of.
struct Filling {
    told: Told,
    bins: Vec<i32>,
}

impl Stretch {
    /// Adds what one event says; whether every value of it counts.
    fn add(&mut self, event: &Event, sampled: &HostSamples<'_>) -> bool {
        let host = self.name(&sampled.host);
        let day = event.key_at.map(|at| Resolution::Day.start(at));
        let mut is_whole = true;
        for (index, value) in (0..).zip(sampled.values()) {
            match value {
                Ok(sample) => self.count(host, event.id, index, &sample),
                Err(perf::InvalidSample { reason, metric, time }) => {
                    let metric = metric.map(|metric| self.name(&metric));
                    self.reject((host, metric, reason, day), (time, event.id));
                    is_whole = false;
                }
            }
        }
        is_whole
    }

    fn name(&mut self, text: &str) -> usize {
        if let Some(number) = self.names.get(text) {
            return *number;
        }
        let (text, number) = (Arc::<str>::from(text), self.texts.len());
        self.texts.push(Arc::clone(&text));
        self.names.insert(text, number);
        number
    }

    fn count(&mut self, host: usize, id: Uuid, index: i32, sample: &Sample<'_>) {
        let metric = self.name(&sample.metric);
        let next = self.keys.len();
        let key = *self.keys.entry((host, metric)).or_insert(next);
        if key == next {
            self.latest.push(None);
        }
        let at = sample.time;
        let start = Resolution::Minute.start(at);
        let bucket = Bucket::of(Last { at, id, index, value: sample.value }, at == start);
        let place = match self.latest[key] {
            Some((known, place)) if known == start => Some(place),
            _ => self.minutes.get(&(key, start)).copied(),
        };
        let place = match place {
            Some(place) => {
                let told = &mut self.buckets[place].told;
                told.bucket.add(&bucket);
                told.first_at = told.first_at.min(at);
                place
            }
            None => {
                let place = self.buckets.len();
                let told = Told { key, start, first_at: at, bucket };
                self.buckets.push(Filling { told, bins: Vec::new() });
                self.minutes.insert((key, start), place);
                place
            }
        };
        self.latest[key] = Some((start, place));
        self.buckets[place].bins.push(numbers::bin(nearest(sample.value)));
    }

    fn reject(&mut self, what: Why, last: (Option<Timestamp>, Uuid)) {
        let (host, metric, reason, start) = what;
        let known = self.rejected.entry(what).or_insert_with(|| Rejected {
            host: Arc::clone(&self.texts[host]),
            metric: metric.map(|metric| Arc::clone(&self.texts[metric])),
            reason,
            start,
            count: 0,
            last,
        });
        known.count += 1;
        known.last = known.last.max(last);
    }

    fn finish(self) -> Facts {
        let text = |number: usize| Arc::clone(&self.texts[number]);
        let mut keys: Vec<(Key, usize)> = self
            .keys
            .iter()
            .map(|((host, metric), key)| (Key { host: text(*host), metric: text(*metric) }, *key))
            .collect();
        keys.sort_unstable();
        let mut places = vec![0; keys.len()];
        for (place, (_, key)) in keys.iter().enumerate() {
            places[*key] = place;
        }
        let mut minutes: Vec<Told> = self
            .buckets
            .into_iter()
            .map(|Filling { mut told, bins }| {
                told.key = places[told.key];
                told.bucket.sketch = Sketch::of(bins);
                told
            })
            .collect();
        minutes.sort_unstable_by_key(|told| (told.key, told.start));
        let hours = rolled_up(&minutes, Resolution::Hour);
        let days = rolled_up(&hours, Resolution::Day);
        Facts {
            keys: keys.into_iter().map(|(key, _)| key).collect(),
            buckets: [minutes, hours, days],
            rejected: self.rejected.into_values().collect(),
        }
    }
}

/// The buckets of that width that shorter ones, in order of keys and starts, add up to.
fn rolled_up(shorter: &[Told], resolution: Resolution) -> Vec<Told> {
    let mut longer = Vec::<Told>::new();
    for told in shorter {
        let start = resolution.start(told.start);
        match longer.last_mut() {
            Some(sum) if (sum.key, sum.start) == (told.key, start) => {
                // In order, so that this one does not begin with it.
                sum.bucket.add_later(&told.bucket);
                sum.first_at = sum.first_at.min(told.first_at);
            }
            _ => {
                let bucket = told.bucket.within(start == told.start);
                longer.push(Told { key: told.key, start, first_at: told.first_at, bucket });
            }
        }
    }
    longer
}
