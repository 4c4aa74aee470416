//! The reason for a failure, in each of the shapes in which Nova sends it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::fields::{Value, object, raw_object, text};
use super::Fault;

raw_object! {
    /// An exception as an object: with `kwargs` (2014), as a `fault` or as a versioned object.
    Exception {
        data: Value = "nova_object.data",
        class: Value = "class",
        exception: Value = "exception",
        message: Value = "message",
        exception_message: Value = "exception_message",
        reason: Value = "reason",
        code: Value = "code",
        kwargs: Value = "kwargs",
    }
}

impl Fault {
    /// Reads a fault from an object, from Python's text of one, or from a plain text.
    ///
    /// # Errors
    ///
    /// When an object cannot be read strictly.
    pub(super) fn read(raw: &RawValue) -> Result<Fault, serde_json::Error> {
        if let Some(text) = text(raw) {
            return Ok(Fault::from_python(&text));
        }
        let outer: Exception = object(raw)?;
        let inner = if outer.data.is_present() { outer.data.object()? } else { outer };
        let kwargs: Exception = inner.kwargs.object()?;
        Ok(Fault {
            class: inner.class.text().or_else(|| inner.exception.text()).map(class_name),
            message: inner
                .message
                .text()
                .or_else(|| inner.exception_message.text())
                // In 2014 an exception was sent as its attributes: the message was none of them.
                .or_else(|| kwargs.reason.text())
                .map(Cow::into_owned),
            code: read_code(inner.code).or_else(|| read_code(kwargs.code)),
        })
    }

    /// Reads a fault from Python's text of a dictionary (`{'kwargs': {…}, 'message': '…', 'class':
    /// '…'}`). Any other text is the message.
    fn from_python(text: &str) -> Fault {
        let (mut fault, mut reason) = (Fault::default(), None);
        if text.starts_with('{') {
            for (depth, key, value) in Entries::of(text) {
                match (depth, &*key) {
                    (1, "message") => fault.message = Some(value),
                    (1, "class") => fault.class = Some(class_name(value.into())),
                    (2, "reason") => reason = reason.or(Some(value)),
                    (1 | 2, "code") => fault.code = fault.code.or(value.parse().ok()),
                    _ => {}
                }
            }
        }
        fault.message = fault.message.or(reason);
        if fault.message.is_none() && fault.class.is_none() {
            fault.message = Some(text.to_owned());
        }
        fault
    }

    /// This fault, with `other`'s parts where it has none.
    pub(super) fn or(self, other: Fault) -> Fault {
        Fault {
            class: self.class.or(other.class),
            message: self.message.or(other.message),
            code: self.code.or(other.code),
        }
    }
}

/// The integer in a number or a text.
pub(super) fn read_code(value: Value<'_>) -> Option<i64> {
    value.id()?.parse().ok()
}

/// The name of a class without its module, and without the suffix that oslo.messaging appends if the
/// exception was raised on another host, so that one failure has one name.
fn class_name(path: Cow<'_, str>) -> String {
    let name = path.rsplit_once('.').map_or(&*path, |(_, name)| name);
    name.strip_suffix("_Remote").unwrap_or(name).to_owned()
}

/// The entries of the Python dictionaries in a text, at every depth. The text may be cut off or not
/// be Python; every entry that can be found is read.
struct Entries<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Entries<'a> {
    /// Starts at the beginning of `text`.
    fn of(text: &'a str) -> Entries<'a> {
        Entries { rest: text, depth: 0 }
    }

    /// Takes the string whose opening quote the text begins with. A string without an end goes to the
    /// end of the text.
    fn take_string(&mut self) -> String {
        let mut chars = self.rest.chars();
        let quote = chars.next();
        let mut string = String::new();
        while let Some(next) = chars.next().filter(|next| Some(*next) != quote) {
            match next {
                '\\' => string.extend(unescape(&mut chars)),
                _ => string.push(next),
            }
        }
        self.rest = chars.as_str();
        string
    }

    /// Takes the value after a key: a string, or the word or number up to the next comma. `None` for
    /// dictionaries, lists and tuples, whose entries come next.
    fn take_value(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let quoted = self.rest.strip_prefix(['u', 'b']).unwrap_or(self.rest);
        if quoted.starts_with(['\'', '"']) {
            self.rest = quoted;
            return Some(self.take_string());
        }
        if self.rest.starts_with(['{', '[', '(']) {
            return None;
        }
        let end = self.rest.find([',', '}', '(']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word.trim_end().to_owned()).filter(|word| !word.is_empty() && word != "None")
    }
}

