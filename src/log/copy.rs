//! Rows in COPY's binary format, made before the head is locked: only the positions are filled in
//! under the lock.

use jiff::Timestamp;

use super::chain::{self, Hash, ZERO};
use crate::db::CopyRows;
use crate::event::Event;

/// [`COLUMNS`](super::read::COLUMNS), and the hash.
const COLUMN_COUNT: i16 = 14;

/// PostgreSQL's number for the type `integer`.
const INTEGER_OID: i32 = 23;

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
        let rows = &mut self.rows;
        rows.row(COLUMN_COUNT);
        self.positions.push(rows.at() + 4);
        rows.bytes(&0_i64.to_be_bytes());
        let hashed = rows.at();
        columns(rows, self.recorded_at, event);
        self.last_hash = chain::hash(&self.last_hash, rows.since(hashed));
        rows.bytes(&self.last_hash);
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

/// The columns that a row's hash covers, in the order of [`COLUMNS`](super::read::COLUMNS): all but
/// its position, which the batch's hash covers, and the hash itself.
fn columns(rows: &mut CopyRows, recorded_at: Timestamp, event: &Event) {
    rows.bytes(event.id.as_bytes());
    rows.bytes(event.family.as_str().as_bytes());
    rows.bytes(event.kind.as_bytes());
    rows.text(event.stream.as_deref());
    rows.text(event.project_id.as_deref());
    rows.time(event.occurred_at);
    rows.time(Some(event.key_at.unwrap_or(NO_TIME)));
    rows.time(Some(recorded_at));
    rows.bytes(event.source.as_bytes());
    rows.bytes(&[u8::from(event.redacted)]);
    integers(rows, event.bad_signatures.as_deref());
    rows.bytes(&event.body);
}

/// A list of one dimension, as PostgreSQL sends and takes it.
fn integers(rows: &mut CopyRows, list: Option<&[i32]>) {
    let Some(list) = list else { return rows.null() };
    let mut array = Vec::with_capacity(20 + 8 * list.len());
    let mut put = |number: i32| array.extend_from_slice(&number.to_be_bytes());
    put(i32::from(!list.is_empty())); // dimensions
    put(0); // without nulls
    put(INTEGER_OID);
    if !list.is_empty() {
        put(i32::try_from(list.len()).unwrap_or(i32::MAX));
        put(1); // the first index
    }
    for number in list {
        put(4);
        put(*number);
    }
    rows.bytes(&array);
}
