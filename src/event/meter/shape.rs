//! The shapes of messages with samples, of every era.

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::fields::{Value, first_element, object, raw_object};
use super::super::payload::{Content, Payload};
use super::super::{json, span};

/// The most samples of one message: a thousand times as many as Ceilometer sends. A list of millions of
/// zeros is a few MB of text, but would be a few GB of samples.
pub(super) const SAMPLES_MAX: usize = 50_000;

raw_object! {
    /// A message. A notification has its samples in `payload`, an RPC cast in `args.data`.
    Message {
        event_type: Value = "event_type",
        payload: Value = "payload",
        args: Value = "args",
    }
}

raw_object! {
    /// The arguments of an RPC cast.
    Args { data: Value = "data", }
}

raw_object! {
    /// An object in the place of the list: a sample, or an object around the list.
    Holder {
        counter_name: Value = "counter_name",
        samples: Value = "samples",
    }
}

/// Returns the spans of a message's samples in its body: the elements of a list (since 2013) or of
/// `samples` in an object (the polling agents since 2015), or one object that is the sample (2012); of a body
/// without a message around the samples, the body or its elements (see [`BareSamples`]). Every value in the
/// place of a sample counts, an object or not.
///
/// # Errors
///
/// When the body is neither a JSON object nor a list of samples, even when read leniently, or has more than
/// [`SAMPLES_MAX`] samples.
pub(super) fn elements(body: &[u8]) -> Result<Vec<Range<usize>>, serde_json::Error> {
    json::read(body, |text| {
        let span_of = |element| span::of(text, element);
        if is_list(text)
            && let Some(BareSamples(elements)) = BareSamples::read(text)?
        {
            return Ok(elements.into_iter().map(span_of).collect());
        }
        let message: Message = serde_json::from_str(text)?;
        let content = if message.event_type.text().is_some() {
            message.payload
        } else if message.args.is_present() {
            message.args.object::<Args>()?.data
        } else {
            let samples = BareSamples::read(text)?.map_or_else(Vec::new, |samples| samples.0);
            return Ok(samples.into_iter().map(span_of).collect());
        };
        let holder: Holder = content.object()?;
        let is_sample = holder.counter_name.is_present() || !holder.samples.is_present();
        let content = if is_sample { content } else { holder.samples };
        let Some(content) = content.get() else { return Ok(Vec::new()) };
        if !content.get().starts_with('[') {
            return Ok(vec![span_of(content)]);
        }
        let List(elements) = serde_json::from_str(content.get())?;
        Ok(elements.into_iter().map(span_of).collect())
    })
}

raw_object! {
    /// The members of the first sample that are part of the event's header.
    FirstSample {
        counter_name: Value = "counter_name",
        project_id: Value = "project_id",
    }
}

impl<'a> FirstSample<'a> {
    /// Returns the first of the samples that [`elements`] finds, from the payload or the RPC cast's data
    /// that was read with the header.
    ///
    /// # Errors
    ///
    /// When the sample cannot be read strictly.
    pub fn of(content: &Content<'a>) -> Result<Option<FirstSample<'a>>, serde_json::Error> {
        let Payload { counter_name, project_id, samples, .. } = content.object;
        if counter_name.is_present() {
            return Ok(Some(FirstSample { counter_name, project_id, len: content.object.len }));
        }
        let sample = if samples.is_present() { first_element(samples) } else { content.first };
        sample.map(object).transpose()
    }
}

/// The samples of a body without a message around them: one, as Ceilometer's `file://` publisher writes it on
/// a line, or a list, as its `http://` publisher posts it. Every value in the place of a sample counts.
pub(in crate::event) struct BareSamples<'a>(Vec<&'a RawValue>);

raw_object! {
    /// The members by which a sample is recognized: under their names in a message, or under those of the
    /// attributes of Ceilometer's class, which the `file://` and `http://` publishers write.
    BareSample {
        counter_name: Value = "counter_name",
        counter_volume: Value = "counter_volume",
        name: Value = "name",
        kind: Value = "type",
        volume: Value = "volume",
        resource_id: Value = "resource_id",
        project_id: Value = "project_id",
        timestamp: Value = "timestamp",
    }
}

impl BareSample<'_> {
    /// Whether an object has what no other message has together.
    fn is_sample(&self) -> bool {
        let has_type = || {
            let kind = self.kind.text();
            kind.is_some_and(|kind| matches!(&*kind, "gauge" | "delta" | "cumulative"))
        };
        let is_named = self.counter_name.is_present() && self.counter_volume.is_present()
            || self.name.is_present() && self.volume.is_present() && has_type();
        is_named && self.resource_id.is_present() && self.timestamp.is_present()
    }
}

impl<'a> BareSamples<'a> {
    /// Returns the samples of a body that is a sample, or a list of which the first element is one.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or the list has more than [`SAMPLES_MAX`] elements.
    pub fn read(text: &'a str) -> Result<Option<BareSamples<'a>>, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        let mut body = Value::default();
        body.put(raw);
        let first = if is_list(text) { first_element(body) } else { Some(raw) };
        let first: BareSample = first.map(object).transpose()?.unwrap_or_default();
        if !first.is_sample() {
            return Ok(None);
        }
        let List(elements) = match is_list(text) {
            true => serde_json::from_str(text)?,
            false => List(vec![raw]),
        };
        Ok(Some(BareSamples(elements)))
    }

    /// The project of the first sample.
    ///
    /// # Errors
    ///
    /// When the sample cannot be read strictly.
    pub fn project_id(&self) -> Result<Option<Cow<'a, str>>, serde_json::Error> {
        let first = self.0.first().copied().map(object::<BareSample>).transpose()?;
        Ok(first.and_then(|sample| sample.project_id.id()))
    }

    /// The time of the latest sample.
    ///
    /// # Errors
    ///
    /// When a sample cannot be read strictly.
    pub fn latest(&self) -> Result<Option<Timestamp>, serde_json::Error> {
        let mut latest = None;
        for element in &self.0 {
            latest = latest.max(object::<BareSample>(element)?.timestamp.time());
        }
        Ok(latest)
    }
}

/// Whether the text is a list, if it is JSON.
fn is_list(text: &str) -> bool {
    text.trim_ascii_start().starts_with('[')
}

/// A list of at most [`SAMPLES_MAX`] samples.
struct List<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for List<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            if elements.len() == SAMPLES_MAX {
                let reason = format!("more than {SAMPLES_MAX} samples in one message");
                return Err(serde::de::Error::custom(reason));
            }
            elements.push(element);
        }
        Ok(List(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    raw_object! { Notification { payload: Content = "payload", } }

    #[test]
    fn the_first_sample_is_found_in_every_shape() {
        for body in [
            r#"{"payload": [{"counter_name": "cpu", "project_id": "p"}, 2]}"#,
            r#"{"payload": {"samples": [{"counter_name": "cpu", "project_id": "p"}]}}"#,
            r#"{"payload": {"counter_name": "cpu", "project_id": "p"}}"#,
        ] {
            let message: Notification = serde_json::from_str(body).unwrap();
            let sample = FirstSample::of(&message.payload).unwrap().unwrap();
            assert_eq!(sample.project_id.text().as_deref(), Some("p"), "{body}");
        }
    }
}
