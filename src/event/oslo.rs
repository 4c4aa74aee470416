//! From a delivered body to an event: envelopes, notifications and RPC casts of oslo.messaging.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::compression::Compression;
use super::fields::{Value, id, raw_object, string};
use super::header::{Draft, Fields, Headed, Identity};
use super::payload::{Content, Sample};
use super::{DecodeError, Event, Family, cloudevents, envelope, json, redact, span};

/// How many envelopes are taken off. One is usual; a limit keeps the work linear.
const ENVELOPES: usize = 8;

/// What one look at a body finds.
#[expect(clippy::large_enum_variant, reason = "it is moved once")]
enum Message {
    /// An oslo envelope of format 2: the message within.
    Envelope(String),
    /// The message itself.
    Header(Headed),
}

/// See [`super::decode`].
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
    for _ in 0..=ENVELOPES {
        match json::read(&body, message)? {
            // Into the memory that is there: what was opened lies in a block that the next message
            // finds still warm.
            Message::Envelope(inner) => {
                body.clear();
                body.extend_from_slice(inner.as_bytes());
            }
            Message::Header(header) => return Ok(header.with_body(body)),
        }
    }
    Err(DecodeError::NoHeader)
}

/// Reads the top level of a body.
fn message(text: &str) -> Result<Message, DecodeError> {
    if let Some(inner) = envelope::open(text) {
        return Ok(Message::Envelope(inner));
    }
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let fields: Fields = serde_json::from_str(text)?;
    if let (Some(version), Some(inner)) = (fields.oslo_version.raw(), fields.oslo_message.raw()) {
        return unusual_envelope(version, inner);
    }
    let draft = if let Some(kind) = fields.event_type.text() {
        notification(text, &fields, kind)?
    } else if let (Some(method), true) = (fields.method.text(), fields.args.is_there()) {
        rpc(text, &fields, &method)?
    } else if let Some(kind) = fields.kind.text()
        && [fields.specversion, fields.source, fields.data].into_iter().any(Value::is_there)
    {
        cloudevents::draft(text, &fields, kind)?
    } else {
        return Err(DecodeError::NoHeader);
    };
    Ok(Message::Header(draft.finish()))
}

/// Why a body that does not begin with a brace is no message.
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

/// Takes the message out of an envelope of format 2, however that is written.
fn unusual_envelope(version: &RawValue, inner: &RawValue) -> Result<Message, DecodeError> {
    let version = id(version).unwrap_or_else(|| version.get().into());
    if version != "2" && !version.starts_with("2.") {
        return Err(DecodeError::Version("oslo.messaging", version.chars().take(40).collect()));
    }
    // Not as oslo writes it, but if it is no string there is still no doubt what is meant.
    let inner = string(inner).unwrap_or_else(|| inner.get().into());
    Ok(Message::Envelope(inner.into_owned()))
}

/// The header of a notification.
fn notification<'a>(
    text: &str,
    fields: &Fields<'a>,
    kind: Cow<'a, str>,
) -> Result<Draft<'a>, DecodeError> {
    let payload = &fields.payload.object;
    let mut family = Family::of_notification(&kind, payload.is_exception());
    let sample = match family {
        Family::Meter | Family::Other => Sample::first_of(&fields.payload)?,
        _ => None,
    };
    if sample.as_ref().is_some_and(|sample| sample.counter_name.is_there()) {
        // Under whichever name: what the notification agents send each other has several.
        family = Family::Meter;
    }
    let (stream, project) = match family {
        Family::Meter => {
            let project = sample.and_then(|sample| sample.project_id.id());
            (project.clone(), project)
        }
        Family::Instance => (payload.instance()?, payload.project()?),
        _ => (payload.thing(), payload.project()?),
    };
    // Of an HTTP request the middleware tells all headers, the token's among them.
    let is_http = matches!(&*kind, "http.request" | "http.response");
    let arguments = if is_http || payload.args.is_there() { whole_payload(text)? } else { None };
    let occurred_at = fields.timestamp.time().or_else(|| fields.context_timestamp.time());
    Ok(Draft {
        identity: identity(text, fields),
        family,
        kind,
        stream,
        project_id: project.or_else(|| fields.context_project()),
        occurred_at,
        key_at: occurred_at,
        source: fields.publisher_id.id().unwrap_or_default(),
        secrets: redact::secrets(text, fields, arguments),
    })
}

raw_object! {
    /// A notification whose payload is wanted as it stands.
    Notification { payload: Value = "payload", }
}

/// The payload's text.
fn whole_payload(text: &str) -> Result<Option<&RawValue>, serde_json::Error> {
    Ok(serde_json::from_str::<Notification>(text)?.payload.raw())
}

raw_object! {
    /// The arguments of an RPC cast to Ceilometer's collector.
    Args { data: Content = "data", }
}

/// The header of an RPC cast. It has no time of its own, so none is part of its identity.
fn rpc<'a>(text: &str, fields: &Fields<'a>, method: &str) -> Result<Draft<'a>, DecodeError> {
    let data = fields.args.object::<Args>()?.data;
    let sample = Sample::first_of(&data)?;
    let sample = sample.filter(|sample| sample.counter_name.is_there());
    let family = if sample.is_some() { Family::Meter } else { Family::Other };
    let arguments = fields.args.raw().filter(|_| family == Family::Other);
    let project = sample.and_then(|sample| sample.project_id.id());
    Ok(Draft {
        identity: identity(text, fields),
        family,
        kind: format!("rpc.{method}").into(),
        stream: project.clone(),
        project_id: project.or_else(|| fields.context_project()),
        occurred_at: fields.context_timestamp.time().or_else(|| fields.timestamp.time()),
        key_at: None,
        source: fields.publisher_id.id().unwrap_or_default(),
        secrets: redact::secrets(text, fields, arguments),
    })
}

/// The sender's id, or the content's without what differs between copies.
fn identity(text: &str, fields: &Fields<'_>) -> Identity {
    match fields.message_id.id() {
        Some(id) => Identity::of_text(&id),
        None => Identity::Content(fields.unique_id.raw().map(|raw| span::of(text, raw))),
    }
}
