//! The hash chain. Each row's hash covers the row before it in its batch; the last row's hash is
//! the batch's digest; each batch's hash covers the batch before it. Whoever changes, removes,
//! inserts or moves a row must change every hash after it, up to the head that somebody noted.
//!
//! BLAKE3, because every body goes through it on its way to the log: of 3 kB it takes 2 µs where
//! SHA-256 takes 16 on a processor without instructions of its own for that.

use jiff::Timestamp;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// What the first row of a batch and the first batch of the log follow.
pub(super) const ZERO: Hash = [0; 32];

/// The hash of a row after `before`, the row before it in its batch, which is the hash's key. The
/// columns are as COPY's binary format has them: each with its length, so that no two rows give the
/// same bytes.
pub(super) fn row_hash(before: &Hash, columns: &[u8]) -> Hash {
    blake3::keyed_hash(before, columns).into()
}

/// A batch, as the chain covers it.
pub(super) struct BatchLink<'a> {
    pub batch: i64,
    pub leaf: &'a str,
    pub family: &'a str,
    pub bytes: i64,
    pub recorded_at: Timestamp,
    pub first_position: i64,
    pub last_position: i64,
    pub digest: &'a [u8],
}

/// The hash of a batch after `before`, the batch before it in the log, which is the hash's key.
pub(super) fn batch_hash(before: &Hash, link: &BatchLink<'_>) -> Hash {
    let recorded_at = link.recorded_at.as_microsecond();
    let mut hash = blake3::Hasher::new_keyed(before);
    for number in [link.batch, link.first_position, link.last_position, link.bytes, recorded_at] {
        hash.update(&number.to_be_bytes());
    }
    for text in [link.leaf, link.family] {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(link.digest);
    hash.finalize().into()
}

/// A hash as people copy it.
pub(super) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads what [`hex`] wrote.
pub(super) fn unhex(text: &str) -> Option<Hash> {
    let mut hash = ZERO;
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
