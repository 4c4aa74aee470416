//! The two forms of an event's samples: a list of them, and an object of values at one time.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::fields::{Value, raw_object};
use super::super::nested::LenientObject;
use super::super::{FieldFault, PayloadFault};
use super::{InvalidSample, Sample, shorten, value};

/// The most values of one event: far more than an agent sends after an hour without its broker. A list
/// of millions of zeros is a few MB of text, but would be a few GB of samples.
pub const VALUES_MAX: usize = 50_000;

/// How far a sample may lie before its event's latest. A projection has to hold every day of an event's
/// samples at once, each a partition; an agent's buffer spans an hour.
const SPAN_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

const TOO_EARLY: &str = "it lies more than 31 days before its event's latest";

raw_object! {
    /// The `data` of an event with samples.
    Data {
        host: Value = "host",
        tenant_id: Value = "tenant_id",
        project_id: Value = "project_id",
        time: Value = "time",
        samples: Value = "samples",
        metrics: Value = "metrics",
    }
}

raw_object! {
    /// An element of `samples`.
    Fields {
        metric: Value = "metric",
        time: Value = "time",
        value: Value = "value",
    }
}

/// The samples in an event's `data`.
pub(in crate::event) struct SampleSet<'a> {
    samples: Vec<LenientObject<Fields<'a>>>,
    metrics: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The `time` of `data`, which is that of `metrics` and of samples without their own.
    time: Value<'a>,
    /// The CloudEvent's `time`, for use if that is missing too.
    at: Option<Timestamp>,
}

impl<'a> SampleSet<'a> {
    /// Reads the samples of `data`; `at` is the event's time. The inner error names a member with too
    /// many values.
    ///
    /// # Errors
    ///
    /// When `data` cannot be read strictly.
    pub fn read(
        data: &Data<'a>,
        at: Option<Timestamp>,
    ) -> Result<Result<SampleSet<'a>, PayloadFault>, serde_json::Error> {
        let samples: BoundedList<_> = read_if_opened_by('[', data.samples)?;
        let metrics: BoundedList<_> = read_if_opened_by('{', data.metrics)?;
        if samples.is_exceeded {
            return Ok(Err(too_many("data.samples")));
        }
        if metrics.is_exceeded {
            return Ok(Err(too_many("data.metrics")));
        }
        let metrics = sort_and_keep_last(metrics.list);
        Ok(Ok(SampleSet { samples: samples.list, metrics, time: data.time, at }))
    }

    /// Implements [`HostSamples::values`](super::HostSamples::values).
    pub fn values(&self) -> impl Iterator<Item = Result<Sample<'a>, InvalidSample<'a>>> + '_ {
        let earliest = self.earliest();
        let listed = self.samples.iter().map(|LenientObject(fields)| {
            self.sample(fields.metric.id(), self.time_of(fields), fields.value.raw())
        });
        // All values of `metrics` have the same time.
        let time = self.time();
        let named = self
            .metrics
            .iter()
            .map(move |(metric, value)| self.sample(value::metric_name(metric), time, Some(value)));
        listed.chain(named).map(move |read| match read {
            Ok(Sample { metric, time, .. }) if Some(time) < earliest => {
                Err(InvalidSample { reason: TOO_EARLY, metric: Some(metric), time: Some(time) })
            }
            read => read,
        })
    }

    /// The earliest time at which a value counts. `None` if no value can be too early.
    fn earliest(&self) -> Option<Timestamp> {
        if self.samples.is_empty() {
            return None;
        }
        let listed =
            self.samples.iter().filter_map(|LenientObject(fields)| self.time_of(fields).ok());
        let mut times = listed.chain(self.time().ok());
        let first = times.next()?;
        let (first, last) =
            times.fold((first, first), |(first, last), time| (first.min(time), last.max(time)));
        // Usually all times are close together, and no value has to be read twice.
        if last.duration_since(first) <= SPAN_MAX {
            return None;
        }
        self.latest()?.checked_sub(SPAN_MAX).ok()
    }

    /// The latest time of a value that counts. It reads only the values that could have it.
    pub fn latest(&self) -> Option<Timestamp> {
        let time = self.time();
        let counts = |(metric, value): &(Cow<'a, str>, &'a RawValue)| {
            self.sample(value::metric_name(metric), time, Some(value)).is_ok()
        };
        let named = time.ok().filter(|_| self.metrics.iter().any(counts));
        self.samples.iter().fold(named, |latest, LenientObject(fields)| {
            let time = self.time_of(fields);
            let may_be = time.is_ok_and(|time| Some(time) > latest);
            let counts = || self.sample(fields.metric.id(), time, fields.value.raw()).is_ok();
            if may_be && counts() { time.ok() } else { latest }
        })
    }

    /// The time of an element of `samples`.
    fn time_of(&self, fields: &Fields<'a>) -> value::Time {
        value::read_time(fields.time).unwrap_or_else(|| self.time())
    }

    /// The time of values without their own.
    fn time(&self) -> value::Time {
        value::read_time(self.time).unwrap_or(self.at.ok_or(value::NO_TIME))
    }

    /// Reads one value.
    fn sample(
        &self,
        metric: Option<Cow<'a, str>>,
        time: value::Time,
        value: Option<&RawValue>,
    ) -> Result<Sample<'a>, InvalidSample<'a>> {
        let metric = metric.map(shorten);
        let read = value::read_number(value);
        match (metric, time, read) {
            (Some(metric), Ok(time), Ok(value)) => Ok(Sample { metric, time, value }),
            (metric, time, value) => Err(InvalidSample {
                reason: match (&metric, time, value) {
                    (None, ..) => "it names no metric",
                    (_, Err(reason), _) | (_, _, Err(reason)) => reason,
                    _ => "it cannot be read",
                },
                metric,
                time: time.ok().or(self.at),
            }),
        }
    }
}

