//! JSON as OpenStack writes it: strictly where possible, tolerantly where not.
//!
//! Python writes `NaN`, `Infinity` and lone surrogates, and old agents write bytes that are no
//! UTF-8. What cannot be read strictly is read once more through [`lenient`], which keeps every
//! byte's place, so that spans found in the tolerant text hold for the original body.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Literals that Python writes and JSON does not know, and strings of the same length instead.
/// None of them looks like a number, so that a reader of numbers still sees that there is none.
const LITERALS: [(&[u8], &[u8]); 3] =
    [(b"NaN", br#""?""#), (b"Infinity", br#""??????""#), (b"-Infinity", br#""???????""#)];

/// The bytes as a text of the **same length** in which what only Python accepts is replaced:
/// `NaN` and the infinities by strings, lone surrogate escapes by `\ufffd`, raw control characters
/// in strings by spaces, bytes that are no UTF-8 by `?`, a leading byte order mark by spaces.
pub fn lenient(bytes: &[u8]) -> Cow<'_, str> {
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

/// What `read` makes of the text, and if it fails of the [`lenient`] one.
///
/// # Errors
///
/// What `read` said last.
pub fn read<T, E>(bytes: &[u8], read: impl Fn(&str) -> Result<T, E>) -> Result<T, E> {
    let strict = std::str::from_utf8(bytes).ok().map(&read);
    match strict {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => match lenient(bytes) {
            Cow::Borrowed(_) => Err(error),
            Cow::Owned(text) => read(&text),
        },
        None => read(&lenient(bytes)),
    }
}

/// The value the bytes hold, read strictly if possible and tolerantly if not.
///
/// # Errors
///
/// When even the tolerant text is not JSON or not a `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    read(bytes, |text| serde_json::from_str(text))
}

/// The bytes with question marks for those that are no UTF-8.
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

/// Replaces what JSON does not allow.
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

/// Replaces the literal at `at` if it is one of [`LITERALS`]; the number of bytes to go on by.
fn mend_literal(text: &mut Cow<'_, [u8]>, at: usize) -> usize {
    for (literal, string) in LITERALS {
        if text[at..].starts_with(literal) {
            text.to_mut()[at..at + literal.len()].copy_from_slice(string);
            return literal.len();
        }
    }
    1
}

/// Replaces the escape at `at` if it is half a surrogate pair; the number of bytes to go on by.
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
    fn becomes(from: &[u8], to: &str) {
        assert_eq!(lenient(from), to);
        assert_eq!(from.len(), to.len());
    }

    #[test]
    fn literals_outside_strings_become_strings_of_their_length() {
        becomes(b"[NaN, Infinity,-Infinity, -1]", r#"["?", "??????","???????", -1]"#);
        becomes(br#"{"NaN": "-Infinity \" NaN"}"#, r#"{"NaN": "-Infinity \" NaN"}"#);
    }

    #[test]
    fn half_surrogate_pairs_become_replacement_characters() {
        becomes(br#""\udc80 \ud83d\ude00 \ud83d""#, r#""\ufffd \ud83d\ude00 \ufffd""#);
        becomes(br#""\ud83d\ud83d\ude00 \\udc80""#, r#""\ufffd\ud83d\ude00 \\udc80""#);
        becomes(br#""\ud8"#, r#""\ud8"#);
    }

    #[test]
    fn bytes_that_are_no_text_become_visible() {
        becomes(b"\xef\xbb\xbf{\"a\tb\": \"\xff\xc3\"}", "   {\"a b\": \"??\"}");
    }

    #[test]
    fn strict_text_is_borrowed() {
        let text = r#"{"a": [1e400, 1180591620717411303424, "\u0000 č"]}"#;
        assert!(matches!(lenient(text.as_bytes()), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn parsing_is_tolerant_only_where_it_must_be() {
        assert_eq!(parse::<Vec<String>>(br#"["\udc80"]"#).unwrap(), ["\u{fffd}"]);
        assert_eq!(parse::<(u8, String)>(b"[1, NaN]").unwrap(), (1, "?".to_owned()));
        assert!(parse::<(u8, u8)>(b"[1, NaN]").is_err());
        assert!(parse::<Vec<u8>>(b"[1, ").is_err());
    }

    proptest! {
        #[test]
        fn the_length_never_changes(bytes: Vec<u8>) {
            prop_assert_eq!(lenient(&bytes).len(), bytes.len());
        }

        #[test]
        fn the_length_never_changes_near_json(text in r#"["\\uNaIinftyd8c0\-\[\]\x00]{0,40}"#) {
            prop_assert_eq!(lenient(text.as_bytes()).len(), text.len());
        }
    }
}
