//! Requests: the events that each API request caused.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::Request;

/// An event that a request caused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Effect {
    pub occurred_at: Timestamp,
    pub event_id: Uuid,
    pub kind: String,
    pub source: String,
}

/// Creates the row of a request and an instance from all the request's effects on the instance.
pub(super) fn fold(request_id: String, instance_id: &str, mut effects: Vec<Effect>) -> Request {
    effects.sort_unstable();
    effects.dedup_by_key(|effect| (effect.occurred_at, effect.event_id));
    let mut row = Request {
        request_id,
        instance_id: instance_id.to_owned(),
        occurred_at: Vec::with_capacity(effects.len()),
        event_id: Vec::with_capacity(effects.len()),
        kind: Vec::with_capacity(effects.len()),
        source: Vec::with_capacity(effects.len()),
    };
    for effect in effects {
        row.occurred_at.push(effect.occurred_at);
        row.event_id.push(effect.event_id);
        row.kind.push(effect.kind);
        row.source.push(effect.source);
    }
    row
}

/// Returns the effects that [`fold`] made a row of.
pub(super) fn unfold(row: Request) -> impl Iterator<Item = Effect> {
    let stamps = row.occurred_at.into_iter().zip(row.event_id);
    stamps.zip(row.kind.into_iter().zip(row.source)).map(
        |((occurred_at, event_id), (kind, source))| Effect { occurred_at, event_id, kind, source },
    )
}
