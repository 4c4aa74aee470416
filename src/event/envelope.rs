//! The envelope of oslo.messaging's format 2, as its own serialiser writes it: the message is a
//! string in an object of two keys. Most of what Nova sends comes in one, so it is opened in a
//! single pass; one that is written in any other way is read as JSON, with the same result.

/// What oslo.messaging writes before the message, around the version.
const BEFORE: (&str, &str) = ("{\"oslo.version\": \"2.", "\", \"oslo.message\": \"");
/// And after it.
const AFTER: &str = "\"}";

/// The message in an envelope of a version 2.x. `None` where the text is anything else, or not what
/// oslo.messaging would write.
pub(super) fn open(text: &str) -> Option<String> {
    let (version, rest) = text.strip_prefix(BEFORE.0)?.split_once('"')?;
    let inside = rest.strip_prefix(&BEFORE.1[1..])?.strip_suffix(AFTER)?;
    version.bytes().all(|byte| byte.is_ascii_digit()).then(|| unescape(inside))?
}

/// A text of eight bytes at once.
const WORD: usize = size_of::<u64>();

/// The same byte eight times.
const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// The string whose JSON stands between two quotation marks. `None` where it is no JSON, or needs
/// more than a look at two bytes (`\uXXXX`).
///
/// There is an escape for every quotation mark of the message, a few bytes apart, too near for a
/// search to pay: so words are copied whole, and the byte that is not to be copied is found in them.
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
            to[written] = escaped(&from[read..])?;
            read += 2;
            written += 1;
        }
    }
    while let Some(&byte) = from.get(read) {
        let is_plain = plain_bytes(u64::from(byte) | all(b' ') << 8) > 0;
        to[written] = if is_plain { byte } else { escaped(&from[read..])? };
        read += if is_plain { 1 } else { 2 };
        written += 1;
    }
    to.truncate(written);
    String::from_utf8(to).ok()
}

/// How many bytes of the word, the lowest first, stand for themselves in a JSON string: none of them
/// is a backslash, a quotation mark or a control character.
fn plain_bytes(word: u64) -> usize {
    // The highest bit of each byte below `limit`, and perhaps of bytes that come after one such.
    let below = |word: u64, limit: u8| word.wrapping_sub(all(limit)) & !word & all(0x80);
    let special = below(word ^ all(b'\\'), 1) | below(word ^ all(b'"'), 1) | below(word, b' ');
    special.trailing_zeros() as usize / 8
}

/// The byte for which the escape stands that the text begins with.
fn escaped(text: &[u8]) -> Option<u8> {
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

    /// As Python's json writes it.
    fn written(message: &str) -> String {
        let [version, message] = ["2.0", message].map(|text| Value::from(text).to_string());
        format!("{{\"oslo.version\": {version}, \"oslo.message\": {message}}}")
    }

    #[test]
    fn an_envelope_as_it_is_written_is_opened() {
        let message = r#"{"a": "b\n\"č\"", "c": []}"#;
        assert_eq!(open(&written(message)).as_deref(), Some(message));
        assert_eq!(open(&written("")).as_deref(), Some(""));
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_others() {
        let message = r#"{"a": 1}"#;
        let same = json!({"oslo.message": message, "oslo.version": "2.0"});
        for other in [
            same.to_string(),
            written(message).replace("2.0", "3.0"),
            written(message).replace("2.0", "2.x"),
            written(message) + " ",
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
        fn an_envelope_holds_what_was_put_into_it(message in r#"([ -~č\u{1}-\u{1f}\u{7f}]|[\\"/]){0,60}"#) {
            let is_hex = |c: char| c < ' ' && !"\u{8}\u{c}\n\r\t".contains(c);
            let opened = open(&written(&message));
            prop_assert_eq!(opened, (!message.contains(is_hex)).then_some(message));
        }

        #[test]
        fn nothing_is_opened_that_is_no_json(inside in r#"([a-zč\u{1f}]|[\\"ntu/]){0,40}"#) {
            let text = format!("{{\"oslo.version\": \"2.0\", \"oslo.message\": \"{inside}\"}}");
            if let Some(message) = open(&text) {
                let read: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&read["oslo.message"], &Value::from(message));
            }
        }
    }
}
