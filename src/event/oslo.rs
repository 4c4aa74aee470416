//! From a delivered body to an event: envelopes, notifications and RPC casts of oslo.messaging.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::compression::Compression;
use super::fields::{Value, id, raw_object, string};
use super::header::{EventWithoutBody, Fields, Header, Identity};
use super::meter::FirstSample;
use super::payload::Content;
use super::{
    DecodeError, Event, Family, ceilometer, cloudevents, envelope, json, python, redact, span,
};

/// The most envelopes that are taken off. One is usual; the limit keeps the work linear.
const ENVELOPES_MAX: usize = 8;

/// The result of one look at a body.
#[expect(clippy::large_enum_variant, reason = "it is moved once")]
enum Message {
    /// The message that was inside: an oslo envelope of format 2, or the base64 of a CloudEvent's data.
    Envelope(String),
    /// The message itself.
    Event(EventWithoutBody),
}

/// Implements [`super::decode`].
pub(super) fn decode(
    mut body: Vec<u8>,
    compression: Option<Compression>,
) -> Result<Event, DecodeError> {
    if let Some(compression) = compression {
        body = compression.decompress(&body)?;
    } else if let Some(compression) = Compression::sniff(&body)
        && let Ok(plain) = compression.decompress(&body)
    {
        body = plain;
    }
    for _ in 0..=ENVELOPES_MAX {
        if let Some(text) = read_ceilometer_repr(&body) {
            body = text.into_bytes();
        }
        match json::read(&body, read_message)? {
            // Copied into the memory of the envelope: the opened message's own block is freed while
            // still in the cache, and the next message gets it.
            Message::Envelope(inner) => {
                body.clear();
                body.extend_from_slice(inner.as_bytes());
            }
            Message::Event(event) => return Ok(event.with_body(body)),
        }
    }
    Err(DecodeError::NoHeader)
}

/// Returns as JSON what Ceilometer's `file://` publisher wrote as Python's `repr`. Any other text in that form is
/// no message: no other sender writes it.
fn read_ceilometer_repr(body: &[u8]) -> Option<String> {
    let text = python::to_json(body)?;
    let is_ceilometers = |text: &str| {
        let fields: Fields = serde_json::from_str(text).unwrap_or_default();
        ceilometer::is_event(&fields) || matches!(ceilometer::read_samples(text), Ok(Some(_)))
    };
    is_ceilometers(&json::to_strict(text.as_bytes())).then_some(text)
}

/// Reads the top level of a body.
fn read_message(text: &str) -> Result<Message, DecodeError> {
    if let Some(inner) = envelope::open(text) {
        return Ok(Message::Envelope(inner));
    }
    if !text.trim_ascii_start().starts_with('{') {
        let header = read_list(text)?.ok_or_else(|| not_an_object(text))?;
        return Ok(Message::Event(header.into_event()));
    }
    let fields: Fields = serde_json::from_str(text)?;
    if let (Some(version), Some(inner)) = (fields.oslo_version.raw(), fields.oslo_message.raw()) {
        return open_unusual_envelope(version, inner);
    }
    let header = if let Some(kind) = fields.event_type.text() {
        if ceilometer::is_event(&fields) {
            ceilometer::read_event(&fields, kind)
        } else {
            read_notification(text, &fields, kind)?
        }
    } else if let (Some(method), true) = (fields.method.text(), fields.args.is_present()) {
        read_rpc(text, &fields, &method)?
    } else if let Some(kind) = fields.kind.text()
        && let Some(version) = fields.specversion.id()
    {
        if let Some(opened) = cloudevents::open_data(text, &fields) {
            return Ok(Message::Envelope(opened));
        }
        cloudevents::read_header(text, &fields, kind, &version)?
    } else {
        ceilometer::read_samples(text)?.ok_or(DecodeError::NoHeader)?
    };
    Ok(Message::Event(header.into_event()))
}

/// Reads the header of a list, which only samples without a message may be.
fn read_list(text: &str) -> Result<Option<Header<'_>>, serde_json::Error> {
    if text.trim_ascii_start().starts_with('[') { ceilometer::read_samples(text) } else { Ok(None) }
}