/// The fault of a member with more than [`VALUES_MAX`] values.
fn too_many(field: &'static str) -> PayloadFault {
    PayloadFault::new(field, FieldFault::TooManyValues(VALUES_MAX))
}

/// Sorts metrics by name. Of equal names the last value wins, as everywhere.
fn sort_and_keep_last<'a>(
    mut metrics: Vec<(Cow<'a, str>, &'a RawValue)>,
) -> Vec<(Cow<'a, str>, &'a RawValue)> {
    // The sort is stable, so after the reversal the last of equal names is the first of them.
    metrics.reverse();
    metrics.sort_by(|(a, _), (b, _)| a.cmp(b));
    metrics.dedup_by(|(later, _), (first, _)| later == first);
    metrics
}

/// Reads a value that begins with `open`, a list or an object; any other value has no elements.
fn read_if_opened_by<'a, T>(
    open: char,
    value: Value<'a>,
) -> Result<BoundedList<T>, serde_json::Error>
where
    BoundedList<T>: Deserialize<'a>,
{
    match value.raw() {
        Some(raw) if raw.get().starts_with(open) => serde_json::from_str(raw.get()),
        _ => Ok(BoundedList::default()),
    }
}

/// The elements of a list or an object, at most [`VALUES_MAX`].
struct BoundedList<T> {
    list: Vec<T>,
    /// Whether there are more, and `list` is incomplete.
    is_exceeded: bool,
}

impl<T> Default for BoundedList<T> {
    fn default() -> Self {
        BoundedList { list: Vec::new(), is_exceeded: false }
    }
}

impl<T> BoundedList<T> {
    fn push(&mut self, element: T) {
        self.is_exceeded |= self.list.len() == VALUES_MAX;
        if !self.is_exceeded {
            self.list.push(element);
        }
    }
}

/// The name of a metric as a key.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for BoundedList<LenientObject<Fields<'de>>> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ListVisitor)
    }
}

impl<'de> Deserialize<'de> for BoundedList<(Cow<'de, str>, &'de RawValue)> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor)
    }
}

/// Reads a list of samples.
struct ListVisitor;

/// Reads an object of values.
struct ObjectVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = BoundedList<LenientObject<Fields<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = BoundedList::default();
        while let Some(element) = list.next_element()? {
            elements.push(element);
            if elements.is_exceeded {
                while list.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(elements)
    }
}

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = BoundedList<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut elements = BoundedList::default();
        while let Some((Name(name), value)) = object.next_entry::<Name<'de>, &RawValue>()? {
            elements.push((name, value));
            if elements.is_exceeded {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
        }
        Ok(elements)
    }
}
