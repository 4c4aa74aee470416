//! Samples of hosts: `perf.sampled`, both of its forms as one struct.

mod shape;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::fields::{Value, raw_object};
use super::header::cut;
use super::{FieldFault, PayloadFault, json};

pub use shape::VALUES_MAX;
pub(super) use shape::{Data, SampleSet};

/// The kind of events with samples.
pub const SAMPLED: &str = "perf.sampled";

/// One measured value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// The metric, e.g. `cpu`; at most [`TEXT_MAX`](super::TEXT_MAX) bytes.
    pub metric: Cow<'a, str>,
    /// When it was measured, by the sender's clock, to the µs.
    pub time: Timestamp,
    /// The value, digit for digit as far as a [`Decimal`] has room for them, rounded beyond.
    pub value: Decimal,
}

/// A value that does not count, with the parts of it that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSample<'a> {
    /// Why it does not count, one clause.
    pub reason: &'static str,
    /// The metric.
    pub metric: Option<Cow<'a, str>>,
    /// When it was measured, or else when the event was sent.
    pub time: Option<Timestamp>,
}

/// The samples of one event, all of one host.
pub struct HostSamples<'a> {
    /// The host, in the case it was sent in; at most [`TEXT_MAX`](super::TEXT_MAX) bytes.
    pub host: Cow<'a, str>,
    samples: SampleSet<'a>,
}

impl<'a> HostSamples<'a> {
    /// Every value in order, each read by itself: an invalid value does not affect its neighbours. The
    /// index in this order identifies a value within its event.
    pub fn values(&self) -> impl Iterator<Item = Result<Sample<'a>, InvalidSample<'a>>> + '_ {
        self.samples.values()
    }
}

raw_object! {
    /// The members of a CloudEvent that are read.
    CloudEvent {
        time: Value = "time",
        data: Value = "data",
    }
}

/// Reads an event of kind [`SAMPLED`], passes it to `take` and returns its result.
///
/// # Errors
///
/// When nothing of the event can be used: it names no host, contains more values than an event may,
/// or cannot be read at all.
pub fn read<R>(body: &[u8], take: impl FnOnce(&HostSamples<'_>) -> R) -> Result<R, PayloadFault> {
    if let Ok(text) = std::str::from_utf8(body)
        && let Ok(parts) = read_data(text)
    {
        return pass_on(parts, take);
    }
    let text = json::to_strict(body);
    pass_on(read_data(&text).map_err(PayloadFault::unreadable("data"))?, take)
}

/// The host, if there is one, and its samples, unless there are too many.
type DataParts<'a> = (Option<Cow<'a, str>>, Result<SampleSet<'a>, PayloadFault>);

/// Reads the `data` of the event.
fn read_data(text: &str) -> Result<DataParts<'_>, serde_json::Error> {
    let event: CloudEvent = serde_json::from_str(text)?;
    let data: Data = event.data.object()?;
    Ok((data.host.id(), SampleSet::read(&data, event.time.time())?))
}

/// Calls `take` if the event has a host and not too many samples.
fn pass_on<R>(
    (host, samples): DataParts<'_>,
    take: impl FnOnce(&HostSamples<'_>) -> R,
) -> Result<R, PayloadFault> {
    let host = shorten(host.ok_or(PayloadFault::new("data.host", FieldFault::Missing))?);
    Ok(take(&HostSamples { host, samples: samples? }))
}

/// Counts the keys of a JSON object; `None` for anything else. The object is read as leniently as
/// events are.
pub fn count_keys(body: &[u8]) -> Option<usize> {
    json::read(body, |text| serde_json::from_str(text).map(|CloudEvent { len, .. }| len)).ok()
}

/// Shortens a text to the length of a column.
fn shorten(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= super::TEXT_MAX { text } else { cut(text).into() }
}
