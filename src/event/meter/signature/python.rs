//! The text that a publisher signs: the names and values of a sample, as its Python's `str` writes them.

use serde_json::value::RawValue;

use super::super::super::fields::string;
use super::super::super::span;
use super::pairs::Pairs;
use super::repr;

/// The most levels below the top of a sample; the signature of a deeper one is not checked. Every level
/// is read once more than the level around it. Real samples have three or four.
const DEPTH_MAX: usize = 16;

/// The Python that wrote the signature. Dialects differ in lists, which are signed as Python prints them,
/// and in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Texts in lists are bytes, `b'x'`; objects in lists are sorted by key.
    Python3,
    /// Texts in lists are `'x'`; floats outside of lists have 12 digits.
    Python2,
    /// Like Python 2, except that objects in lists are in the order in which they were sent.
    Python2Unsorted,
}

impl Dialect {
    /// All dialects, the most likely first.
    pub const ALL: [Dialect; 3] = [Dialect::Python3, Dialect::Python2, Dialect::Python2Unsorted];
}

/// Returns every name with its value, without separators. Names in nested objects are written as
/// `outer:inner` and sorted within each level. `bytes` is the sample as it was sent, `text` its reading
/// (see [`json`](super::super::super::json)) that `sample` is borrowed from.
///
/// `None` if the sample is nested more deeply than any publisher's.
pub(super) fn signed_text(
    sample: &Pairs<'_>,
    bytes: &[u8],
    text: &str,
    dialect: Dialect,
) -> Option<Vec<u8>> {
    let out = Vec::with_capacity(bytes.len());
    let mut writer = Writer { bytes, text, dialect, path: String::new(), out };
    writer.write_pairs(sample, DEPTH_MAX)?;
    Some(writer.out)
}

/// Writes one sample. Every function returns `None` when it gives up.
struct Writer<'a> {
    bytes: &'a [u8],
    text: &'a str,
    dialect: Dialect,
    /// The names of the objects around the next value, a colon after each.
    path: String,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Writes the names and values of an object. `depth` is the most levels below it.
    fn write_pairs(&mut self, pairs: &Pairs<'_>, depth: usize) -> Option<()> {
        for (name, value) in pairs.by_name() {
            // It was added to the sample after the rest was signed.
            if self.path.is_empty() && name == "message_signature" {
                continue;
            }
            let sent = self.as_sent(value)?;
            if sent.starts_with(b"{") {
                let inner = serde_json::from_str(value.get()).ok()?;
                let length = self.path.len();
                self.path.push_str(name);
                self.path.push(':');
                self.write_pairs(&inner, depth.checked_sub(1)?)?;
                self.path.truncate(length);
                continue;
            }
            self.out.extend_from_slice(self.path.as_bytes());
            self.out.extend_from_slice(name.as_bytes());
            match sent {
                [b'"', ..] => self.out.extend_from_slice(string(value)?.as_bytes()),
                [b'[', ..] => self.write_list(value, depth.checked_sub(1)?)?,
                _ if self.dialect == Dialect::Python3 => repr::write_scalar(sent, &mut self.out),
                _ => repr::write_scalar_12(sent, &mut self.out),
            }
        }
        Some(())
    }

    /// Writes a list as Python prints it.
    fn write_list(&mut self, list: &RawValue, depth: usize) -> Option<()> {
        let elements: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
        let mut separator = "[";
        for element in &elements {
            self.out.extend_from_slice(separator.as_bytes());
            self.write_element(element, depth)?;
            separator = ", ";
        }
        self.out.extend_from_slice(if elements.is_empty() { b"[]" } else { b"]" });
        Some(())
    }

    /// Writes an object within a list as Python prints it.
    fn write_object(&mut self, object: &RawValue, depth: usize) -> Option<()> {
        let pairs: Pairs = serde_json::from_str(object.get()).ok()?;
        let is_sorted = self.dialect != Dialect::Python2Unsorted;
        let pairs = if is_sorted { pairs.by_name() } else { pairs.as_sent() };
        let mut separator = "{";
        for (name, value) in &pairs {
            self.out.extend_from_slice(separator.as_bytes());
            self.write_quoted(name);
            self.out.extend_from_slice(b": ");
            self.write_element(value, depth)?;
            separator = ", ";
        }
        self.out.extend_from_slice(if pairs.is_empty() { b"{}" } else { b"}" });
        Some(())
    }

    /// Writes a value within a list.
    fn write_element(&mut self, value: &RawValue, depth: usize) -> Option<()> {
        let sent = self.as_sent(value)?;
        match sent {
            [b'"', ..] => self.write_quoted(&string(value)?),
            [b'[', ..] => self.write_list(value, depth.checked_sub(1)?)?,
            [b'{', ..] => self.write_object(value, depth.checked_sub(1)?)?,
            _ => repr::write_scalar(sent, &mut self.out),
        }
        Some(())
    }

    /// Writes a text within a list.
    fn write_quoted(&mut self, text: &str) {
        if self.dialect == Dialect::Python3 {
            self.out.push(b'b');
        }
        repr::write_bytes(text.as_bytes(), &mut self.out);
    }

    /// The value as it was sent, which the text may have in a strict form.
    fn as_sent(&self, value: &RawValue) -> Option<&'a [u8]> {
        self.bytes.get(span::of(self.text, value))
    }
}
