//! Samples of hosts: `perf.sampled` in both of its forms, as one struct.

mod shape;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::fields::{Value, raw_object};
use super::header::cut;
use super::{PayloadFault, Problem, json};

pub use shape::VALUES_MAX;
pub(super) use shape::{Data, Said};

/// The kind of event that holds samples.
pub const SAMPLED: &str = "perf.sampled";

/// One measured value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// What was measured, e.g. `cpu`; at most [`TEXT_MAX`](super::TEXT_MAX) bytes.
    pub metric: Cow<'a, str>,
    /// When, by the sender's clock, to the µs.
    pub time: Timestamp,
    /// Digit for digit as far as a [`Decimal`] holds them, rounded beyond.
    pub value: Decimal,
}

/// A value that cannot be counted: why, and what could be read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid<'a> {
    /// Why not, one clause.
    pub reason: &'static str,
    /// What was measured.
    pub metric: Option<Cow<'a, str>>,
    /// When; where the sample does not say it, when the event was sent.
    pub time: Option<Timestamp>,
}

/// What one event says of its host.
pub struct Sampled<'a> {
    /// The host, in the case it was sent in; at most [`TEXT_MAX`](super::TEXT_MAX) bytes.
    pub host: Cow<'a, str>,
    said: Said<'a>,
}

impl<'a> Sampled<'a> {
    /// Every value in order, each by itself: one that cannot be read changes nothing about its
    /// neighbours. The index in this order tells two values of one event apart.
    pub fn values(&self) -> impl Iterator<Item = Result<Sample<'a>, Invalid<'a>>> + '_ {
        self.said.values()
    }
}

raw_object! {
    /// What is wanted of a CloudEvent.
    CloudEvent {
        time: Value = "time",
        data: Value = "data",
    }
}

/// Reads an event of kind [`SAMPLED`], and answers with what `take` makes of it.
///
/// # Errors
///
/// When nothing of the event can be used: it names no host, contains more values than an event may,
/// or cannot be read at all.
pub fn read<R>(body: &[u8], take: impl FnOnce(&Sampled<'_>) -> R) -> Result<R, PayloadFault> {
    if let Ok(text) = std::str::from_utf8(body)
        && let Ok(said) = said(text)
    {
        return taken(said, take);
    }
    let text = json::lenient(body);
    taken(said(&text).map_err(PayloadFault::unreadable("data"))?, take)
}

/// The host, where there is one, and what is said of it, or in which member that is too much.
type HostSaid<'a> = (Option<Cow<'a, str>>, Result<Said<'a>, PayloadFault>);

fn said(text: &str) -> Result<HostSaid<'_>, serde_json::Error> {
    let event: CloudEvent = serde_json::from_str(text)?;
    let data: Data = event.data.object()?;
    Ok((data.host.id(), Said::of(&data, event.time.time())?))
}

fn taken<R>(
    (host, said): HostSaid<'_>,
    take: impl FnOnce(&Sampled<'_>) -> R,
) -> Result<R, PayloadFault> {
    let host = shortened(host.ok_or(PayloadFault::new("data.host", Problem::Missing))?);
    Ok(take(&Sampled { host, said: said? }))
}

/// How many keys a JSON object has; `None` for what is none. It is read as tolerantly as events are.
pub fn keys(body: &[u8]) -> Option<usize> {
    json::read(body, |text| serde_json::from_str(text).map(|CloudEvent { len, .. }| len)).ok()
}

/// A text as a column of ours keeps it.
fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= super::TEXT_MAX { text } else { cut(text).into() }
}
