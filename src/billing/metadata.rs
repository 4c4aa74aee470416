//! The metadata of a sample, read by dotted keys.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::state::Word;
use crate::event::{json, time};

/// The key with the time at which the resource was deleted.
const DELETED_AT_KEY: &str = "deleted_at";
/// The key of the state in the API's words.
const STATUS_KEY: &str = "status";
/// The key of the state in the words of `vm_state`.
const STATE_KEY: &str = "state";
/// The key that samples made of notifications contain: when the instance was launched.
const LAUNCHED_KEY: &str = "launched_at";
const FLAVOR_KEYS: [&str; 6] =
    ["flavor.name", "instance_type", "flavor_name", "flavor.id", "instance_flavor_id", "flavor_id"];
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
pub struct Metadata {
    fields: Map<String, Value>,
    facts: Facts,
}

/// What the rules ask of every reading, looked up once: many readings share one metadata.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    deleted_at: Option<Timestamp>,
    reports_deletion: bool,
    status: Option<Word>,
    state: Option<Word>,
    flavor: Option<String>,
    is_launched: bool,
    host: String,
}

impl Metadata {
    /// Parses the text of `resource_metadata` of a sample's body.
    pub fn read(text: &str) -> Self {
        let fields: Map<String, Value> = json::parse(text.as_bytes()).unwrap_or_default();
        let facts = Facts::find(&fields);
        Metadata { fields, facts }
    }

    /// Returns the value under a key such as `flavor.name`. The key may be a member itself (some
    /// senders flatten their metadata) or a path into nested objects, whose members may contain dots
    /// too. Numbers keep their spelling; booleans are `true` and `false`. `None` if the value is
    /// absent, `null`, `""`, an object or a list.
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        find(&self.fields, key)
    }

    /// Returns the value of the first of these keys that has one.
    pub fn first<'a, K: AsRef<str>>(&'a self, keys: &[K]) -> Option<Cow<'a, str>> {
        first(&self.fields, keys)
    }

    /// Returns when the resource was deleted, if the metadata contains it.
    pub(super) fn deleted_at(&self) -> Option<Timestamp> {
        self.facts.deleted_at
    }

    /// Whether it reports that the resource was deleted, by its state or by the notification's type.
    pub(super) fn reports_deletion(&self) -> bool {
        self.facts.reports_deletion
    }

    /// Returns the state in the API's words.
    pub(super) fn status(&self) -> Option<&Word> {
        self.facts.status.as_ref()
    }

    /// Returns the state in the words of `vm_state`.
    pub(super) fn state(&self) -> Option<&Word> {
        self.facts.state.as_ref()
    }

    /// Returns the flavor's name; its id if the metadata contains no name.
    pub(super) fn flavor(&self) -> Option<&str> {
        self.facts.flavor.as_deref()
    }

    /// Whether it contains when the instance was launched.
    pub(super) fn is_launched(&self) -> bool {
        self.facts.is_launched
    }

    /// Returns the name of the host that measured; `""` if the metadata names none. A text column of the
    /// database can contain it.
    pub fn host(&self) -> &str {
        &self.facts.host
    }
}

impl Facts {
    fn find(fields: &Map<String, Value>) -> Self {
        let word = |key| find(fields, key).map(|word| Word::read(&word));
        let (status, state) = (word(STATUS_KEY), word(STATE_KEY));
        let is_deletion =
            |event_type: Cow<'_, str>| DELETION_TYPES.iter().any(|end| event_type.ends_with(end));
        Facts {
            deleted_at: find(fields, DELETED_AT_KEY).and_then(|at| time::parse(&at)),
            reports_deletion: [&status, &state].into_iter().flatten().any(Word::is_deleted)
                || find(fields, EVENT_TYPE_KEY).is_some_and(is_deletion),
            status,
            state,
            flavor: first(fields, &FLAVOR_KEYS).map(Cow::into_owned),
            is_launched: find(fields, LAUNCHED_KEY).is_some(),
            host: first(fields, &HOST_KEYS).map(host_name).unwrap_or_default(),
        }
    }
}

/// Returns a host's name as a text column of the database can contain it.
fn host_name(host: Cow<'_, str>) -> String {
    let end = host.floor_char_boundary(HOST_MAX);
    host[..end].replace('\0', "\u{fffd}")
}

fn first<'a, K: AsRef<str>>(fields: &'a Map<String, Value>, keys: &[K]) -> Option<Cow<'a, str>> {
    keys.iter().find_map(|key| find(fields, key.as_ref()))
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
