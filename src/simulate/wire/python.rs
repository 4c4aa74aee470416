//! JSON and times as Python writes them: every byte of a notification comes from `json.dumps`.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Returns `json.dumps(value)`: a space after `:` and `,`, ASCII only.
pub(super) fn dumps<T: Serialize>(value: &T) -> String {
    let mut out = Vec::with_capacity(4096);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, PythonFormatter))
        .expect("structs and maps with string keys always serialize, and a Vec takes every byte");
    String::from_utf8(out).expect("only ASCII was written")
}

/// The separators and escapes of `json.dumps`.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, w: &mut W, s: &str) -> io::Result<()> {
        if s.is_ascii() {
            return w.write_all(s.as_bytes());
        }
        for c in s.chars() {
            if c.is_ascii() {
                w.write_all(&[c as u8])?;
            } else {
                // A character outside the basic plane becomes a surrogate pair.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(w, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// Returns `str(datetime)`, as in the header: without the fraction if it is zero.
pub(super) fn str_datetime(at: Timestamp) -> String {
    let form =
        if at.subsec_nanosecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    at.strftime(form).to_string()
}

/// Returns `str(datetime)` of a column of Nova's database, read with its zone: whole seconds.
pub(super) fn str_aware(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string()
}

/// Returns `strftime('%Y-%m-%dT%H:%M:%S.%f')`, as in the request context.
pub(super) fn iso_micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// Returns `datetime.isoformat()`, as in samples: without the fraction if it is zero.
pub(super) fn isoformat(at: Timestamp) -> String {
    str_datetime(at).replace(' ', "T")
}

/// Returns the form of [`iso_micros`] of a column of Nova's database: whole seconds.
pub(super) fn iso_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000000").to_string()
}

/// Returns the only form of the versioned format.
pub(super) fn iso_zulu(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_pythons() {
        let value = json!({"a": [1, null, true], "b": "č \"🚀\"\n"});
        assert_eq!(dumps(&value), r#"{"a": [1, null, true], "b": "\u010d \"\ud83d\ude80\"\n"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&dumps(&value)).unwrap(), value);
    }

    #[test]
    fn a_zero_fraction_is_omitted() {
        assert_eq!(str_datetime("2026-11-20T03:00:00Z".parse().unwrap()), "2026-11-20 03:00:00");
        let at: Timestamp = "2026-11-20T03:05:54.0807Z".parse().unwrap();
        assert_eq!(str_datetime(at), "2026-11-20 03:05:54.080700");
        assert_eq!(iso_micros(at), "2026-11-20T03:05:54.080700");
        assert_eq!(iso_seconds(at), "2026-11-20T03:05:54.000000");
    }
}
