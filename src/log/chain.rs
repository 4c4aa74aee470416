//! The hash chain. Each row's hash covers the row before it in its batch; the last row's hash is the batch's
//! digest; each batch's hash covers the batch before it. Changing, removing, inserting or moving a row
//! requires changing every hash after it, up to a head that was noted outside the database.
//!
//! The hash is BLAKE3, because every body is hashed on its way to the log: 3 kB take 2 µs, and 16 µs with
//! SHA-256 on a processor without SHA instructions.

use std::ops::Range;

use tokio_postgres::Row;

use crate::db::CopyRows;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// The predecessor of the first row of a batch and of the first batch of the log.
pub(super) const ZERO: Hash = [0; 32];

/// The columns of a batch that its hash covers.
pub(super) const BATCH_COLUMNS: &str =
    "batch, leaf, family, first_position, last_position, bytes, digest, recorded_at";

/// Hashes a row or a batch, with `before`, the hash of its predecessor, as the key. The columns are in
/// COPY's binary format: each with its length, so that different rows have different bytes.
pub(super) fn hash(before: &Hash, columns: &[u8]) -> Hash {
    blake3::keyed_hash(before, columns).into()
}

/// As [`hash`], over columns exactly as the server sent them, even if we would encode the values
/// differently.
pub(super) fn hash_columns(before: &Hash, row: &Row, columns: Range<usize>) -> Hash {
    let mut rows = CopyRows::with_capacity(1 << 10);
    let at = rows.at();
    columns.for_each(|column| rows.sent(row, column));
    hash(before, rows.since(at))
}
