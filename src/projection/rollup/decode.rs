//! Reads the samples of a stretch of the log and sums them up by minute.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::bucket::{Bucket, LatestSample, nearest_f64};
use super::fact::{BucketFact, Facts, Key, Rejection};
use super::resolution::Resolution;
use crate::event::Recorded;
use crate::event::perf::{self, HostSamples, Sample};
use crate::projection::{Decode, StretchFacts, UnusedEvents};
use crate::sketch::numbers::{self, Sketch};

/// Reads the facts of a stretch of the log.
#[derive(Default)]
pub(super) struct Decoder {
    stretch: Stretch,
    unused: UnusedEvents,
}

impl Decode for Decoder {
    fn read(&mut self, recorded: Recorded) {
        if recorded.event.kind == perf::SAMPLED {
            match perf::read(&recorded.event.body, |sampled| self.stretch.add(&recorded, sampled)) {
                Ok(true) => {}
                // Each value that does not count is a row of its own.
                Ok(false) => self.unused.add_listed(),
                Err(fault) => self.unused.add(recorded.position, fault),
            }
        } else {
            let kind = &recorded.event.kind;
            self.unused.add(
                recorded.position,
                format_args!("no event of the family perf has the type {kind}"),
            );
        }
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.stretch.finish()), unused: self.unused }
    }
}

/// A stretch of the log while it is read.
#[derive(Default)]
struct Stretch {
    /// The number of each host's and metric's name: its index in `texts`, which has each name once.
    names: HashMap<Arc<str>, usize>,
    texts: Vec<Arc<str>>,
    /// The number of each host and metric.
    keys: HashMap<(usize, usize), usize>,
    /// The minute of each key's last sample, and its index among the buckets: the next sample is mostly of
    /// the same minute.
    latest: Vec<Option<(Timestamp, usize)>>,
    /// The index of each key's minutes among the buckets.
    minutes: HashMap<(usize, Timestamp), usize>,
    buckets: Vec<UnsortedMinute>,
    rejections: HashMap<RejectionKey, Rejection>,
}

/// Host, metric, reason and day of values that do not count.
type RejectionKey = (usize, Option<usize>, &'static str, Option<Timestamp>);

/// A minute whose sketch is not built yet.
struct UnsortedMinute {
    fact: BucketFact,
    /// The bins of its values, in the order in which they came.
    bins: Vec<i32>,
}

impl Stretch {
    /// Adds the values of one event. Returns whether all of them count.
    fn add(&mut self, recorded: &Recorded, sampled: &HostSamples<'_>) -> bool {
        let event = &recorded.event;
        let host = self.number_of(&sampled.host);
        let day = event.key_at.map(|at| Resolution::Day.start(at));
        let mut is_whole = true;
        for (index, value) in (0..).zip(sampled.values()) {
            match value {
                Ok(sample) => {
                    let alive_at = sample.time.min(recorded.recorded_at);
                    self.add_sample(host, event.id, index, &sample, alive_at);
                }
                Err(perf::InvalidSample { reason, metric, time }) => {
                    let metric = metric.map(|metric| self.number_of(&metric));
                    self.reject((host, metric, reason, day), (time, event.id));
                    is_whole = false;
                }
            }
        }
        is_whole
    }

    /// Returns the number of a name, which is added if it is new.
    fn number_of(&mut self, name: &str) -> usize {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let (text, number) = (Arc::<str>::from(name), self.texts.len());
        self.texts.push(Arc::clone(&text));
        self.names.insert(text, number);
        number
    }

    /// Adds a sample; `alive_at` is the time at which it shows that its host was alive.
    fn add_sample(
        &mut self,
        host: usize,
        id: Uuid,
        index: i32,
        sample: &Sample<'_>,
        alive_at: Timestamp,
    ) {
        let metric = self.number_of(&sample.metric);
        let next = self.keys.len();
        let key = *self.keys.entry((host, metric)).or_insert(next);
        if key == next {
            self.latest.push(None);
        }
        let at = sample.time;
        let start = Resolution::Minute.start(at);
        let bucket = Bucket::of(LatestSample { at, id, index, value: sample.value }, at == start);
        let place = match self.latest[key] {
            Some((known, place)) if known == start => Some(place),
            _ => self.minutes.get(&(key, start)).copied(),
        };
        let place = match place {
            Some(place) => {
                let fact = &mut self.buckets[place].fact;
                fact.bucket.add(&bucket);
                fact.first_at = fact.first_at.min(at);
                fact.alive_at = fact.alive_at.max(alive_at);
                place
            }
            None => {
                let place = self.buckets.len();
                let fact = BucketFact { key, start, first_at: at, alive_at, bucket };
                self.buckets.push(UnsortedMinute { fact, bins: Vec::new() });
                self.minutes.insert((key, start), place);
                place
            }
        };
        self.latest[key] = Some((start, place));
        self.buckets[place].bins.push(numbers::bin(nearest_f64(sample.value)));
    }

    fn reject(&mut self, key: RejectionKey, last: (Option<Timestamp>, Uuid)) {
        let (host, metric, reason, start) = key;
        let known = self.rejections.entry(key).or_insert_with(|| Rejection {
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
        let mut minutes: Vec<BucketFact> = self
            .buckets
            .into_iter()
            .map(|UnsortedMinute { mut fact, bins }| {
                fact.key = places[fact.key];
                fact.bucket.sketch = Sketch::of(bins);
                fact
            })
            .collect();
        minutes.sort_unstable_by_key(|fact| (fact.key, fact.start));
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        Facts::of(keys, minutes, self.rejections.into_values().collect())
    }
}
