//! Spans: the bytes of a body that one of its values takes.

use std::ops::Range;

use serde_json::value::RawValue;

/// The bytes that `part`, a value borrowed from `text`, takes in it.
pub(super) fn of(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

/// Returns the body with these spans replaced, which are in order and do not overlap.
pub(super) fn replace(body: &[u8], edits: &[(Range<usize>, &str)]) -> Vec<u8> {
    let mut edited = Vec::with_capacity(body.len());
    let mut at = 0;
    for (span, replacement) in edits {
        edited.extend_from_slice(&body[at..span.start]);
        edited.extend_from_slice(replacement.as_bytes());
        at = span.end;
    }
    edited.extend_from_slice(&body[at..]);
    edited
}
