//! JSON as OpenStack writes it, read strictly if possible and leniently if not.
//!
//! Python writes `NaN`, `Infinity` and lone surrogates, and old agents write bytes that are not UTF-8.
//! A body that cannot be read strictly is read once more as the text of [`to_strict`], in which every
//! byte keeps its place, so that spans found in it are valid for the original body.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Literals that Python writes and JSON does not have, each with a string of the same length to take
/// its place. The string does not look like a number, so that a reader of numbers rejects it.
const LITERALS: [(&[u8], &[u8]); 3] =
    [(b"NaN", br#""?""#), (b"Infinity", br#""??????""#), (b"-Infinity", br#""???????""#)];

/// Returns the bytes as a text of the **same length** without the parts that only Python accepts:
/// `NaN` and the infinities become strings, lone surrogate escapes `\ufffd`, raw control characters in
/// strings spaces, bytes that are not UTF-8 `?`, and a leading byte order mark spaces.
pub fn to_strict(bytes: &[u8]) -> Cow<'_, str> {
    let mut text = mend_utf8(bytes);
    mend_json(&mut text);
    match text {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into(),
        },
    }
}

/// Calls `read` with the unchanged text, and if that fails with the text of [`to_strict`].
///
/// # Errors
///
/// The error of the last call.
pub fn read<T, E>(bytes: &[u8], read: impl Fn(&str) -> Result<T, E>) -> Result<T, E> {
    let strict = std::str::from_utf8(bytes).ok().map(&read);
    match strict {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => match to_strict(bytes) {
            Cow::Borrowed(_) => Err(error),
            Cow::Owned(text) => read(&text),
        },
        None => read(&to_strict(bytes)),
    }
}

/// Parses a value, strictly if possible and leniently if not.
///
/// # Errors
///
/// When the text of [`to_strict`] is not JSON or not a `T` either.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    read(bytes, |text| serde_json::from_str(text))
}

/// Replaces bytes that are not UTF-8 by question marks.
fn mend_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(bytes).is_ok() {
        return bytes.into();
    }
    let mut text = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        text.resize(text.len() + chunk.invalid().len(), b'?');
    }
    text.into()
}

/// Replaces the parts that JSON does not allow.
fn mend_json(text: &mut Cow<'_, [u8]>) {
    let mut at = 0;
    if text.starts_with(b"\xef\xbb\xbf") {
        text.to_mut()[..3].fill(b' ');
    }
    let mut in_string = false;
    while let Some(&byte) = text.get(at) {
        at += match byte {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' if in_string => mend_escape(text, at),
            0..0x20 if in_string => {
                text.to_mut()[at] = b' ';
                1
            }
            b'N' | b'I' | b'-' if !in_string => mend_literal(text, at),
            _ => 1,
        };
    }
}

/// Replaces the literal at `at` if it is one of [`LITERALS`]. Returns the number of bytes that are done.
fn mend_literal(text: &mut Cow<'_, [u8]>, at: usize) -> usize {
    for (literal, string) in LITERALS {
        if text[at..].starts_with(literal) {
            text.to_mut()[at..at + literal.len()].copy_from_slice(string);
            return literal.len();
        }
    }
    1
}

/// Replaces the escape at `at` if it is half a surrogate pair. Returns the number of bytes that are
/// done.
fn mend_escape(text: &mut Cow<'_, [u8]>, at: usize) -> usize {
    let low = |at| matches!(unicode_escape(text, at), Some(0xdc00..=0xdfff));
    match unicode_escape(text, at) {
        None => 2,
        Some(0xd800..=0xdbff) if low(at + 6) => 12,
        Some(0xd800..=0xdfff) => {
            text.to_mut()[at..at + 6].copy_from_slice(br"\ufffd");
            6
        }
        Some(_) => 6,
    }
}

/// The UTF-16 unit of the `\uXXXX` at `at`.
fn unicode_escape(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_strict(from: &[u8], to: &str) {
        assert_eq!(to_strict(from), to);
        assert_eq!(from.len(), to.len());
    }

    #[test]
    fn literals_outside_strings_become_strings_of_their_length() {
        assert_strict(b"[NaN, Infinity,-Infinity, -1]", r#"["?", "??????","???????", -1]"#);
        assert_strict(br#"{"NaN": "-Infinity \" NaN"}"#, r#"{"NaN": "-Infinity \" NaN"}"#);
    }

    #[test]
    fn half_surrogate_pairs_become_replacement_characters() {
        assert_strict(br#""\udc80 \ud83d\ude00 \ud83d""#, r#""\ufffd \ud83d\ude00 \ufffd""#);
        assert_strict(br#""\ud83d\ud83d\ude00 \\udc80""#, r#""\ufffd\ud83d\ude00 \\udc80""#);
        assert_strict(br#""\ud8"#, r#""\ud8"#);
    }

    #[test]
    fn bytes_that_are_not_text_become_visible() {
        assert_strict(b"\xef\xbb\xbf{\"a\tb\": \"\xff\xc3\"}", "   {\"a b\": \"??\"}");
    }

    #[test]
    fn strict_text_is_borrowed() {
        let text = r#"{"a": [1e400, 1180591620717411303424, "\u0000 č"]}"#;
        assert!(matches!(to_strict(text.as_bytes()), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn parsing_is_lenient_only_where_it_must_be() {
        assert_eq!(parse::<Vec<String>>(br#"["\udc80"]"#).unwrap(), ["\u{fffd}"]);
        assert_eq!(parse::<(u8, String)>(b"[1, NaN]").unwrap(), (1, "?".to_owned()));
        assert!(parse::<(u8, u8)>(b"[1, NaN]").is_err());
        assert!(parse::<Vec<u8>>(b"[1, ").is_err());
    }

    proptest! {
        #[test]
        fn the_length_never_changes(bytes: Vec<u8>) {
            prop_assert_eq!(to_strict(&bytes).len(), bytes.len());
        }

        #[test]
        fn the_length_never_changes_near_json(text in r#"["\\uNaIinftyd8c0\-\[\]\x00]{0,40}"#) {
            prop_assert_eq!(to_strict(text.as_bytes()).len(), text.len());
        }
    }
}
