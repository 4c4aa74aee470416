//! Decoding of messages: one body in, one [`Event`] out. Pure: no clock, no SQL, no network.
//!
//! [`decode`] reads only the header, and leniently: a message with a readable header is an event whatever
//! its payload contains. Payloads are read by projections, through the structs of each family
//! ([`nova`], [`recipe`], [`deployment`], [`meter`], [`perf`]).

mod ceilometer;
mod cloudevents;
mod compression;
pub mod deployment;
mod envelope;
mod family;
mod fault;
mod fields;
mod header;
pub mod json;
pub mod meter;
pub mod names;
mod nested;
pub mod nova;
mod number;
mod oslo;
pub mod ours;
mod payload;
pub mod perf;
mod python;
pub mod recipe;
mod redact;
mod span;
#[cfg(test)]
mod tests;
pub mod time;

pub use header::shorten;

use jiff::Timestamp;
use uuid::Uuid;

pub use cloudevents::{Attributes, is_cloud_event, is_same_report, is_structured};
pub use compression::Compression;
pub use family::Family;
pub use fault::{FieldFault, PayloadFault};

/// A fact to be recorded: the header columns that every projection needs, and the body as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The sender's message id, or its UUIDv5 if it is not a UUID; for CloudEvents the UUIDv5 of
    /// `source` and `id`; without an id, and for samples and events of Ceilometer without a message around
    /// them, the UUIDv5 of the content.
    pub id: Uuid,
    /// Determines the event's partition of the log and the projections that read it.
    pub family: Family,
    /// The type as on the wire, e.g. `compute.instance.create.end`. At most [`TEXT_MAX`] bytes.
    pub kind: String,
    /// The entity it is about: an instance's id, a host, a deployment's id or a project. At most
    /// [`ID_MAX`] bytes, a host at most [`TEXT_MAX`].
    pub stream: Option<String>,
    /// The tenant, if the header or the payload's top level names one. At most [`ID_MAX`] bytes.
    pub project_id: Option<String>,
    /// When it happened by the sender's clock, to the µs; `None` if the sender gave no time from 2000
    /// to 2099.
    pub occurred_at: Option<Timestamp>,
    /// The time that is part of the event's identity: `occurred_at` for oslo notifications and
    /// `perf.*`, the latest sample's for `perf.sampled` and samples without a message; `None` for other events
    /// and without a time.
    pub key_at: Option<Timestamp>,
    /// The `publisher_id` of a notification or the `source` of a CloudEvent. At most [`TEXT_MAX`] bytes.
    pub source: String,
    /// Whether secrets were replaced by `null` in `body`.
    pub redacted: bool,
    /// The indexes, from 0, of the samples whose signature is missing or wrong (see
    /// [`meter::bad_signatures`]); `None` if signatures were not checked. [`decode`] leaves it `None`,
    /// because it is not a function of the body alone.
    pub bad_signatures: Option<Vec<i32>>,
    /// The body as it arrived, except for compression, envelope and secrets; as JSON if it was Python's
    /// `repr`, and as structured JSON if it was a CloudEvent in binary mode or with JSON in base64.
    pub body: Vec<u8>,
}

/// An event at its position in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The position: contiguous from 1, in commit order.
    pub position: i64,
    /// When it was appended, by the clock of the appending process.
    pub recorded_at: Timestamp,
    /// The event.
    pub event: Event,
}

/// The longest text that is kept as it was sent, in bytes: a kind, a name, a unit, the id of a message. A longer one is
/// cut and ends in its hash ([`shorten`]), so that different texts stay different.
pub const TEXT_MAX: usize = 255;

/// The longest id of a thing that is kept as it was sent, in bytes: of a resource, a project, a user, an instance or a
/// deployment. Ids may be made of names: that of a container of Swift is its project, a slash and up to 256 bytes. An
/// index holds two of them and a text.
pub const ID_MAX: usize = 1024;

/// The reason why a body is not an event, which its dead letter shows.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// No bytes, or only white space.
    #[error("the body is empty")]
    Empty,
    /// The body is not compressed as the transport's header claims, is damaged, or is too large.
    #[error("the body does not decompress as {0}: {1}")]
    Compression(&'static str, String),
    /// Not JSON, even when read leniently.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but not an object.
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// An oslo envelope or a CloudEvent of an unknown version.
    #[error("{0} version {1} is not supported")]
    Version(&'static str, String),
    /// An object without a header.
    #[error(
        "no header: neither event_type, nor an RPC method, nor a CloudEvent's specversion, and no sample"
    )]
    NoHeader,
}

/// Decodes one message as the transport delivered it. `compression` is the transport's claim about the
/// body (see [`Compression::from_header`]). The same body gives the same event by queue, file or HTTP.
///
/// # Errors
///
/// When no header can be read. The message then becomes a dead letter.
pub fn decode(body: Vec<u8>, compression: Option<Compression>) -> Result<Event, DecodeError> {
    oslo::decode(body, compression)
}
