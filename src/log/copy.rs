//! Rows in COPY's binary format, made before the head is locked: only the positions are filled in
//! under the lock.

use bytes::{BufMut, Bytes, BytesMut};
use jiff::Timestamp;

use super::chain::{Hash, ZERO, row_hash};
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
    buffer: BytesMut,
    /// Where each row's position stands in the buffer.
    positions: Vec<usize>,
    body_bytes: usize,
    recorded_at: Timestamp,
    last_hash: Hash,
}

impl Rows {
    pub fn new(recorded_at: Timestamp, capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(capacity);
        buffer.put_slice(b"PGCOPY\n\xff\r\n\0");
        buffer.put_i32(0); // flags
        buffer.put_i32(0); // length of the header's extension
        Rows { buffer, positions: Vec::new(), body_bytes: 0, recorded_at, last_hash: ZERO }
    }

    pub fn push(&mut self, event: &Event) {
        self.last_hash = row_hash(&self.last_hash, self.recorded_at, event);
        let hash = self.last_hash;
        let buffer = &mut self.buffer;
        buffer.put_i16(COLUMN_COUNT);
        buffer.put_i32(8);
        self.positions.push(buffer.len());
        buffer.put_i64(0);
        bytes(buffer, event.id.as_bytes());
        bytes(buffer, event.family.as_str().as_bytes());
        bytes(buffer, event.kind.as_bytes());
        optional(buffer, event.stream.as_deref());
        optional(buffer, event.project_id.as_deref());
        match event.occurred_at {
            Some(at) => time(buffer, at),
            None => buffer.put_i32(-1),
        }
        time(buffer, event.key_at.unwrap_or(NO_TIME));
        time(buffer, self.recorded_at);
        bytes(buffer, event.source.as_bytes());
        bytes(buffer, &[u8::from(event.redacted)]);
        bytes(buffer, &hash);
        bytes(buffer, &event.body);
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

    /// The whole stream, the rows at contiguous positions from `first`.
    pub fn finish(mut self, first: i64) -> Bytes {
        for (position, at) in (first..).zip(&self.positions) {
            self.buffer[*at..*at + 8].copy_from_slice(&position.to_be_bytes());
        }
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

fn bytes(buffer: &mut BytesMut, value: &[u8]) {
    // Bodies are at most what a broker or the HTTP intake lets through, far below 2 GiB.
    buffer.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
    buffer.put_slice(value);
}

fn optional(buffer: &mut BytesMut, value: Option<&str>) {
    match value {
        Some(value) => bytes(buffer, value.as_bytes()),
        None => buffer.put_i32(-1),
    }
}

fn time(buffer: &mut BytesMut, at: Timestamp) {
    buffer.put_i32(8);
    buffer.put_i64(at.as_microsecond() - POSTGRES_EPOCH);
}