/// The reason why a body that does not begin with a brace is not a message.
fn not_an_object(text: &str) -> DecodeError {
    if text.trim_ascii().is_empty() {
        return DecodeError::Empty;
    }
    match serde_json::from_str::<&RawValue>(text) {
        Err(error) => error.into(),
        Ok(raw) => DecodeError::NotAnObject(match raw.get().as_bytes()[0] {
            b'[' => "a list",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            _ => "a number",
        }),
    }
}

/// Takes the message out of an envelope of format 2 that [`envelope::open`] does not recognize.
fn open_unusual_envelope(version: &RawValue, inner: &RawValue) -> Result<Message, DecodeError> {
    let version = id(version).unwrap_or_else(|| version.get().into());
    if version != "2" && !version.starts_with("2.") {
        return Err(DecodeError::Version("oslo.messaging", version.chars().take(40).collect()));
    }
    // oslo writes a string; an object in its place can only be the message itself.
    let inner = string(inner).unwrap_or_else(|| inner.get().into());
    Ok(Message::Envelope(inner.into_owned()))
}

/// Reads the header of a notification.
fn read_notification<'a>(
    text: &str,
    fields: &Fields<'a>,
    kind: Cow<'a, str>,
) -> Result<Header<'a>, DecodeError> {
    let payload = &fields.payload.object;
    let mut family = Family::of_notification(&kind, payload.is_exception());
    let sample = match family {
        Family::Meter | Family::Other => FirstSample::of(&fields.payload)?,
        _ => None,
    };
    if sample.as_ref().is_some_and(|sample| sample.counter_name.is_present()) {
        // Under any type: the notification agents use several among themselves.
        family = Family::Meter;
    }
    let (stream, project) = match family {
        Family::Meter => {
            let project = sample.and_then(|sample| sample.project_id.owner_id());
            (project.clone(), project)
        }
        Family::Instance => (payload.find_instance_id()?, payload.find_project_id()?),
        _ => (payload.entity_id(), payload.find_project_id()?),
    };
    // The middleware sends all headers of an HTTP request, the token's among them.
    let is_http = matches!(&*kind, "http.request" | "http.response");
    let arguments =
        if is_http || payload.args.is_present() { read_whole_payload(text)? } else { None };
    let occurred_at = fields.timestamp.time().or_else(|| fields.context_timestamp.time());
    Ok(Header {
        identity: identity_of(text, fields),
        family,
        kind,
        stream,
        project_id: project.or_else(|| fields.context_project()),
        occurred_at,
        key_at: occurred_at,
        source: fields.publisher_id.id().unwrap_or_default(),
        secrets: redact::find_secrets(text, fields, arguments),
    })
}

raw_object! {
    /// A notification whose payload is needed as text.
    WholePayload { payload: Value = "payload", }
}

/// Reads the payload's text.
fn read_whole_payload(text: &str) -> Result<Option<&RawValue>, serde_json::Error> {
    Ok(serde_json::from_str::<WholePayload>(text)?.payload.raw())
}

raw_object! {
    /// The arguments of an RPC cast to Ceilometer's collector.
    Args { data: Content = "data", }
}

/// Reads the header of an RPC cast. It has no time of its own, so its identity has none.
fn read_rpc<'a>(text: &str, fields: &Fields<'a>, method: &str) -> Result<Header<'a>, DecodeError> {
    let data = fields.args.object::<Args>()?.data;
    let sample = FirstSample::of(&data)?;
    let sample = sample.filter(|sample| sample.counter_name.is_present());
    let family = if sample.is_some() { Family::Meter } else { Family::Other };
    let arguments = fields.args.raw().filter(|_| family == Family::Other);
    let project = sample.and_then(|sample| sample.project_id.owner_id());
    Ok(Header {
        identity: identity_of(text, fields),
        family,
        kind: format!("rpc.{method}").into(),
        stream: project.clone(),
        project_id: project.or_else(|| fields.context_project()),
        occurred_at: fields.context_timestamp.time().or_else(|| fields.timestamp.time()),
        key_at: None,
        source: fields.publisher_id.id().unwrap_or_default(),
        secrets: redact::find_secrets(text, fields, arguments),
    })
}

/// The sender's id, or else the content without the part that differs between copies.
fn identity_of(text: &str, fields: &Fields<'_>) -> Identity {
    match fields.message_id.id() {
        Some(id) => Identity::of_text(&id),
        None => Identity::Content(fields.unique_id.raw().map(|raw| span::of(text, raw))),
    }
}
