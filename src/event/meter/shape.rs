//! Where a message keeps its samples, in every era.

use std::ops::Range;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::fields::{Value, raw_object};
use super::super::{json, span};

/// The most samples that one message may hold: a thousand times what Ceilometer sends. A list of
/// millions of zeros is a few MB of text, and would be a few GB of samples.
pub(super) const SAMPLES_MAX: usize = 50_000;

raw_object! {
    /// A notification has its samples in `payload`, an RPC cast in `args.data`.
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
    /// An object in the place of a list: a sample itself, or one that holds the list.
    Holder {
        counter_name: Value = "counter_name",
        samples: Value = "samples",
    }
}

/// The places of a message's samples in its body: the elements of a list (since 2013) or of
/// `samples` in an object (the polling agents since 2015), or one object that is the sample (2012).
/// Whatever stands in a sample's place is one, an object or not.
///
/// # Errors
///
/// When the body is no JSON object, even when read tolerantly; when there are more of them than
/// [`SAMPLES_MAX`].
pub(super) fn elements(body: &[u8]) -> Result<Vec<Range<usize>>, serde_json::Error> {
    json::read(body, |text| {
        let message: Message = serde_json::from_str(text)?;
        let content = if message.event_type.text().is_some() {
            message.payload
        } else {
            message.args.object::<Args>()?.data
        };
        let holder: Holder = content.object()?;
        let is_sample = holder.counter_name.is_there() || !holder.samples.is_there();
        let content = if is_sample { content } else { holder.samples };
        let Some(content) = content.get() else { return Ok(Vec::new()) };
        if !content.get().starts_with('[') {
            return Ok(vec![span::of(text, content)]);
        }
        let List(elements) = serde_json::from_str(content.get())?;
        Ok(elements.into_iter().map(|element| span::of(text, element)).collect())
    })
}

/// A list of samples, no longer than [`SAMPLES_MAX`].
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
