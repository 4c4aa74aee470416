//! What a publisher signs: the names and values of a sample, as `str` of its Python writes them.

use serde_json::value::RawValue;

use super::super::super::fields::string;
use super::super::super::span;
use super::pairs::Pairs;
use super::repr;

/// How many levels a sample may have below its top for its signature to be looked at. Each level is
/// read once more; real samples have three or four.
const DEPTH_MAX: usize = 16;

/// Which Python wrote the signature. They differ in lists, which are signed as Python prints them,
/// and in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Texts in lists are bytes, `b'x'`; objects in lists are sorted by key.
    Python3,
    /// Texts in lists are `'x'`; floats outside of lists have 12 digits.
    Python2,
    /// As Python 2, but objects in lists are in the order in which they were sent.
    Python2Unsorted,
}

impl Dialect {
    /// All of them, the likeliest first.
    pub const ALL: [Dialect; 3] = [Dialect::Python3, Dialect::Python2, Dialect::Python2Unsorted];
}

/// Every name with its value, those of nested objects as `outer:inner`, sorted by name within each
/// level, without anything in between. `bytes` is the sample as it was sent, `text` the reading of
/// it (see [`json`](super::super::super::json)) that `sample` was borrowed from.
///
/// `None` when it is nested more deeply than any publisher's.
pub(super) fn signed_text(
    sample: &Pairs<'_>,
    bytes: &[u8],
    text: &str,
    dialect: Dialect,
) -> Option<Vec<u8>> {
    let written = Vec::with_capacity(bytes.len());
    let mut writer = Writer { bytes, text, dialect, outer: String::new(), written };
    writer.pairs(sample, DEPTH_MAX)?;
    Some(writer.written)
}

/// Writes one sample. Every function returns `None` when it gives up.
struct Writer<'a> {
    bytes: &'a [u8],
    text: &'a str,
    dialect: Dialect,
    /// The names of the objects that what is written next stands in, a colon after each.
    outer: String,
    written: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// The names and values of an object. `depth` says how many levels there may be below it.
    fn pairs(&mut self, pairs: &Pairs<'_>, depth: usize) -> Option<()> {
        for (name, value) in pairs.by_name() {
            // Added to the sample when the rest was signed.
            if self.outer.is_empty() && name == "message_signature" {
                continue;
            }
            let sent = self.sent(value)?;
            if sent.starts_with(b"{") {
                let inner = serde_json::from_str(value.get()).ok()?;
                let outer = self.outer.len();
                self.outer.push_str(name);
                self.outer.push(':');
                self.pairs(&inner, depth.checked_sub(1)?)?;
                self.outer.truncate(outer);
                continue;
            }
            self.written.extend_from_slice(self.outer.as_bytes());
            self.written.extend_from_slice(name.as_bytes());
            match sent {
                [b'"', ..] => self.written.extend_from_slice(string(value)?.as_bytes()),
                [b'[', ..] => self.list(value, depth.checked_sub(1)?)?,
                _ if self.dialect == Dialect::Python3 => repr::scalar(sent, &mut self.written),
                _ => repr::scalar_12(sent, &mut self.written),
            }
        }
        Some(())
    }

    /// A list as Python prints it.
    fn list(&mut self, list: &RawValue, depth: usize) -> Option<()> {
        let elements: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
        let mut separator = "[";
        for element in &elements {
            self.written.extend_from_slice(separator.as_bytes());
            self.element(element, depth)?;
            separator = ", ";
        }
        self.written.extend_from_slice(if elements.is_empty() { b"[]" } else { b"]" });
        Some(())
    }

    /// An object within a list as Python prints it.
    fn object(&mut self, object: &RawValue, depth: usize) -> Option<()> {
        let pairs: Pairs = serde_json::from_str(object.get()).ok()?;
        let is_sorted = self.dialect != Dialect::Python2Unsorted;
        let pairs = if is_sorted { pairs.by_name() } else { pairs.as_sent() };
        let mut separator = "{";
        for (name, value) in &pairs {
            self.written.extend_from_slice(separator.as_bytes());
            self.quoted(name);
            self.written.extend_from_slice(b": ");
            self.element(value, depth)?;
            separator = ", ";
        }
        self.written.extend_from_slice(if pairs.is_empty() { b"{}" } else { b"}" });
        Some(())
    }

    /// A value within a list.
    fn element(&mut self, value: &RawValue, depth: usize) -> Option<()> {
        let sent = self.sent(value)?;
        match sent {
            [b'"', ..] => self.quoted(&string(value)?),
            [b'[', ..] => self.list(value, depth.checked_sub(1)?)?,
            [b'{', ..] => self.object(value, depth.checked_sub(1)?)?,
            _ => repr::scalar(sent, &mut self.written),
        }
        Some(())
    }

    /// A text within a list.
    fn quoted(&mut self, text: &str) {
        if self.dialect == Dialect::Python3 {
            self.written.push(b'b');
        }
        repr::bytes(text.as_bytes(), &mut self.written);
    }

    /// The value as it was sent, where the text may hold what stands for it.
    fn sent(&self, value: &RawValue) -> Option<&'a [u8]> {
        self.bytes.get(span::of(self.text, value))
    }
}
