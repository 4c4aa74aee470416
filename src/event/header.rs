//! The header of a message, from which its event is made.

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::fields::{Value, Values, raw_object};
use super::payload::Content;
use super::{DecodeError, Event, Family, ID_MAX, TEXT_MAX, span};

/// The namespace of the ids that are derived here. It must never change: ids are kept for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d1c_5f0a_93e4_4b57_8a2e_b0c4_17d9_f3a6);

raw_object! {
    /// The top-level keys of every kind of message.
    Fields {
        oslo_version: Value = "oslo.version",
        oslo_message: Value = "oslo.message",
        message_id: Value = "message_id",
        publisher_id: Value = "publisher_id",
        event_type: Value = "event_type",
        timestamp: Value = "timestamp",
        payload: Content = "payload",
        context_timestamp: Value = "_context_timestamp",
        context_project_id: Value = "_context_project_id",
        context_tenant: Value = "_context_tenant",
        auth_tokens: Values = "_context_auth_token",
        service_catalogs: Values = "_context_service_catalog",
        unique_id: Value = "_unique_id",
        method: Value = "method",
        args: Value = "args",
        specversion: Value = "specversion",
        id: Value = "id",
        source: Value = "source",
        kind: Value = "type",
        time: Value = "time",
        data: Value = "data",
        data_base64: Value = "data_base64",
        datacontenttype: Value = "datacontenttype",
        generated: Value = "generated",
        traits: Value = "traits",
    }
}

impl<'a> Fields<'a> {
    /// The project of the request that caused the message.
    pub fn context_project(&self) -> Option<Cow<'a, str>> {
        self.context_project_id.owner_id().or_else(|| self.context_tenant.owner_id())
    }
}

/// The origin of an event's id.
pub(super) enum Identity {
    /// The sender's id.
    Given(Uuid),
    /// The body as it is stored, without the value in this span, which differs between the copies of
    /// one message.
    Content(Option<Range<usize>>),
}

impl Identity {
    /// The sender's text: itself if it is a UUID, else its UUIDv5.
    pub fn of_text(text: &str) -> Identity {
        let is_plain = matches!(text.len(), 32 | 36);
        let uuid = is_plain.then(|| Uuid::try_parse(text).ok()).flatten();
        Identity::Given(uuid.unwrap_or_else(|| Uuid::new_v5(&NAMESPACE, text.as_bytes())))
    }

    /// The identity of a CloudEvent: its `source` and `id` together. Neither contains a NUL, so it can
    /// separate them.
    pub fn of_pair(source: &str, id: &str) -> Identity {
        Identity::Given(Uuid::new_v5(&NAMESPACE, format!("{source}\0{id}").as_bytes()))
    }
}

/// The header of a message. Its texts are as long as they were sent; its spans are bytes of the body.
pub(super) struct Header<'a> {
    pub identity: Identity,
    pub family: Family,
    pub kind: Cow<'a, str>,
    pub stream: Option<Cow<'a, str>>,
    pub project_id: Option<Cow<'a, str>>,
    pub occurred_at: Option<Timestamp>,
    pub key_at: Option<Timestamp>,
    pub source: Cow<'a, str>,
    /// The spans of the body's secrets, in order.
    pub secrets: Vec<Range<usize>>,
}

impl Header<'_> {
    /// Returns the event without its body, which the header still borrows.
    pub fn into_event(self) -> EventWithoutBody {
        let event = Event {
            id: Uuid::nil(),
            family: self.family,
            kind: cut(self.kind),
            // A host of samples is a name, not an id.
            stream: match self.family {
                Family::Perf => self.stream.map(cut),
                _ => self.stream.map(cut_id),
            },
            project_id: self.project_id.map(cut_id),
            occurred_at: self.occurred_at,
            key_at: self.key_at,
            source: cut(self.source),
            redacted: !self.secrets.is_empty(),
            bad_signatures: None,
            body: Vec::new(),
        };
        EventWithoutBody { event, identity: self.identity, secrets: self.secrets }
    }
}

/// An event that has no body yet, and no id, which may depend on the body.
pub(super) struct EventWithoutBody {
    event: Event,
    identity: Identity,
    secrets: Vec<Range<usize>>,
}

impl EventWithoutBody {
    /// Completes the event with the body that its header was read from, without the secrets.
    pub fn with_body(self, body: Vec<u8>) -> Event {
        let mut edits: Vec<_> = self.secrets.into_iter().map(|span| (span, "null")).collect();
        let redacted = (!edits.is_empty()).then(|| span::replace(&body, &edits));
        let id = match self.identity {
            Identity::Given(id) => id,
            Identity::Content(None) => {
                Uuid::new_v5(&NAMESPACE, redacted.as_deref().unwrap_or(&body))
            }
            Identity::Content(Some(span)) => {
                edits.push((span, ""));
                edits.sort_by_key(|(span, _)| span.start);
                Uuid::new_v5(&NAMESPACE, &span::replace(&body, &edits))
            }
        };
        Event { id, body: redacted.unwrap_or(body), ..self.event }
    }
}

/// Shortens a text to [`TEXT_MAX`] bytes.
pub(super) fn cut(text: Cow<'_, str>) -> String {
    shorten(text, TEXT_MAX)
}

/// Shortens an id to [`ID_MAX`] bytes.
pub(super) fn cut_id(text: Cow<'_, str>) -> String {
    shorten(text, ID_MAX)
}

/// Shortens a text to `max` bytes, at least 20. A longer one ends in `…` and 16 hex digits of its SHA-256, so that
/// different texts stay different.
pub fn shorten(text: Cow<'_, str>, max: usize) -> String {
    if text.len() <= max {
        return text.into_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub("…".len() + 16));
    let mut short = String::with_capacity(max);
    short.push_str(&text[..end]);
    short.push('…');
    short.push_str(&hex::encode(&Sha256::digest(text.as_bytes())[..8]));
    short
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> DecodeError {
        DecodeError::Json(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(text: &str) -> Uuid {
        let Identity::Given(id) = Identity::of_text(text) else { panic!("a text gives an id") };
        id
    }

    #[test]
    fn a_uuid_is_itself_in_any_case_and_form() {
        let id = id_of("f57c00b7-23b1-4c43-9a01-a1f238ad0b95");
        assert_eq!(id.to_string(), "f57c00b7-23b1-4c43-9a01-a1f238ad0b95");
        assert_eq!(id_of("F57C00B7-23B1-4C43-9A01-A1F238AD0B95"), id);
        assert_eq!(id_of("f57c00b723b14c439a01a1f238ad0b95"), id);
        assert_ne!(id_of("{f57c00b7-23b1-4c43-9a01-a1f238ad0b95}"), id);
        assert_eq!(id_of("any text").get_version_num(), 5);
    }

    #[test]
    fn derived_ids_never_change() {
        assert_eq!(id_of("any text").to_string(), "a50087f3-08b0-5b4d-9c9d-228ff2aa9f55");
    }

    #[test]
    fn long_texts_are_cut_at_a_character_and_stay_different() {
        let (a, b) = ("č".repeat(128), "č".repeat(129));
        let (short_a, short_b) = (cut(a.clone().into()), cut(b.into()));
        assert!(short_a.len() <= TEXT_MAX && short_a.starts_with("čč"), "{short_a}");
        assert_ne!(short_a, short_b);
        assert_eq!(cut(a[..254].into()), a[..254]);
    }
}