/// Yields depth (1 is the outermost), key and value.
impl Iterator for Entries<'_> {
    type Item = (usize, String, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.rest.find(['{', '[', '(', '}', ']', ')', '\'', '"'])?;
            self.rest = &self.rest[at..];
            if self.rest.starts_with(['\'', '"']) {
                let key = self.take_string();
                let Some(rest) = self.rest.trim_start().strip_prefix(':') else { continue };
                self.rest = rest;
                if let Some(value) = self.take_value() {
                    return Some((self.depth, key, value));
                }
                continue;
            }
            if self.rest.starts_with(['{', '[', '(']) {
                self.depth += 1;
            } else {
                self.depth = self.depth.saturating_sub(1);
            }
            self.rest = &self.rest[1..];
        }
    }
}

/// Takes the rest of an escape, after its backslash, and returns the character it encodes.
fn unescape(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        other => return Some(other),
    };
    let code = chars.as_str().get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok())?;
    *chars = chars.as_str()[digits..].chars();
    char::from_u32(code).filter(|char| *char != '\0').or(Some('\u{fffd}'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_fault(json: &str, class: Option<&str>, message: Option<&str>, code: Option<i64>) {
        let fault = Fault::read(serde_json::from_str(json).unwrap()).unwrap();
        let expected =
            Fault { class: class.map(str::to_owned), message: message.map(str::to_owned), code };
        assert_eq!(fault, expected, "{json}");
    }

    #[test]
    fn pythons_texts_are_read() {
        assert_fault(
            r#""{'kwargs': {'reason': 'x, \\'y\\'', 'code': 400}, 'message': \"It's \\u010d\\x21\", 'class': 'NoValidHost_Remote'}""#,
            Some("NoValidHost"),
            Some("It's č!"),
            Some(400),
        );
        assert_fault(
            r#""{u'message': u'a', u'class': u'nova.exception.Some', u'kwargs': {u'message': u'b'}}""#,
            Some("Some"),
            Some("a"),
            None,
        );
        assert_fault(
            r#""{'message': RemoteError('a', 'b'), 'code': None}""#,
            None,
            Some("RemoteError"),
            None,
        );
        assert_fault(
            r#""{'kwargs': {'reason': 'no host', 'code': 500}}""#,
            None,
            Some("no host"),
            Some(500),
        );
        assert_fault(r#""{'message': 'cut off he""#, None, Some("cut off he"), None);
        assert_fault(r#""{not python}""#, None, Some("{not python}"), None);
        assert_fault(r#""No valid host""#, None, Some("No valid host"), None);
    }

    #[test]
    fn objects_are_read() {
        assert_fault(r#"{"kwargs": {"code": 500, "uuid": "i"}}"#, None, None, Some(500));
        assert_fault(
            r#"{"kwargs": {"code": 500, "reason": "no host"}}"#,
            None,
            Some("no host"),
            Some(500),
        );
        assert_fault(
            r#"{"kwargs": {"reason": "no host"}, "message": "No valid host was found."}"#,
            None,
            Some("No valid host was found."),
            None,
        );
        assert_fault(
            r#"{"class": "A", "message": "m", "code": "404"}"#,
            Some("A"),
            Some("m"),
            Some(404),
        );
        assert_fault(
            r#"{"nova_object.data": {"exception": "A", "exception_message": "m"}}"#,
            Some("A"),
            Some("m"),
            None,
        );
        assert_fault("[1]", None, None, None);
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text in r#"\{['"\\{}\[\]():,ux0-9a-fč ]{0,60}"#) {
            Fault::from_python(&text);
        }
    }
}
