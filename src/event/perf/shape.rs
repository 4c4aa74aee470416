//! Where an event keeps its samples: a list of them, or an object of values at one time.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::fields::{Tolerant, Value, raw_object};
use super::super::{PayloadFault, Problem};
use super::{Invalid, Sample, shortened, value};

/// The most values that one event may hold: far beyond what an agent sends after an hour without its
/// broker. A list of millions of zeros is a few MB of text, and would be a few GB of samples.
pub const VALUES_MAX: usize = 50_000;

/// How far the samples of one event may lie before its latest. Each day of them is a partition that
/// a projection has to hold at once; an agent's buffer spans an hour.
const REACH: SignedDuration = SignedDuration::from_hours(31 * 24);

const TOO_EARLY: &str = "it lies more than 31 days before its event's latest";

raw_object! {
    /// The `data` of an event of samples.
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

/// What an event's `data` says, of whichever host.
pub(in crate::event) struct Said<'a> {
    samples: Vec<Tolerant<Fields<'a>>>,
    metrics: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// `time` of the data: that of `metrics`, and of samples without one.
    time: Value<'a>,
    /// `time` of the CloudEvent, where that is missing too.
    at: Option<Timestamp>,
}

impl<'a> Said<'a> {
    /// What `data` holds; `at` is the event's time. When that is too much: in which member.
    ///
    /// # Errors
    ///
    /// When it cannot be read strictly.
    pub fn of(
        data: &Data<'a>,
        at: Option<Timestamp>,
    ) -> Result<Result<Said<'a>, PayloadFault>, serde_json::Error> {
        let samples: Bounded<_> = of_kind('[', data.samples)?;
        let metrics: Bounded<_> = of_kind('{', data.metrics)?;
        if samples.is_more {
            return Ok(Err(too_many("data.samples")));
        }
        if metrics.is_more {
            return Ok(Err(too_many("data.metrics")));
        }
        let metrics = last_of_equal(metrics.list);
        Ok(Ok(Said { samples: samples.list, metrics, time: data.time, at }))
    }

    /// See [`Sampled::values`](super::Sampled::values).
    pub fn values(&self) -> impl Iterator<Item = Result<Sample<'a>, Invalid<'a>>> + '_ {
        let earliest = self.earliest();
        let listed = self.samples.iter().map(|Tolerant(fields)| {
            self.sample(fields.metric.id(), self.time_of(fields), fields.value.raw())
        });
        // All of these have one time.
        let time = self.time();
        let named = self
            .metrics
            .iter()
            .map(move |(metric, value)| self.sample(value::said(metric), time, Some(value)));
        listed.chain(named).map(move |read| match read {
            Ok(Sample { metric, time, .. }) if Some(time) < earliest => {
                Err(Invalid { reason: TOO_EARLY, metric: Some(metric), time: Some(time) })
            }
            read => read,
        })
    }

    /// What counts lies there or later. `None`: nothing can lie too early.
    fn earliest(&self) -> Option<Timestamp> {
        if self.samples.is_empty() {
            return None;
        }
        let listed = self.samples.iter().filter_map(|Tolerant(fields)| self.time_of(fields).ok());
        let mut times = listed.chain(self.time().ok());
        let first = times.next()?;
        let (first, last) =
            times.fold((first, first), |(first, last), time| (first.min(time), last.max(time)));
        // Mostly all lie close together, and no value need be read twice.
        if last.duration_since(first) <= REACH {
            return None;
        }
        self.latest()?.checked_sub(REACH).ok()
    }

    /// The latest time of a value that counts. No other value is read for it than must be.
    pub fn latest(&self) -> Option<Timestamp> {
        let time = self.time();
        let counts = |(metric, value): &(Cow<'a, str>, &'a RawValue)| {
            self.sample(value::said(metric), time, Some(value)).is_ok()
        };
        let named = time.ok().filter(|_| self.metrics.iter().any(counts));
        self.samples.iter().fold(named, |latest, Tolerant(fields)| {
            let time = self.time_of(fields);
            let may_be = time.is_ok_and(|time| Some(time) > latest);
            let counts = || self.sample(fields.metric.id(), time, fields.value.raw()).is_ok();
            if may_be && counts() { time.ok() } else { latest }
        })
    }

    /// The time of an element of `samples`.
    fn time_of(&self, fields: &Fields<'a>) -> value::Time {
        value::time(fields.time).unwrap_or_else(|| self.time())
    }

    /// The time of what has none of its own.
    fn time(&self) -> value::Time {
        value::time(self.time).unwrap_or(self.at.ok_or(value::NO_TIME))
    }

    fn sample(
        &self,
        metric: Option<Cow<'a, str>>,
        time: value::Time,
        value: Option<&RawValue>,
    ) -> Result<Sample<'a>, Invalid<'a>> {
        let metric = metric.map(shortened);
        let read = value::number(value);
        match (metric, time, read) {
            (Some(metric), Ok(time), Ok(value)) => Ok(Sample { metric, time, value }),
            (metric, time, value) => Err(Invalid {
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

/// A member with more values than an event may have.
fn too_many(field: &'static str) -> PayloadFault {
    PayloadFault::new(field, Problem::TooManyValues(VALUES_MAX))
}

/// Of equal keys the last one, as everywhere.
fn last_of_equal<'a>(
    mut metrics: Vec<(Cow<'a, str>, &'a RawValue)>,
) -> Vec<(Cow<'a, str>, &'a RawValue)> {
    // A stable sort leaves equal ones in their order; turned round, the last one stands first.
    metrics.reverse();
    metrics.sort_by(|(a, _), (b, _)| a.cmp(b));
    metrics.dedup_by(|(later, _), (first, _)| later == first);
    metrics
}

/// What a list or an object holds, if the value is one.
fn of_kind<'a, T>(open: char, value: Value<'a>) -> Result<Bounded<T>, serde_json::Error>
where
    Bounded<T>: Deserialize<'a>,
{
    match value.raw() {
        Some(raw) if raw.get().starts_with(open) => serde_json::from_str(raw.get()),
        _ => Ok(Bounded::default()),
    }
}

/// What a list or an object holds, or only that it is more than [`VALUES_MAX`].
struct Bounded<T> {
    list: Vec<T>,
    is_more: bool,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Bounded { list: Vec::new(), is_more: false }
    }
}

impl<T> Bounded<T> {
    fn push(&mut self, element: T) {
        self.is_more |= self.list.len() == VALUES_MAX;
        if !self.is_more {
            self.list.push(element);
        }
    }
}

/// The name of a metric as a key.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Bounded<Tolerant<Fields<'de>>> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ListOf)
    }
}

impl<'de> Deserialize<'de> for Bounded<(Cow<'de, str>, &'de RawValue)> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectOf)
    }
}

/// Reads a list of samples.
struct ListOf;

/// Reads an object of values.
struct ObjectOf;

impl<'de> Visitor<'de> for ListOf {
    type Value = Bounded<Tolerant<Fields<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Bounded::default();
        while let Some(element) = list.next_element()? {
            elements.push(element);
            if elements.is_more {
                while list.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(elements)
    }
}

impl<'de> Visitor<'de> for ObjectOf {
    type Value = Bounded<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut elements = Bounded::default();
        while let Some((Name(name), value)) = object.next_entry::<Name<'de>, &RawValue>()? {
            elements.push((name, value));
            if elements.is_more {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
        }
        Ok(elements)
    }
}
