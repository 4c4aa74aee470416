//! One sample out of its text.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::fields::{Value, raw_object, string};
use super::super::header::cut;
use super::super::{json, span};
use super::volume;
use super::{Invalid, Sample};

raw_object! {
    /// What is wanted of a sample.
    Fields {
        counter_name: Value = "counter_name",
        counter_type: Value = "counter_type",
        counter_unit: Value = "counter_unit",
        counter_volume: Value = "counter_volume",
        user_id: Value = "user_id",
        project_id: Value = "project_id",
        resource_id: Value = "resource_id",
        source: Value = "source",
        timestamp: Value = "timestamp",
        message_id: Value = "message_id",
        resource_metadata: Value = "resource_metadata",
    }
}

/// Reads what stands in a sample's place.
pub(super) fn read(bytes: &[u8]) -> Result<Sample, Box<Invalid>> {
    let nothing_but = |reason| Box::new(Invalid { reason, ..Invalid::default() });
    if !bytes.starts_with(b"{") {
        return Err(nothing_but("it is no JSON object"));
    }
    json::read(bytes, |text| {
        let fields: Fields = serde_json::from_str(text)?;
        Ok(sample(&fields).map_err(|reason| {
            Box::new(Invalid {
                reason,
                counter_name: owned(fields.counter_name),
                project_id: owned(fields.project_id),
                resource_id: owned(fields.resource_id),
                message_id: owned(fields.message_id),
                timestamp: fields.timestamp.time(),
                counter_volume: fields.counter_volume.get().map(|raw| as_written(bytes, text, raw)),
            })
        }))
    })
    .unwrap_or_else(|_: serde_json::Error| Err(nothing_but("it cannot be read")))
}

/// The sample, or why it is none: the first thing that is wrong with it.
fn sample(fields: &Fields<'_>) -> Result<Sample, &'static str> {
    Ok(Sample {
        counter_name: owned(fields.counter_name).ok_or("it has no counter_name")?,
        resource_id: owned(fields.resource_id).ok_or("it has no resource_id")?,
        timestamp: fields.timestamp.time().ok_or("it has no timestamp between 2000 and 2100")?,
        counter_volume: volume::read(fields.counter_volume)?,
        counter_type: owned(fields.counter_type),
        counter_unit: fields.counter_unit.id().map(unit),
        user_id: owned(fields.user_id),
        project_id: owned(fields.project_id),
        source: owned(fields.source),
        message_id: owned(fields.message_id),
        metadata: fields.resource_metadata.get().map(metadata),
    })
}

/// A string or number, as a column of ours keeps it.
fn owned(value: Value<'_>) -> Option<String> {
    value.id().map(cut)
}

/// The unit under one name: Ceilometer only renamed these two, the numbers stayed.
fn unit(sent: Cow<'_, str>) -> String {
    match &*sent {
        "MB" => "MiB".to_owned(),
        "GB" => "GiB".to_owned(),
        _ => cut(sent),
    }
}

/// The text of the metadata. Only an escape can hide what is no JSON in a text that was read: half a
/// surrogate pair.
fn metadata(raw: &RawValue) -> String {
    let text = raw.get();
    if text.contains('\\') { json::lenient(text.as_bytes()).into_owned() } else { text.to_owned() }
}

/// A value as the sender wrote it, where `text` may be the tolerant reading of `bytes`.
fn as_written(bytes: &[u8], text: &str, raw: &RawValue) -> String {
    let written = String::from_utf8_lossy(&bytes[span::of(text, raw)]);
    let is_string = written.starts_with('"');
    cut(string(raw).filter(|_| is_string).unwrap_or(written))
}
