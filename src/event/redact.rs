//! Finds the secrets that services put into their messages.
//!
//! In the log, the values found here are `null`; the rest of a body stays as it arrived, byte for byte.

use std::ops::Range;

use serde_json::value::RawValue;

use super::fields::has_content;
use super::header::Fields;
use super::{json, span};

/// The depth to which arguments are searched. A deeper value is removed as a whole.
const DEPTH_MAX: usize = 64;

/// A key is a secret's if it contains one of these, in any case.
const SECRET_WORDS: [&str; 7] = [
    "pass",
    "secret",
    "token",
    "credential",
    "private_key",
    // It has the internal addresses of every service.
    "service_catalog",
    "authorization",
];

/// Returns the spans of all secrets in `text`, in order: the tokens and catalogues of the request's
/// context, and the values of secrets' keys in `arguments` (of a call or of an HTTP request), at any
/// depth.
pub(super) fn find_secrets(
    text: &str,
    fields: &Fields<'_>,
    arguments: Option<&RawValue>,
) -> Vec<Range<usize>> {
    let context = fields.auth_tokens.0.iter().chain(&fields.service_catalogs.0);
    let mut spans: Vec<_> = context.map(|raw| span::of(text, raw)).collect();
    if let Some(arguments) = arguments {
        search(text, span::of(text, arguments), &mut spans);
    }
    spans.sort_by_key(|span| span.start);
    spans
}

/// Adds the spans of secrets in the JSON value at `span` of the text, in one pass and without
/// recursion. The value is well formed: a parser has found it.
fn search(text: &str, span: Range<usize>, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (span.start, 0);
    while at < span.end {
        let start = at;
        at = match bytes[start] {
            b'"' => string_end(bytes, start),
            b'[' | b'{' if depth == DEPTH_MAX => value_end(bytes, start),
            byte => {
                depth += usize::from(matches!(byte, b'[' | b'{'));
                depth -= usize::from(matches!(byte, b']' | b'}'));
                start + 1
            }
        };
        let secret = match bytes[start] {
            // Only a key is followed by a colon.
            b'"' if bytes[skip_space(bytes, at)..].starts_with(b":") => {
                let key = &text[start..at];
                let value = skip_space(bytes, skip_space(bytes, at) + 1);
                at = value;
                is_secret_key(key).then(|| value..value_end(bytes, value))
            }
            b'[' | b'{' if at > start + 1 => Some(start..at),
            _ => None,
        };
        if let Some(secret) = secret {
            at = secret.end;
            let value = &text[secret.clone()];
            if has_content(value) && !matches!(value, "true" | "false") {
                found.push(secret);
            }
        }
    }
}

/// Whether a key, in its quotes, is a secret's.
fn is_secret_key(key: &str) -> bool {
    let key = if key.contains('\\') {
        json::parse(key.as_bytes()).unwrap_or_default()
    } else {
        key.to_owned()
    };
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|part| key.contains(part))
}

/// The end of the value that begins at `at`.
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at) - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b']' | b'}') {
            return at;
        }
    }
    at
}

/// The end of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut escaped = false;
    let inside = &bytes[at + 1..];
    let length = inside.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    length.map_or(bytes.len(), |length| at + length + 2)
}

/// The first byte from `at` on that is not white space.
fn skip_space(bytes: &[u8], at: usize) -> usize {
    let space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    at + bytes[at..].iter().take_while(space).count()
}

#[cfg(test)]
mod tests {
    use super::super::fields::{Value, raw_object};
    use super::*;

    raw_object! { Arguments { payload: Value = "payload", } }

    fn redacted(text: &str) -> String {
        let fields: Fields = serde_json::from_str(text).unwrap();
        let arguments: Arguments = serde_json::from_str(text).unwrap();
        let spans = find_secrets(text, &fields, arguments.payload.raw());
        let edits: Vec<_> = spans.into_iter().map(|span| (span, "null")).collect();
        String::from_utf8(span::replace(text.as_bytes(), &edits)).unwrap()
    }

    #[test]
    fn contexts_lose_every_token_and_catalogue() {
        let text = r#"{"_context_auth_token": "t", "a": 1, "_context_service_catalog": [{"e": 1}], "_context_auth_token": "u"}"#;
        let left = r#"{"_context_auth_token": null, "a": 1, "_context_service_catalog": null, "_context_auth_token": null}"#;
        assert_eq!(redacted(text), left);
        assert_eq!(redacted(left), left);
        let empty = r#"{"_context_auth_token": "", "_context_service_catalog": []}"#;
        assert_eq!(redacted(empty), empty);
    }

    #[test]
    fn arguments_lose_the_values_of_secrets_keys() {
        let text = r#"{"payload": {"args": [{"Admin_Pass": "p", "n": 1e400, "x": {"TOKENS": [1]}}], "private\u005fkey" : {"a": "]\"}"}, "secret": 5, "passes": true, "password": ""}, "p\u0061ss": "no argument"}"#;
        let left = r#"{"payload": {"args": [{"Admin_Pass": null, "n": 1e400, "x": {"TOKENS": null}}], "private\u005fkey" : null, "secret": null, "passes": true, "password": ""}, "p\u0061ss": "no argument"}"#;
        assert_eq!(redacted(text), left);
    }

    #[test]
    fn a_context_among_the_arguments_loses_its_catalogue_too() {
        let text = r#"{"payload": {"args": {"context": {"service_catalog": [{"e": 1}], "auth_token": "t"}}}}"#;
        let left =
            r#"{"payload": {"args": {"context": {"service_catalog": null, "auth_token": null}}}}"#;
        assert_eq!(redacted(text), left);
    }

    #[test]
    fn values_too_deep_to_search_are_removed() {
        let nested =
            |depth: usize| format!(r#"{{"payload": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(redacted(&nested(65)), nested(65));
        let left = nested(64).replace("[]", "[null]");
        assert_eq!(redacted(&nested(100_000)), left);
        assert_eq!(redacted(&left), left);
    }
}
