//! Objects read in one pass: the named keys as text, every other key skipped.
//!
//! The types of OpenStack's members drift: a number in place of a text, a key twice, `null` anywhere. So
//! nothing is typed while it is read. A struct of [`raw_object`] borrows the text of each value, and
//! [`text`] and [`id`] interpret it later. Skipping does not recurse, so deep nesting does no harm, and
//! nothing is allocated.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{FieldFault, PayloadFault, json, time};

/// Defines a struct of values that are borrowed from a JSON object by key. Absent keys stay empty,
/// unknown keys are skipped, and of equal keys the last wins, as in Python. A value that is not an
/// object is an error.
macro_rules! raw_object {
    (
        $(#[$about:meta])*
        $name:ident { $($(#[$note:meta])* $field:ident: $slot:ident = $key:tt,)* }
    ) => {
        $(#[$about])*
        #[derive(Default)]
        pub(in crate::event) struct $name<'a> {
            $($(#[$note])* pub $field: $slot<'a>,)*
            /// The number of keys in the object.
            pub len: usize,
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(field_identifier)]
                #[expect(non_camel_case_types, reason = "named after the fields")]
                enum Key {
                    $(#[serde(rename = $key)] $field,)*
                    #[serde(other)]
                    Unknown,
                }
                struct Object;
                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $name<'de>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a JSON object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key()? {
                            object.len += 1;
                            match key {
                                $(Key::$field => object.$field.put(map.next_value()?),)*
                                Key::Unknown => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(object)
                    }
                }
                from.deserialize_map(Object)
            }
        }
    };
}
pub(super) use raw_object;

/// The value of a key, the last one if the key is there more than once.
#[derive(Clone, Copy, Default)]
pub(super) struct Value<'a>(Option<&'a RawValue>);

impl<'a> Value<'a> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: &'a RawValue) {
        self.0 = Some(value);
    }

    /// The value, if it is not empty (see [`has_content`]).
    pub fn get(self) -> Option<&'a RawValue> {
        self.0.filter(|raw| has_content(raw.get()))
    }

    /// Whether the key is present, whatever its value.
    pub fn is_present(self) -> bool {
        self.0.is_some()
    }

    /// The value unchanged, `null` included.
    pub fn raw(self) -> Option<&'a RawValue> {
        self.0
    }

    /// The value if it is a string, see [`text`].
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.0.and_then(text)
    }

    /// The value if it is a string or a number, see [`id`].
    pub fn id(self) -> Option<Cow<'a, str>> {
        self.0.and_then(id)
    }

    /// The [`id`](Self::id) of a project or a user; see [`is_written_null`].
    pub fn owner_id(self) -> Option<Cow<'a, str>> {
        self.id().filter(|id| !is_written_null(id))
    }

    /// The [`id`](Self::id) of a required field.
    ///
    /// # Errors
    ///
    /// When it is missing, `null` or empty, or is neither a string nor a number.
    pub fn required(self, field: &'static str) -> Result<String, PayloadFault> {
        self.optional(field)?.ok_or(PayloadFault::new(field, FieldFault::Missing))
    }

    /// The [`id`](Self::id) of an optional field; `None` if it is missing, `null` or empty.
    ///
    /// # Errors
    ///
    /// When it is neither a string nor a number.
    pub fn optional(self, field: &'static str) -> Result<Option<String>, PayloadFault> {
        match self.id() {
            None if !matches!(self.0.map(RawValue::get), None | Some("null" | "\"\"")) => {
                Err(PayloadFault::new(field, FieldFault::NotAString))
            }
            text => Ok(text.map(Cow::into_owned)),
        }
    }

    /// The value if it is a time, see [`time::parse`].
    pub fn time(self) -> Option<Timestamp> {
        time::parse(&self.text()?)
    }

    /// The value if it is an object; else an object without keys.
    ///
    /// # Errors
    ///
    /// When the object cannot be read strictly, e.g. for half a surrogate pair in a key.
    pub fn object<T>(self) -> Result<T, serde_json::Error>
    where
        T: serde::Deserialize<'a> + Default,
    {
        self.0.map_or_else(|| Ok(T::default()), object)
    }
}

/// Every value of a key that is not empty, for keys of which not only the last one matters.
#[derive(Default)]
pub(super) struct Values<'a>(pub Vec<&'a RawValue>);

