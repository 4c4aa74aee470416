//! Python literals as JSON: a body that Python's `repr` wrote becomes the text that its `json.dumps` writes for
//! the same value.
//!
//! Ceilometer's `file://` publisher writes one or the other. As both become the same bytes, a sample has the
//! same identity in either file.

/// The most bytes of JSON that are written. Escapes make a text at most six times as long.
const JSON_MAX: usize = 64 << 20;

/// The beginnings of an object that is written by `repr` with a text for its first key. JSON never begins so.
const BEGINNINGS: [&[u8]; 4] = [b"{'", b"{u'", b"[{'", b"[{u'"];

/// Returns the JSON text of a dictionary, or of a list of dictionaries, as `repr` of Python 2 or 3 writes it.
/// Tuples become lists, and a `datetime` the text that `str` makes of it, as in `json.dumps(…, default=str)`.
///
/// `None` if the body is anything else, contains a value that JSON has no form for, or would be longer than
/// 64 MiB.
pub(super) fn to_json(body: &[u8]) -> Option<String> {
    let body = body.trim_ascii();
    if !BEGINNINGS.iter().any(|beginning| body.starts_with(beginning)) {
        return None;
    }
    let mut transcoder = Transcoder { text: std::str::from_utf8(body).ok()?, out: String::new() };
    transcoder.write_value()?;
    transcoder.text.is_empty().then_some(transcoder.out)
}

/// A container that is not closed yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    List,
    Tuple,
}

impl Container {
    /// The character that closes it in Python.
    fn end(self) -> char {
        match self {
            Container::Object => '}',
            Container::List => ']',
            Container::Tuple => ')',
        }
    }
}

/// The state of one pass over the text. Every function returns `None` when it gives up.
struct Transcoder<'a> {
    /// The text that is not read yet.
    text: &'a str,
    out: String,
}

