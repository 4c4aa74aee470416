//! What each API request caused.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::Request;

/// One event that a request caused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    pub occurred_at: Timestamp,
    pub event_id: Uuid,
    pub kind: String,
    pub source: String,
}

/// The row of a request and an instance, of all the events that it caused.
pub(super) fn fold(request_id: String, instance_id: &str, mut mentions: Vec<Mention>) -> Request {
    mentions.sort_unstable();
    mentions.dedup_by_key(|mention| (mention.occurred_at, mention.event_id));
    let mut row = Request {
        request_id,
        instance_id: instance_id.to_owned(),
        occurred_at: Vec::with_capacity(mentions.len()),
        event_id: Vec::with_capacity(mentions.len()),
        kind: Vec::with_capacity(mentions.len()),
        source: Vec::with_capacity(mentions.len()),
    };
    for mention in mentions {
        row.occurred_at.push(mention.occurred_at);
        row.event_id.push(mention.event_id);
        row.kind.push(mention.kind);
        row.source.push(mention.source);
    }
    row
}

/// The events a row was made of.
pub(super) fn take_apart(row: Request) -> impl Iterator<Item = Mention> {
    let stamps = row.occurred_at.into_iter().zip(row.event_id);
    stamps.zip(row.kind.into_iter().zip(row.source)).map(
        |((occurred_at, event_id), (kind, source))| Mention { occurred_at, event_id, kind, source },
    )
}