impl<'a> Values<'a> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: &'a RawValue) {
        if has_content(value.get()) {
            self.0.push(value);
        }
    }
}

/// Whether the value is anything but `null` and the empty string, list or object.
pub(super) fn has_content(text: &str) -> bool {
    let empty = |open, close| {
        let inside = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|inside: &str| inside.trim_ascii().is_empty())
    };
    !(matches!(text, "null" | "\"\"") || empty('[', ']') || empty('{', '}'))
}

/// Reads an object; a value of another type gives one without keys.
///
/// # Errors
///
/// When the object cannot be read strictly.
pub(super) fn object<'a, T>(raw: &'a RawValue) -> Result<T, serde_json::Error>
where
    T: serde::Deserialize<'a> + Default,
{
    if raw.get().starts_with('{') { serde_json::from_str(raw.get()) } else { Ok(T::default()) }
}

/// Returns the first element of a list without reading the rest.
pub(super) fn first_element(list: Value<'_>) -> Option<&RawValue> {
    let elements = list.get()?.get().strip_prefix('[')?;
    serde_json::Deserializer::from_str(elements).into_iter().next()?.ok()
}

/// The value if it is a string, unchanged.
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inside.contains('\\') {
        return Some(inside.into());
    }
    json::parse::<String>(raw.get().as_bytes()).ok().map(Cow::from)
}

/// The value if it is a [`string`] that is not empty, with U+FFFD for NUL, which PostgreSQL's texts
/// cannot contain.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    Some(without_nul(string(raw).filter(|text| !text.is_empty())?))
}

/// Replaces NUL by U+FFFD.
pub(super) fn without_nul(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text }
}

/// Whether a text is Python's or JSON's null as a text: a sender made a text of a value that it did not have.
/// Nothing has this id or name.
pub fn is_written_null(text: &str) -> bool {
    matches!(text, "None" | "null")
}

/// The value if it is a [`text`], or a number as written.
pub(super) fn id(raw: &RawValue) -> Option<Cow<'_, str>> {
    let is_number = raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number { Some(raw.get().into()) } else { text(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;

    raw_object! {
        /// Keys of every kind of slot.
        Sample {
            name: Value = "a.name",
            other: Value = "other",
            secrets: Values = "secret",
        }
    }

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_last_of_equal_keys_wins_and_the_rest_is_skipped() {
        let text = r#"{"a.name": 1, "x": {"other": 2}, "a.name": "b", "secret": [], "secret": 1, "secret": 2}"#;
        let sample: Sample = serde_json::from_str(text).unwrap();
        assert_eq!(sample.name.text().as_deref(), Some("b"));
        assert!(!sample.other.is_present());
        assert_eq!(sample.secrets.0.iter().map(|raw| raw.get()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(sample.len, 6);
        assert!(serde_json::from_str::<Sample>("[1]").is_err());
    }

    #[test]
    fn texts_are_borrowed_unless_escaped() {
        assert!(matches!(text(raw(r#""čau""#)), Some(Cow::Borrowed("čau"))));
        assert_eq!(text(raw(r#""\u010d\u0000\"""#)).as_deref(), Some("č\u{fffd}\""));
        assert_eq!(text(raw(r#""\udc80""#)).as_deref(), Some("\u{fffd}"));
        assert_eq!(text(raw(r#""""#)), None);
        assert_eq!(text(raw("12")), None);
        assert_eq!(id(raw("12")).as_deref(), Some("12"));
        assert_eq!(id(raw("true")), None);
    }

    #[test]
    fn a_null_that_became_a_text_is_no_owner() {
        for (text, owner) in
            [("\"None\"", None), ("\"null\"", None), ("\"\"", None), ("\"p\"", Some("p"))]
        {
            assert_eq!(Value(Some(raw(text))).owner_id().as_deref(), owner, "{text}");
        }
    }

    #[test]
    fn null_and_empty_values_have_no_content() {
        for empty in ["null", "\"\"", "[]", "[ ]", "{}", "{\n}"] {
            assert!(!has_content(empty), "{empty}");
        }
        for full in ["false", "0", "\" \"", "[[]]", "{\"a\": 1}"] {
            assert!(has_content(full), "{full}");
        }
    }
}
