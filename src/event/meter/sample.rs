//! Reads one sample from its text.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::fields::{Value, raw_object, string, without_nul};
use super::super::header::{cut, cut_id};
use super::super::{json, span};
use super::volume;
use super::{InvalidSample, Sample};

raw_object! {
    /// The members of a sample that are read: under their names in a message, and under those of the attributes
    /// of Ceilometer's class, which the `file://` and `http://` publishers write instead.
    Fields {
        counter_name: Value = "counter_name",
        counter_type: Value = "counter_type",
        counter_unit: Value = "counter_unit",
        counter_volume: Value = "counter_volume",
        user_id: Value = "user_id",
        user_name: Value = "user_name",
        project_id: Value = "project_id",
        project_name: Value = "project_name",
        resource_id: Value = "resource_id",
        source: Value = "source",
        timestamp: Value = "timestamp",
        message_id: Value = "message_id",
        resource_metadata: Value = "resource_metadata",
        name: Value = "name",
        kind: Value = "type",
        unit: Value = "unit",
        volume: Value = "volume",
        id: Value = "id",
    }
}

impl Fields<'_> {
    /// Puts the members of a sample that has the attributes' names where those of other samples are.
    fn rename_attributes(&mut self) {
        if !self.counter_name.is_present() && self.name.is_present() && self.volume.is_present() {
            self.counter_name = self.name;
            self.counter_type = self.kind;
            self.counter_unit = self.unit;
            self.counter_volume = self.volume;
            self.message_id = self.id;
        }
    }
}

/// Reads a sample, or any other value in the place of one.
pub(super) fn read(bytes: &[u8]) -> Result<Sample, Box<InvalidSample>> {
    let unreadable = |reason| Box::new(InvalidSample { reason, ..InvalidSample::default() });
    if !bytes.starts_with(b"{") {
        return Err(unreadable("it is no JSON object"));
    }
    json::read(bytes, |text| {
        let mut fields: Fields = serde_json::from_str(text)?;
        fields.rename_attributes();
        Ok(read_fields(&fields).map_err(|reason| {
            Box::new(InvalidSample {
                reason,
                counter_name: owned(fields.counter_name),
                project_id: owner(fields.project_id),
                resource_id: fields.resource_id.id().map(cut_id),
                message_id: owned(fields.message_id),
                timestamp: fields.timestamp.time(),
                counter_volume: fields.counter_volume.get().map(|raw| as_written(bytes, text, raw)),
            })
        }))
    })
    .unwrap_or_else(|_: serde_json::Error| Err(unreadable("it cannot be read")))
}

/// Reads the fields of a sample.
///
/// # Errors
///
/// The first reason why the sample does not count.
fn read_fields(fields: &Fields<'_>) -> Result<Sample, &'static str> {
    Ok(Sample {
        counter_name: owned(fields.counter_name).ok_or("it has no counter_name")?,
        resource_id: fields.resource_id.id().map(cut_id).ok_or("it has no resource_id")?,
        timestamp: fields.timestamp.time().ok_or("it has no timestamp between 2000 and 2100")?,
        counter_volume: volume::read(fields.counter_volume)?,
        counter_type: owned(fields.counter_type),
        counter_unit: fields.counter_unit.id().map(unit_name),
        user_id: owner(fields.user_id),
        user_name: owned(fields.user_name),
        project_id: owner(fields.project_id),
        project_name: owned(fields.project_name),
        source: owned(fields.source),
        message_id: owned(fields.message_id),
        metadata: fields.resource_metadata.get().map(metadata),
    })
}

/// A string or number, cut to the length of a text.
fn owned(value: Value<'_>) -> Option<String> {
    value.id().map(cut)
}

/// The id of a project or user, cut to the length of an id.
fn owner(value: Value<'_>) -> Option<String> {
    value.owner_id().map(cut_id)
}

/// The unit's latest name. Ceilometer renamed these two; the numbers stayed the same.
fn unit_name(sent: Cow<'_, str>) -> String {
    match &*sent {
        "MB" => "MiB".to_owned(),
        "GB" => "GiB".to_owned(),
        _ => cut(sent),
    }
}

/// The text of the metadata. In a text that was parsed, only half a surrogate pair can be invalid, and
/// it begins with a backslash.
fn metadata(raw: &RawValue) -> String {
    let text = raw.get();
    if text.contains('\\') {
        json::to_strict(text.as_bytes()).into_owned()
    } else {
        text.to_owned()
    }
}

/// A value as the sender wrote it. `text` may be `bytes` after [`json::to_strict`].
fn as_written(bytes: &[u8], text: &str, raw: &RawValue) -> String {
    let written = String::from_utf8_lossy(&bytes[span::of(text, raw)]);
    let is_string = written.starts_with('"');
    cut(without_nul(string(raw).filter(|_| is_string).unwrap_or(written)))
}
