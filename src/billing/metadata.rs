//! What a sample's metadata says under a dotted key.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::event::json;

/// The metadata of a sample, read once. Text that is no JSON object says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Reads `resource_metadata` as it stands in a sample's body.
    pub fn read(text: &str) -> Self {
        Metadata(json::parse(text.as_bytes()).unwrap_or_default())
    }

    /// The value under a key such as `flavor.name`, whether that is a key itself (some senders
    /// flatten), or a path into nested objects whose keys may hold dots too. Texts as they are,
    /// numbers as they are written, `true` and `false`. `None` for what is absent, `null`, `""`, an
    /// object or a list.
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        find(&self.0, key)
    }

    /// The value under the first of these keys that has one.
    pub fn first<'a, K: AsRef<str>>(&'a self, keys: &[K]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| self.get(key.as_ref()))
    }
}

fn find<'a>(object: &'a Map<String, Value>, key: &str) -> Option<Cow<'a, str>> {
    if let Some(text) = object.get(key).and_then(text) {
        return Some(text);
    }
    key.match_indices('.').find_map(|(dot, _)| match object.get(&key[..dot]) {
        Some(Value::Object(inner)) => find(inner, &key[dot + 1..]),
        _ => None,
    })
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(if *truth { "true" } else { "false" }.into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(text: &str, key: &str, expected: Option<&str>) {
        assert_eq!(Metadata::read(text).get(key).as_deref(), expected, "{key} in {text}");
    }

    #[test]
    fn dotted_keys_reach_into_objects() {
        let text = r#"{"flavor": {"name": "m1", "extra": {"a.b": "c"}}, "status": "active"}"#;
        says(text, "flavor.name", Some("m1"));
        says(text, "status", Some("active"));
        says(text, "flavor.extra.a.b", Some("c"));
        says(text, "flavor.id", None);
        says(text, "status.name", None);
        says(text, "flavor", None);
    }

    #[test]
    fn keys_may_hold_dots_themselves() {
        says(r#"{"flavor.name": "flat"}"#, "flavor.name", Some("flat"));
        says(r#"{"flavor.name": "flat", "flavor": {"name": "deep"}}"#, "flavor.name", Some("flat"));
        says(r#"{"flavor.name": "", "flavor": {"name": "deep"}}"#, "flavor.name", Some("deep"));
        says(r#"{"a.b": {"c.d": {"e": "f"}}}"#, "a.b.c.d.e", Some("f"));
        says(r#"{"a": {"b": 1}, "a.b": {"c": 2}}"#, "a.b.c", Some("2"));
    }

    #[test]
    fn only_values_that_say_something_count() {
        let text = r#"{"a": null, "b": "", "c": [1], "d": {}, "e": false, "f": 1e-05, "g": 20.0}"#;
        for key in ["a", "b", "c", "d", "", ".", "..", "x.y."] {
            says(text, key, None);
        }
        says(text, "e", Some("false"));
        says(text, "f", Some("1e-05"));
        says(text, "g", Some("20.0"));
        let metadata = Metadata::read(text);
        assert_eq!(metadata.first(&["a", "b", "g", "e"]).as_deref(), Some("20.0"));
        assert_eq!(metadata.first::<&str>(&[]), None);
    }

    #[test]
    fn what_is_no_object_says_nothing() {
        for text in ["", "null", "[]", "\"a\"", "{", "{\"a\": }", &"[".repeat(100_000)] {
            says(text, "a", None);
        }
        says(r#"{"a": NaN, "b": "x"}"#, "b", Some("x"));
    }
}
