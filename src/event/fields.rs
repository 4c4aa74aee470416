//! Objects read in one pass: the wanted keys as they stand in the text, everything else skipped.
//!
//! OpenStack's types drift: a number may come where a text belongs, a key twice, `null` anywhere.
//! So nothing is typed while it is read. A struct of [`raw_object`] borrows each wanted value's
//! text, and [`text`] and [`id`] say later what is in it. Skipping does not recurse, so nesting
//! does no harm, and nothing is allocated.

use std::borrow::Cow;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{PayloadFault, Problem, json, time};

/// Defines a struct of values that are borrowed from a JSON object by key. Keys that are not there
/// stay empty, unknown ones are skipped, of equal ones the last wins, as in Python; what is no
/// object at all is an error.
macro_rules! raw_object {
    (
        $(#[$about:meta])*
        $name:ident { $($(#[$note:meta])* $field:ident: $slot:ident = $key:tt,)* }
    ) => {
        $(#[$about])*
        #[derive(Default)]
        pub(in crate::event) struct $name<'a> {
            $($(#[$note])* pub $field: $slot<'a>,)*
            /// How many keys the object has.
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

/// The value of one key: the last one, where the key comes more than once.
#[derive(Clone, Copy, Default)]
pub(super) struct Value<'a>(Option<&'a RawValue>);

impl<'a> Value<'a> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: &'a RawValue) {
        self.0 = Some(value);
    }

    /// The value, if it holds something (see [`holds`]).
    pub fn get(self) -> Option<&'a RawValue> {
        self.0.filter(|raw| holds(raw.get()))
    }

    /// Whether the key is there, whatever its value.
    pub fn is_there(self) -> bool {
        self.0.is_some()
    }

    /// The value as it stands, `null` included.
    pub fn raw(self) -> Option<&'a RawValue> {
        self.0
    }

    /// The string it holds, see [`text`].
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.0.and_then(text)
    }

    /// The string or number it holds, see [`id`].
    pub fn id(self) -> Option<Cow<'a, str>> {
        self.0.and_then(id)
    }

    /// The [`id`](Self::id) of a required field.
    ///
    /// # Errors
    ///
    /// When it is missing, `null` or empty, or is neither a string nor a number.
    pub fn required(self, field: &'static str) -> Result<String, PayloadFault> {
        self.optional(field)?.ok_or(PayloadFault::new(field, Problem::Missing))
    }

    /// The [`id`](Self::id) of an optional field; `None` if it is missing, `null` or empty.
    ///
    /// # Errors
    ///
    /// When it is neither a string nor a number.
    pub fn optional(self, field: &'static str) -> Result<Option<String>, PayloadFault> {
        match self.id() {
            None if !matches!(self.0.map(RawValue::get), None | Some("null" | "\"\"")) => {
                Err(PayloadFault::new(field, Problem::NotAString))
            }
            text => Ok(text.map(Cow::into_owned)),
        }
    }

    /// The time it holds, see [`time::parse`].
    pub fn time(self) -> Option<Timestamp> {
        time::parse(&self.text()?)
    }

    /// The object it holds; one without keys if it holds anything else.
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

/// The object a key holds, read in the same pass as what it stands in; one without keys if it holds
/// anything else. The last one, where the key comes more than once.
pub(super) struct Nested<T>(Option<Box<T>>);

impl<T> Nested<T> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: Nested<T>) {
        *self = value;
    }

    /// Whether the key is there, whatever its value.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The object, if the key is there.
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T: Default> Nested<T> {
    /// The object; one without keys if the key is not there.
    pub fn object(self) -> T {
        self.0.map_or_else(T::default, |object| *object)
    }
}

impl<T> Default for Nested<T> {
    fn default() -> Self {
        Nested(None)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Tolerant(object) = Tolerant::deserialize(from)?;
        Ok(Nested(Some(Box::new(object))))
    }
}

/// What is made of any JSON value, in the pass in which it is read; the default of what has no more
/// to say than that it is there.
pub(super) trait OfAny<'de>: Default {
    /// Of an object.
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;

    /// Of a list.
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads any JSON value.
pub(super) fn of_any<'de, D: Deserializer<'de>, T: OfAny<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(AnyValue(PhantomData))
}

/// The object that stands in a list, read in the same pass; one without keys if it is anything else.
#[derive(Default)]
pub(super) struct Tolerant<T>(pub T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Tolerant<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        of_any(from)
    }
}

