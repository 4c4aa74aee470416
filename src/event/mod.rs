//! What a message says: one body in, one [`Event`] out. Pure: no clock, no SQL, no network.
//!
//! [`decode`] reads only the header, and reads it tolerantly: a message whose header can be read is
//! an event whatever its payload holds. What the payload means is a projection's business, through
//! the payload structs of one family a file ([`nova`], [`recipe`], [`deployment`], [`meter`], [`perf`]).

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
pub mod nova;
mod number;
mod oslo;
pub mod ours;
mod payload;
pub mod perf;
pub mod recipe;
mod redact;
mod span;
#[cfg(test)]
mod tests;
pub mod time;

use jiff::Timestamp;
use uuid::Uuid;

pub use compression::Compression;
pub use family::Family;
pub use fault::{PayloadFault, Problem};

/// A fact to be recorded: the header columns every projection needs, beside the body as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The sender's message id; UUIDv5 of (`source`, `id`) for CloudEvents, of the content where
    /// there is none, of the text where it is not a UUID.
    pub id: Uuid,
    /// Decides the partition and which projections read it.
    pub family: Family,
    /// Type string as on the wire, e.g. `compute.instance.create.end`. At most [`TEXT_MAX`] bytes.
    pub kind: String,
    /// The entity: instance id, host, deployment id or project. At most [`TEXT_MAX`] bytes.
    pub stream: Option<String>,
    /// Tenant, where the header or the payload's top level names one. At most [`TEXT_MAX`] bytes.
    pub project_id: Option<String>,
    /// The sender's clock, µs; `None` where the sender gave no time between 2000 and 2100.
    pub occurred_at: Option<Timestamp>,
    /// The time that is part of the event's identity: `occurred_at` for oslo notifications and
    /// `perf.*`, the latest sample's for `perf.sampled`; `None` where the identity has no time (other
    /// CloudEvents) or none was given.
    pub key_at: Option<Timestamp>,
    /// `publisher_id` of a notification, `source` of a CloudEvent. At most [`TEXT_MAX`] bytes.
    pub source: String,
    /// Whether secrets were replaced by `null` in `body`.
    pub redacted: bool,
    /// Indexes, from 0, of the samples whose signature is missing or wrong (see
    /// [`meter::bad_signatures`]); `None` where none was checked. Decoding leaves it `None`: it is
    /// no function of the body alone.
    pub bad_signatures: Option<Vec<i32>>,
    /// The body as it arrived, without compression, envelope and secrets.
    pub body: Vec<u8>,
}

/// An event at its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Place in the log: contiguous from 1, in commit order.
    pub position: i64,
    /// When it was appended, by the clock of the process that did.
    pub recorded_at: Timestamp,
    /// What was appended.
    pub event: Event,
}

/// The longest text a header column holds, in bytes; a longer one is cut and ends in its hash.
pub const TEXT_MAX: usize = 255;

/// Why a body is not an event. The text is the dead letter's reason.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// No bytes, or only white space.
    #[error("the body is empty")]
    Empty,
    /// The transport said it was compressed, and it is not, or it is damaged or too large.
    #[error("the body does not decompress as {0}: {1}")]
    Compression(&'static str, String),
    /// Not JSON, even when read tolerantly.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but not an object.
    #[error("a JSON object is expected, this is {0}")]
    NotAnObject(&'static str),
    /// An oslo envelope or a CloudEvent of a version we do not know.
    #[error("{0} version {1} is not known")]
    Version(&'static str, String),
    /// An object in which no header can be found.
    #[error("no header: neither event_type, nor a CloudEvents type, nor an RPC method")]
    NoHeader,
}

/// Reads the header of one message. `body` is what the transport handed over, after `compression`
/// (see [`Compression::from_header`]) is taken off. The same body gives the same event by queue,
/// file or HTTP.
///
/// # Errors
///
/// When no header can be read; the message then belongs among the dead letters.
pub fn decode(body: Vec<u8>, compression: Option<Compression>) -> Result<Event, DecodeError> {
    oslo::decode(body, compression)
}
