//! Secrets that services put into their messages, and how they leave the body.
//!
//! The body stays as it arrived, byte by byte, but for the values found here: they become `null`.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::holds;
use super::header::Fields;

/// How deep arguments are searched; what lies deeper is removed whole.
const DEPTH: usize = 64;

/// What the lower-cased key of a secret contains.
const SECRET: [&str; 5] = ["pass", "secret", "token", "credential", "private_key"];

/// The places of all secrets in `text`, in order: the tokens and catalogues of the request's
/// context, and what stands under telling keys in `arguments` of a call, at any depth.
///
/// # Errors
///
/// When the arguments cannot be read strictly.
pub(super) fn secrets(
    text: &str,
    fields: &Fields<'_>,
    arguments: Option<&RawValue>,
) -> Result<Vec<Range<usize>>, serde_json::Error> {
    let context = fields.auth_tokens.0.iter().chain(&fields.service_catalogs.0);
    let mut spans: Vec<_> = context.map(|raw| span(text, raw)).collect();
    if let Some(arguments) = arguments {
        let search = Search { text, depth: 0, found: &mut spans };
        search.deserialize(&mut serde_json::Deserializer::from_str(arguments.get()))?;
    }
    spans.sort_by_key(|span| span.start);
    Ok(spans)
}

/// The bytes that `part`, a value borrowed from `text`, takes in it.
pub(super) fn span(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

/// The body with the given places, which are in order and apart, replaced.
pub(super) fn splice(body: &[u8], edits: &[(Range<usize>, &str)]) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(body.len());
    let mut at = 0;
    for (span, replacement) in edits {
        spliced.extend_from_slice(&body[at..span.start]);
        spliced.extend_from_slice(replacement.as_bytes());
        at = span.end;
    }
    spliced.extend_from_slice(&body[at..]);
    spliced
}

/// Walks one value and notes the places of secrets in it.
struct Search<'t, 'f> {
    text: &'t str,
    depth: usize,
    found: &'f mut Vec<Range<usize>>,
}

impl Search<'_, '_> {
    /// Searches one level further down.
    fn within(&mut self) -> Search<'_, '_> {
        Search { text: self.text, depth: self.depth + 1, found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        if self.depth < DEPTH {
            return from.deserialize_any(self);
        }
        let raw = <&RawValue as serde::Deserialize>::deserialize(from)?;
        if raw.get().starts_with(['[', '{']) && holds(raw) {
            self.found.push(span(self.text, raw));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Search<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let key = key.to_lowercase();
            if SECRET.iter().any(|part| key.contains(part)) {
                let raw: &RawValue = map.next_value()?;
                if holds(raw) && !matches!(raw.get(), "true" | "false") {
                    self.found.push(span(self.text, raw));
                }
            } else {
                map.next_value_seed(self.within())?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.within())?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let fields: Fields = serde_json::from_str(text).unwrap();
        let spans = secrets(text, &fields, fields.payload.raw()).unwrap();
        let edits: Vec<_> = spans.into_iter().map(|span| (span, "null")).collect();
        String::from_utf8(splice(text.as_bytes(), &edits)).unwrap()
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
    fn arguments_lose_what_telling_keys_hold() {
        let text = r#"{"payload": {"args": [{"Admin_Pass": "p", "n": 1e400, "x": {"TOKENS": [1]}}], "private_key": {"a": 1}, "secret": 5, "passes": true, "password": ""}}"#;
        let left = r#"{"payload": {"args": [{"Admin_Pass": null, "n": 1e400, "x": {"TOKENS": null}}], "private_key": null, "secret": null, "passes": true, "password": ""}}"#;
        assert_eq!(redacted(text), left);
    }

    #[test]
    fn what_is_too_deep_to_search_is_removed() {
        let nested = |depth: usize| {
            format!(r#"{{"payload": {}{}}}"#, "[".repeat(depth), "]".repeat(depth))
        };
        assert_eq!(redacted(&nested(65)), nested(65));
        let left = nested(64).replace("[]", "[null]");
        assert_eq!(redacted(&nested(100_000)), left);
        assert_eq!(redacted(&left), left);
    }
}