impl<'de, T: Deserialize<'de> + Default> OfAny<'de> for Tolerant<T> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Tolerant)
    }
}

/// Takes an object or a list for what [`OfAny`] makes of it, and anything else for the default.
/// Numbers come as objects of one key that nobody wants, since they are read digit for digit.
struct AnyValue<T>(PhantomData<T>);

impl<'de, T: OfAny<'de>> Visitor<'de> for AnyValue<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
}

/// Every value of a key that holds something, where each of them matters.
#[derive(Default)]
pub(super) struct Values<'a>(pub Vec<&'a RawValue>);

impl<'a> Values<'a> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: &'a RawValue) {
        if holds(value.get()) {
            self.0.push(value);
        }
    }
}

/// Whether the value is something: not `null`, and no empty string, list or object.
pub(super) fn holds(text: &str) -> bool {
    let empty = |open, close| {
        let inside = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|inside: &str| inside.trim_ascii().is_empty())
    };
    !(matches!(text, "null" | "\"\"") || empty('[', ']') || empty('{', '}'))
}

/// The object; one without keys if the value is anything else.
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

/// The string the value holds, as it is. `None` for what is no string.
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inside.contains('\\') {
        return Some(inside.into());
    }
    json::parse::<String>(raw.get().as_bytes()).ok().map(Cow::from)
}

/// The [`string`], with U+FFFD for NUL (which PostgreSQL's texts cannot hold). `None` for the empty
/// one too.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = string(raw).filter(|text| !text.is_empty())?;
    Some(if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text })
}

/// The [`text`], or the number as it is written.
pub(super) fn id(raw: &RawValue) -> Option<Cow<'_, str>> {
    let is_number = raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number { Some(raw.get().into()) } else { text(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;

    raw_object! {
        /// Some keys.
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
        assert!(!sample.other.is_there());
        assert_eq!(sample.secrets.0.iter().map(|raw| raw.get()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(sample.len, 6);
        assert!(serde_json::from_str::<Sample>("[1]").is_err());
    }

    #[test]
    fn what_is_nested_is_read_in_one_pass_and_nothing_else_harms() {
        type Inner<'a> = Nested<Sample<'a>>;
        raw_object! { Outer { inner: Inner = "inner", after: Value = "after", } }
        let read = |inner: &str| {
            let text = format!(r#"{{"inner": {inner}, "after": 1}}"#);
            let outer: Outer = serde_json::from_str(&text).unwrap();
            assert_eq!(outer.after.id().as_deref(), Some("1"), "{inner}");
            assert!(outer.inner.is_there(), "{inner}");
            outer.inner.object().name.text().map(Cow::into_owned)
        };
        assert_eq!(read(r#"{"x": [{}], "a.name": "b"}"#).as_deref(), Some("b"));
        for other in [
            "{}",
            "null",
            "true",
            "5",
            "-5",
            "1.5e400",
            "\"a.name\"",
            "[]",
            r#"[{"a.name": "b"}, 1]"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), None);
        let twice: Outer =
            serde_json::from_str(r#"{"inner": {"a.name": "b"}, "inner": 1}"#).unwrap();
        assert!(twice.inner.object().name.text().is_none());
        assert!(!Outer::default().inner.is_there());
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
    fn nothing_is_held_by_null_and_empty_values() {
        for empty in ["null", "\"\"", "[]", "[ ]", "{}", "{\n}"] {
            assert!(!holds(empty), "{empty}");
        }
        for full in ["false", "0", "\" \"", "[[]]", "{\"a\": 1}"] {
            assert!(holds(full), "{full}");
        }
    }
}
