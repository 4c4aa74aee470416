//! Rows in COPY's binary format, encoded before the head is locked: only the positions are filled in under
//! the lock.

use jiff::Timestamp;

use super::chain::{self, Hash, ZERO};
use crate::db::CopyRows;
use crate::event::Event;

/// Number of columns of a row: [`COLUMNS`](super::read::COLUMNS) and the hash.
const COLUMN_COUNT: i16 = 14;

/// PostgreSQL's OID of the type `integer`.
const INTEGER_OID: i32 = 23;

/// The value of `key_at` if the event's identity has no time: the Unix epoch.
pub(super) const NO_TIME: Timestamp = Timestamp::UNIX_EPOCH;

/// The encoded rows of one batch for one leaf.
pub(super) struct Rows {
    rows: CopyRows,
    /// The offset of each row's `position` in the encoded bytes.
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

    /// Encodes and hashes the event's row, with 0 in the place of its position.
    pub fn push(&mut self, event: &Event) {
        let rows = &mut self.rows;
        rows.row(COLUMN_COUNT);
        self.positions.push(rows.at() + 4);
        rows.bytes(&0_i64.to_be_bytes());
        let hashed = rows.at();
        put_columns(rows, self.recorded_at, event);
        self.last_hash = chain::hash(&self.last_hash, rows.since(hashed));
        rows.bytes(&self.last_hash);
        self.body_bytes += event.body.len();
    }

    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Size of the bodies in bytes.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// The hash of the last row, which is the batch's digest.
    pub fn digest(&self) -> Hash {
        self.last_hash
    }

    /// Fills in contiguous positions from `first` and returns the encoded rows.
    pub fn place_from(mut self, first: i64) -> CopyRows {
        for (position, offset) in (first..).zip(&self.positions) {
            self.rows.overwrite(*offset, position);
        }
        self.rows
    }
}

/// Encodes the columns that a row's hash covers, in the order of [`COLUMNS`](super::read::COLUMNS): all
/// except the position, which the batch's hash covers, and the hash itself.
fn put_columns(rows: &mut CopyRows, recorded_at: Timestamp, event: &Event) {
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
    put_integers(rows, event.bad_signatures.as_deref());
    rows.bytes(&event.body);
}

/// Encodes a one-dimensional array of integers in PostgreSQL's binary format.
fn put_integers(rows: &mut CopyRows, list: Option<&[i32]>) {
    let Some(list) = list else { return rows.null() };
    let mut array = Vec::with_capacity(20 + 8 * list.len());
    let mut put = |number: i32| array.extend_from_slice(&number.to_be_bytes());
    put(i32::from(!list.is_empty())); // dimensions
    put(0); // no nulls
    put(INTEGER_OID);
    if !list.is_empty() {
        put(i32::try_from(list.len()).unwrap_or(i32::MAX));
        put(1); // lower bound
    }
    for number in list {
        put(4);
        put(*number);
    }
    rows.bytes(&array);
}