impl Transcoder<'_> {
    /// Writes the value that the text begins with. It keeps the open containers itself, because the nesting of
    /// a body has no limit.
    fn write_value(&mut self) -> Option<()> {
        let mut open: Vec<Container> = Vec::new();
        loop {
            self.skip_space();
            let opened = match self.text.chars().next()? {
                '{' => Some(Container::Object),
                '[' => Some(Container::List),
                '(' => Some(Container::Tuple),
                _ => None,
            };
            match opened {
                Some(container) => {
                    self.take(1);
                    self.out.push(if container == Container::Object { '{' } else { '[' });
                    open.push(container);
                }
                None => self.write_scalar()?,
            }
            // Whether the container on top is still empty.
            let mut is_first = opened.is_some();
            loop {
                let Some(&container) = open.last() else { return Some(()) };
                self.skip_space();
                let is_separated = !is_first && self.skip(',');
                self.skip_space();
                if self.skip(container.end()) {
                    open.pop();
                    self.out.push(if container == Container::Object { '}' } else { ']' });
                    is_first = false;
                    continue;
                }
                if !is_first {
                    is_separated.then_some(())?;
                    self.out.push_str(", ");
                }
                if container == Container::Object {
                    self.write_key()?;
                }
                break;
            }
            (self.out.len() <= JSON_MAX).then_some(())?;
        }
    }

    /// Writes a key and its colon. JSON's keys are texts; `json.dumps` makes them of other scalars.
    fn write_key(&mut self) -> Option<()> {
        let start = self.out.len();
        self.write_scalar()?;
        if !self.out[start..].starts_with('"') {
            self.out.insert(start, '"');
            self.out.push('"');
        }
        self.skip_space();
        self.skip(':').then_some(())?;
        self.out.push_str(": ");
        Some(())
    }

    /// Writes a text, a number, a constant or a time.
    fn write_scalar(&mut self) -> Option<()> {
        for (prefix, is_unicode) in [("u", true), ("b", false), ("", false)] {
            if let Some(rest) = self.text.strip_prefix(prefix)
                && let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"'))
            {
                self.text = &rest[1..];
                return self.write_text(quote, is_unicode);
            }
        }
        for (python, json) in [
            ("None", "null"),
            ("True", "true"),
            ("False", "false"),
            ("nan", "NaN"),
            ("inf", "Infinity"),
            ("-inf", "-Infinity"),
        ] {
            if let Some(rest) = self.text.strip_prefix(python) {
                self.text = rest;
                self.out.push_str(json);
                return Some(());
            }
        }
        match self.text.strip_prefix("datetime.datetime(") {
            Some(rest) => {
                let (arguments, rest) = rest.split_once(')')?;
                self.text = rest;
                self.write_time(arguments)
            }
            None => self.write_number(),
        }
    }

    /// Writes a number. Python and JSON write all but the two infinities and `nan` alike; Python 2 marks a long
    /// integer by an `L`.
    fn write_number(&mut self) -> Option<()> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let length = self.text.find(|c| !is_part(c)).unwrap_or(self.text.len());
        let number = &self.text[..length];
        serde_json::from_str::<serde::de::IgnoredAny>(number).ok()?;
        self.out.push_str(number);
        self.take(length);
        self.skip('L');
        Some(())
    }

    /// Writes the arguments of a `datetime` as `str` prints it. Only the zone UTC is known.
    fn write_time(&mut self, arguments: &str) -> Option<()> {
        let mut numbers = [0_u32; 7];
        let mut count = 0;
        let mut zone = "";
        for argument in arguments.split(',').map(str::trim_ascii) {
            match argument {
                "tzinfo=datetime.timezone.utc" => zone = "+00:00",
                _ => {
                    let is_short = argument.len() <= 6;
                    *numbers.get_mut(count)? = argument.parse().ok().filter(|_| is_short)?;
                    count += 1;
                }
            }
        }
        let [year, month, day, hour, minute, second, micros] = numbers;
        (count >= 3).then_some(())?;
        self.out.push_str(&format!(
            "\"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        ));
        if micros > 0 {
            self.out.push_str(&format!(".{micros:06}"));
        }
        self.out.push_str(zone);
        self.out.push('"');
        Some(())
    }

    /// Writes a text up to the closing quote. In one that is not `is_unicode`, Python 2 has an escape for each
    /// byte of its UTF-8; Python 3 has none for what these would be as characters.
    fn write_text(&mut self, quote: char, is_unicode: bool) -> Option<()> {
        self.out.push('"');
        // Bytes of escapes that may be a part of a character.
        let mut bytes = Vec::new();
        loop {
            let c = self.text.chars().next().filter(|_| self.out.len() <= JSON_MAX)?;
            let is_byte = !is_unicode && self.text.starts_with("\\x");
            if !is_byte {
                self.write_bytes(&mut bytes);
            }
            self.take(c.len_utf8());
            match c {
                '\\' => match self.read_escape()? {
                    code @ 0x80..=0xff if is_byte => bytes.push(code as u8),
                    code => {
                        self.write_bytes(&mut bytes);
                        self.write_code_point(code);
                    }
                },
                _ if c == quote => break,
                // Python escapes every control character.
                '\0'..' ' => return None,
                _ => self.write_code_point(u32::from(c)),
            }
        }
        self.out.push('"');
        Some(())
    }

    /// Writes the bytes as UTF-8 if they are that, else each as a character, and empties the list.
    fn write_bytes(&mut self, bytes: &mut Vec<u8>) {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.chars().for_each(|c| self.write_code_point(u32::from(c))),
            Err(_) => bytes.iter().for_each(|byte| self.write_code_point(u32::from(*byte))),
        }
        bytes.clear();
    }

    /// Reads an escape after its backslash, up to a code point, which may be half a surrogate pair.
    fn read_escape(&mut self) -> Option<u32> {
        let c = self.text.chars().next()?;
        self.take(c.len_utf8());
        let length = match c {
            '\\' | '\'' | '"' => return Some(u32::from(c)),
            'n' => return Some(0x0a),
            'r' => return Some(0x0d),
            't' => return Some(0x09),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return None,
        };
        let digits = self.text.get(..length)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        self.take(length);
        (code <= u32::from(char::MAX)).then_some(code)
    }

    /// Writes a character within a JSON string, in ASCII as `json.dumps` does.
    fn write_code_point(&mut self, code: u32) {
        match code {
            0x08 => self.out.push_str("\\b"),
            0x09 => self.out.push_str("\\t"),
            0x0a => self.out.push_str("\\n"),
            0x0c => self.out.push_str("\\f"),
            0x0d => self.out.push_str("\\r"),
            0x22 => self.out.push_str("\\\""),
            0x5c => self.out.push_str("\\\\"),
            0x20..0x7f => self.out.extend(char::from_u32(code)),
            ..0x1_0000 => self.out.push_str(&format!("\\u{code:04x}")),
            _ => {
                let above = code - 0x1_0000;
                let (high, low) = (0xd800 + (above >> 10), 0xdc00 + (above & 0x3ff));
                self.out.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
            }
        }
    }

    /// Skips the character if the text begins with it.
    fn skip(&mut self, c: char) -> bool {
        let rest = self.text.strip_prefix(c);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.text = self.text.trim_ascii_start();
    }

    /// Skips this many bytes, which end at a character.
    fn take(&mut self, length: usize) {
        self.text = &self.text[length..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json;
    use super::*;

    #[track_caller]
    fn assert_json(python: &str, json: &str) {
        assert_eq!(to_json(python.as_bytes()).as_deref(), Some(json), "{python}");
    }

    /// Left `repr(value)`, right `json.dumps(value, default=str)` of CPython 3.11.
    #[test]
    fn values_are_written_as_json_dumps_writes_them() {
        assert_json(
            r#"{'a': None, 'b': [True, False, -1, 1.5, 1e-05, 1e+16], 'c': {}, 'd': [], 'e': ()}"#,
            r#"{"a": null, "b": [true, false, -1, 1.5, 1e-05, 1e+16], "c": {}, "d": [], "e": []}"#,
        );
        assert_json(
            r#"{'a': (1,), 'b': [nan, inf, -inf], 'c': {1: 2, True: 3, None: 4}}"#,
            r#"{"a": [1], "b": [NaN, Infinity, -Infinity], "c": {"1": 2, "true": 3, "null": 4}}"#,
        );
        assert_json(
            r#"{'a': "it's", 'b': 'it\'s "', 'c': 'a\nb\t\\\r\x00\x7f', 'd': 'č😀\xad\ud83d'}"#,
            r#"{"a": "it's", "b": "it's \"", "c": "a\nb\t\\\r\u0000\u007f", "d": "\u010d\ud83d\ude00\u00ad\ud83d"}"#,
        );
        assert_json(
            r#"{'a': datetime.datetime(2026, 11, 19, 10, 0, 7, 123456), 'b': datetime.datetime(2026, 1, 2, 3, 4)}"#,
            r#"{"a": "2026-11-19 10:00:07.123456", "b": "2026-01-02 03:04:00"}"#,
        );
        assert_json(
            r#"{'a': datetime.datetime(2026, 11, 19, 10, 0, tzinfo=datetime.timezone.utc)}"#,
            r#"{"a": "2026-11-19 10:00:00+00:00"}"#,
        );
        assert_json("[{'a': 1}, {'b': b'x'}]\n", r#"[{"a": 1}, {"b": "x"}]"#);
    }

    /// As CPython 2.7 prints `{'a': u'\xfc', 'b': 'Zo\xc3\xab', 'c': 123L}`.
    #[test]
    fn python_2_has_texts_of_bytes_and_long_integers() {
        assert_json(
            r#"{'a': u'\xfc\u010d\U0001f600', 'b': 'Zo\xc3\xab', 'c': 123L, u'd': '\xff'}"#,
            r#"{"a": "\u00fc\u010d\ud83d\ude00", "b": "Zo\u00eb", "c": 123, "d": "\u00ff"}"#,
        );
    }

    #[test]
    fn anything_else_is_not_python() {
        for other in [
            "",
            "{",
            "{}",
            "{'",
            "{'a'",
            "{'a':",
            "{'a': 1",
            "{'a': 1,",
            "{'a': 1]",
            "{'a' 1}",
            "{'a': 1 'b': 2}",
            "{'a': 1}}",
            "{'a': 1} {'b': 2}",
            "{'a': <object at 0x1>}",
            "{'a': {1, 2}}",
            "{'a': {(1, 2): 3}}",
            "{'a': 'b\u{1}'}",
            "{'a': '\\q'}",
            "{'a': '\\x+1'}",
            "{'a': '\\U00110000'}",
            "{'a': 01}",
            "{'a': --1}",
            "{'a': Decimal('1')}",
            "{'a': datetime.datetime(2026)}",
            "{'a': datetime.datetime(2026, 1, 1, 1, 1, 1, 1, 1)}",
            "{'a': datetime.datetime(2026, 1, 1, tzinfo=<x>)}",
            "{\"a\": 1}",
            "['a']",
        ] {
            assert_eq!(to_json(other.as_bytes()), None, "{other}");
        }
        assert_eq!(to_json(b"{'a': '\xff'}"), None);
    }

    #[test]
    fn nesting_has_no_limit() {
        let nested = format!("{{'a': {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(to_json(nested.as_bytes()), Some(nested.replace('\'', "\"")));
    }

    proptest! {
        #[test]
        fn any_body_is_harmless(body in r#"\{u?'[{}\[\](),:'"\\a-fxuUL0-9eE+. -]{0,60}"#, bytes: Vec<u8>) {
            to_json(&bytes);
            if let Some(json) = to_json(body.as_bytes()) {
                let read: Result<serde_json::Value, _> = json::parse(json.as_bytes());
                prop_assert!(read.is_ok(), "{} became {}", body, json);
            }
        }
    }
}
