//! The metadata of a sample, read by dotted keys.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::state;
use crate::event::{json, time};

/// The key with the time at which the resource was deleted.
const DELETED_AT_KEY: &str = "deleted_at";
/// Keys of the state, in the API's words and in `vm_state`'s.
const STATE_KEYS: [&str; 2] = ["status", "state"];
/// The key with the type of the notification that a sample is made of, where its metadata is the whole
/// payload.
const EVENT_TYPE_KEY: &str = "event_type";
/// Ends of the types of notifications that report that something was deleted.
const DELETION_TYPES: [&str; 2] = [".delete.end", "image.delete"];

/// The keys that name the host that measured: Ceilometer's agents of compute nodes add `instance_host`, and as
/// `host` a hash of the host and the project; other senders have the host's name there.
const HOST_KEYS: [&str; 2] = ["instance_host", "host"];

/// The greatest length of a host's name, in bytes.
const HOST_MAX: usize = 255;

/// The metadata of a sample, parsed once. Empty if the text is not a JSON object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Parses the text of `resource_metadata` of a sample's body.
    pub fn read(text: &str) -> Self {
        Metadata(json::parse(text.as_bytes()).unwrap_or_default())
    }

    /// Returns the value under a key such as `flavor.name`. The key may be a member itself (some
    /// senders flatten their metadata) or a path into nested objects, whose members may contain dots
    /// too. Numbers keep their spelling; booleans are `true` and `false`. `None` if the value is
    /// absent, `null`, `""`, an object or a list.
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        find(&self.0, key)
    }

    /// Returns when the resource was deleted, if the metadata contains it.
    pub(super) fn deleted_at(&self) -> Option<Timestamp> {
        time::parse(&self.get(DELETED_AT_KEY)?)
    }

    /// Whether it reports that the resource was deleted, by its state or by the notification's type.
    pub(super) fn reports_deletion(&self) -> bool {
        let is_deleted = |key: &&str| {
            self.get(key).is_some_and(|word| state::vm_state(&word) == Some(state::DELETED))
        };
        STATE_KEYS.iter().any(is_deleted)
            || self.get(EVENT_TYPE_KEY).is_some_and(|event_type| {
                DELETION_TYPES.iter().any(|end| event_type.ends_with(end))
            })
    }

    /// Returns the value of the first of these keys that has one.
    pub fn first<'a, K: AsRef<str>>(&'a self, keys: &[K]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| self.get(key.as_ref()))
    }

    /// Returns the name of the host that measured; `""` if the metadata names none. A text column of the
    /// database can contain it.
    pub fn host(&self) -> Cow<'_, str> {
        let Some(host) = self.first(&HOST_KEYS) else { return Cow::Borrowed("") };
        if host.len() <= HOST_MAX && !host.contains('\0') {
            return host;
        }
        let end = host.floor_char_boundary(HOST_MAX);
        host[..end].replace('\0', "\u{fffd}").into()
    }
}

fn find<'a>(object: &'a Map<String, Value>, key: &str) -> Option<Cow<'a, str>> {
    if let Some(text) = object.get(key).and_then(to_text) {
        return Some(text);
    }
    key.match_indices('.').find_map(|(dot, _)| match object.get(&key[..dot]) {
        Some(Value::Object(inner)) => find(inner, &key[dot + 1..]),
        _ => None,
    })
}

fn to_text(value: &Value) -> Option<Cow<'_, str>> {
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
    fn assert_value(text: &str, key: &str, expected: Option<&str>) {
        assert_eq!(Metadata::read(text).get(key).as_deref(), expected, "{key} in {text}");
    }

    #[test]
    fn dotted_keys_reach_into_objects() {
        let text = r#"{"flavor": {"name": "m1", "extra": {"a.b": "c"}}, "status": "active"}"#;
        assert_value(text, "flavor.name", Some("m1"));
        assert_value(text, "status", Some("active"));
        assert_value(text, "flavor.extra.a.b", Some("c"));
        assert_value(text, "flavor.id", None);
        assert_value(text, "status.name", None);
        assert_value(text, "flavor", None);
    }

    #[test]
    fn keys_may_contain_dots_themselves() {
        assert_value(r#"{"flavor.name": "flat"}"#, "flavor.name", Some("flat"));
        assert_value(
            r#"{"flavor.name": "flat", "flavor": {"name": "deep"}}"#,
            "flavor.name",
            Some("flat"),
        );
        assert_value(
            r#"{"flavor.name": "", "flavor": {"name": "deep"}}"#,
            "flavor.name",
            Some("deep"),
        );
        assert_value(r#"{"a.b": {"c.d": {"e": "f"}}}"#, "a.b.c.d.e", Some("f"));
        assert_value(r#"{"a": {"b": 1}, "a.b": {"c": 2}}"#, "a.b.c", Some("2"));
    }

    #[test]
    fn empty_values_and_containers_do_not_count() {
        let text = r#"{"a": null, "b": "", "c": [1], "d": {}, "e": false, "f": 1e-05, "g": 20.0}"#;
        for key in ["a", "b", "c", "d", "", ".", "..", "x.y."] {
            assert_value(text, key, None);
        }
        assert_value(text, "e", Some("false"));
        assert_value(text, "f", Some("1e-05"));
        assert_value(text, "g", Some("20.0"));
        let metadata = Metadata::read(text);
        assert_eq!(metadata.first(&["a", "b", "g", "e"]).as_deref(), Some("20.0"));
        assert_eq!(metadata.first::<&str>(&[]), None);
    }

    #[test]
    fn the_host_is_that_of_the_instance_before_any_other() {
        for (text, host) in [
            (r#"{"instance_host": "cn-a", "host": "7c4a8981"}"#, "cn-a"),
            (r#"{"instance_host": "", "host": "7c4a8981"}"#, "7c4a8981"),
            (r#"{"instance_host": null, "host": "b"}"#, "b"),
            (r#"{"host": {"name": "b"}}"#, ""),
            ("[]", ""),
            (r#"{"host": "a\u0000b"}"#, "a\u{fffd}b"),
        ] {
            assert_eq!(Metadata::read(text).host(), host, "{text}");
        }
        let long = format!(r#"{{"host": "{}"}}"#, "č".repeat(200));
        assert_eq!(Metadata::read(&long).host(), "č".repeat(127));
    }

    #[test]
    fn text_that_is_not_an_object_is_empty_metadata() {
        for text in ["", "null", "[]", "\"a\"", "{", "{\"a\": }", &"[".repeat(100_000)] {
            assert_value(text, "a", None);
        }
        assert_value(r#"{"a": NaN, "b": "x"}"#, "b", Some("x"));
    }
}
