//! The hash chain. Each row's hash covers the row before it in its batch; the last row's hash is
//! the batch's digest; each batch's hash covers the batch before it. Whoever changes, removes,
//! inserts or moves a row must change every hash after it, up to the head that somebody noted.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::event::Event;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What the first row of a batch and the first batch of the log follow.
pub(super) const ZERO: Hash = [0; 32];

/// The hash of a row after `before`, the row before it in its batch. Every field goes in with its
/// length, so that no two rows give the same bytes.
pub(super) fn row_hash(before: &Hash, recorded_at: Timestamp, event: &Event) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(event.id.as_bytes());
    hash.update(recorded_at.as_microsecond().to_be_bytes());
    for at in [event.occurred_at, event.key_at] {
        // No timestamp of ours is i64::MIN.
        hash.update(at.map_or(i64::MIN, Timestamp::as_microsecond).to_be_bytes());
    }
    hash.update([u8::from(event.redacted)]);
    let bad_signatures = event.bad_signatures.as_deref();
    hash.update(bad_signatures.map_or(u64::MAX, |list| list.len() as u64).to_be_bytes());
    for index in bad_signatures.unwrap_or_default() {
        hash.update(index.to_be_bytes());
    }
    text(&mut hash, Some(event.family.as_str()));
    text(&mut hash, Some(&event.kind));
    text(&mut hash, event.stream.as_deref());
    text(&mut hash, event.project_id.as_deref());
    text(&mut hash, Some(&event.source));
    hash.update((event.body.len() as u64).to_be_bytes());
    hash.update(&event.body);
    hash.finalize().into()
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

/// The hash of a batch after `before`, the batch before it in the log.
pub(super) fn batch_hash(before: &Hash, link: &BatchLink<'_>) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(link.batch.to_be_bytes());
    hash.update(link.first_position.to_be_bytes());
    hash.update(link.last_position.to_be_bytes());
    hash.update(link.bytes.to_be_bytes());
    hash.update(link.recorded_at.as_microsecond().to_be_bytes());
    text(&mut hash, Some(link.leaf));
    text(&mut hash, Some(link.family));
    hash.update(link.digest);
    hash.finalize().into()
}

fn text(hash: &mut Sha256, text: Option<&str>) {
    hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
    hash.update(text.unwrap_or_default());
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
