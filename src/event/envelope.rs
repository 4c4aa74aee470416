//! The envelope of oslo.messaging's format 2, as its own serializer writes it: an object of two keys
//! with the message as a string. Most of Nova's messages come in one, so it is opened in a single pass.
//! An envelope that is written in any other way is read as JSON, with the same result.

/// The text before the message, around the version.
const BEFORE: (&str, &str) = ("{\"oslo.version\": \"2.", "\", \"oslo.message\": \"");
/// The text after the message.
const AFTER: &str = "\"}";

/// Returns the message in an envelope of a version 2.x. `None` if the text is anything else, or is not
/// exactly as oslo.messaging writes it.
pub(super) fn open(text: &str) -> Option<String> {
    let (version, rest) = text.strip_prefix(BEFORE.0)?.split_once('"')?;
    let inside = rest.strip_prefix(&BEFORE.1[1..])?.strip_suffix(AFTER)?;
    version.bytes().all(|byte| byte.is_ascii_digit()).then(|| unescape(inside))?
}

/// The number of bytes that are looked at together.
const WORD: usize = size_of::<u64>();

/// The same byte in every place of a word.
const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// Decodes the inside of a JSON string. `None` if it is not JSON, or has an escape of more than two
/// bytes (`\uXXXX`).
///
/// Every quotation mark of the message is an escape, and they are a few bytes apart, too near for a
/// search to pay. So whole words are copied, and the first byte that must not be copied is found in
/// the word.
fn unescape(inside: &str) -> Option<String> {
    let from = inside.as_bytes();
    let mut to = vec![0; from.len() + WORD];
    let (mut read, mut written) = (0, 0);
    while let Some(&word) = from[read..].first_chunk::<WORD>() {
        to[written..written + WORD].copy_from_slice(&word);
        let plain = plain_bytes(u64::from_le_bytes(word));
        read += plain;
        written += plain;
        if plain < WORD {
            to[written] = decode_escape(&from[read..])?;
            read += 2;
            written += 1;
        }
    }
    while let Some(&byte) = from.get(read) {
        let is_plain = plain_bytes(u64::from(byte) | repeat(b' ') << 8) > 0;
        to[written] = if is_plain { byte } else { decode_escape(&from[read..])? };
        read += if is_plain { 1 } else { 2 };
        written += 1;
    }
    to.truncate(written);
    String::from_utf8(to).ok()
}

/// The number of bytes of the word, from the lowest, that are written as they are in a JSON string: up
/// to the first backslash, quotation mark or control character.
fn plain_bytes(word: u64) -> usize {
    // Sets the highest bit of each byte below `limit`, and possibly of bytes after the first such byte.
    let below = |word: u64, limit: u8| word.wrapping_sub(repeat(limit)) & !word & repeat(0x80);
    let special =
        below(word ^ repeat(b'\\'), 1) | below(word ^ repeat(b'"'), 1) | below(word, b' ');
    special.trailing_zeros() as usize / 8
}

/// Decodes the escape of two bytes that the text begins with.
fn decode_escape(text: &[u8]) -> Option<u8> {
    let [b'\\', byte, ..] = text else { return None };
    Some(match byte {
        b'"' | b'\\' | b'/' => *byte,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The envelope as Python's json writes it.
    fn wrap(message: &str) -> String {
        let [version, message] = ["2.0", message].map(|text| Value::from(text).to_string());
        format!("{{\"oslo.version\": {version}, \"oslo.message\": {message}}}")
    }

    #[test]
    fn an_envelope_as_oslo_writes_it_is_opened() {
        let message = r#"{"a": "b\n\"č\"", "c": []}"#;
        assert_eq!(open(&wrap(message)).as_deref(), Some(message));
        assert_eq!(open(&wrap("")).as_deref(), Some(""));
    }

    #[test]
    fn any_other_text_is_left_to_the_json_parser() {
        let message = r#"{"a": 1}"#;
        let same = json!({"oslo.message": message, "oslo.version": "2.0"});
        for other in [
            same.to_string(),
            wrap(message).replace("2.0", "3.0"),
            wrap(message).replace("2.0", "2.x"),
            wrap(message) + " ",
            r#"{"oslo.version": "2.0", "oslo.message": "\u010d"}"#.to_owned(),
            r#"{"oslo.version": "2.0", "oslo.message": "a", "b": "c"}"#.to_owned(),
            r#"{"oslo.version": "2.0", "oslo.message": "a longer one", "b": "c"}"#.to_owned(),
            r#"{"oslo.version": "2.0", "oslo.message": "\"}"#.to_owned(),
            r#"{"oslo.version": "2.0", "oslo.message": "\x"}"#.to_owned(),
            "{\"oslo.version\": \"2.0\", \"oslo.message\": \"a\u{1}\"}".to_owned(),
            "{\"oslo.version\": \"2.0\", \"oslo.message\": \"a\nlonger one\"}".to_owned(),
            "{\"oslo.version\": \"2.0\", \"oslo.message\": \"}".to_owned(),
            "{\"oslo.version\": \"2.".to_owned(),
            String::new(),
        ] {
            assert_eq!(open(&other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn an_envelope_contains_the_message_that_was_wrapped(message in r#"([ -~č\u{1}-\u{1f}\u{7f}]|[\\"/]){0,60}"#) {
            let is_hex = |c: char| c < ' ' && !"\u{8}\u{c}\n\r\t".contains(c);
            let opened = open(&wrap(&message));
            prop_assert_eq!(opened, (!message.contains(is_hex)).then_some(message));
        }

        #[test]
        fn an_opened_text_is_json(inside in r#"([a-zč\u{1f}]|[\\"ntu/]){0,40}"#) {
            let text = format!("{{\"oslo.version\": \"2.0\", \"oslo.message\": \"{inside}\"}}");
            if let Some(message) = open(&text) {
                let read: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&read["oslo.message"], &Value::from(message));
            }
        }
    }
}
