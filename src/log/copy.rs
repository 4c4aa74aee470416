//! Rows in COPY's binary format, made before the head is locked: only the positions are filled in
//! under the lock.

use jiff::Timestamp;

use super::chain::{Hash, ZERO, row_hash};
use crate::db::CopyRows;
use crate::event::Event;

/// The columns, in the order in which [`Rows::push`] writes them.
pub(super) const COLUMNS: &str = "position, id, family, kind, stream, project_id, occurred_at, key_at, \
                                  recorded_at, source, redacted, hash, body";
const COLUMN_COUNT: i16 = 13;

/// PostgreSQL counts µs from 2000-01-01; this is that day in Unix µs.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// What `key_at` holds where the identity has no time (the Unix epoch).
pub(super) const NO_TIME: Timestamp = Timestamp::UNIX_EPOCH;

/// The rows that one batch puts into one leaf.
pub(super) struct Rows {
    rows: CopyRows,
    /// Where each row's position stands among the bytes.
    positions: Vec<usize>,
    body_bytes: usize,
    recorded_at: Timestamp,
    last_hash: Hash,
}

impl Rows {
    pub fn new(recorded_at: Timestamp, capacity: usize) -> Self {
        Rows {
            rows: CopyRows::with_capacity(capacity),
            positions: Vec::new(),
            body_bytes: 0,
            recorded_at,
            last_hash: ZERO,
        }
    }

    pub fn push(&mut self, event: &Event) {
        self.last_hash = row_hash(&self.last_hash, self.recorded_at, event);
        let rows = &mut self.rows;
        rows.row(COLUMN_COUNT);
        self.positions.push(rows.at() + 4);
        rows.bytes(&0_i64.to_be_bytes());
        rows.bytes(event.id.as_bytes());
        rows.bytes(event.family.as_str().as_bytes());
        rows.bytes(event.kind.as_bytes());
        text(rows, event.stream.as_deref());
        text(rows, event.project_id.as_deref());
        time(rows, event.occurred_at);
        time(rows, Some(event.key_at.unwrap_or(NO_TIME)));
        time(rows, Some(self.recorded_at));
        rows.bytes(event.source.as_bytes());
        rows.bytes(&[u8::from(event.redacted)]);
        rows.bytes(&self.last_hash);
        rows.bytes(&event.body);
        self.body_bytes += event.body.len();
    }

    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Size of the bodies.
    pub fn bytes(&self) -> usize {
        self.body_bytes
    }

    /// Hash of the last row: the batch's digest.
    pub fn digest(&self) -> Hash {
        self.last_hash
    }

    /// The rows at contiguous positions from `first`.
    pub fn at(mut self, first: i64) -> CopyRows {
        for (position, at) in (first..).zip(&self.positions) {
            self.rows.overwrite(*at, position);
        }
        self.rows
    }
}

fn text(rows: &mut CopyRows, value: Option<&str>) {
    match value {
        Some(value) => rows.bytes(value.as_bytes()),
        None => rows.null(),
    }
}

fn time(rows: &mut CopyRows, at: Option<Timestamp>) {
    match at {
        Some(at) => rows.bytes(&(at.as_microsecond() - POSTGRES_EPOCH).to_be_bytes()),
        None => rows.null(),
    }
}
