//! Values of any type, read in the same pass as the object around them.

use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The object under a key, the last one if the key is there more than once. A value that is not an
/// object counts as an object without keys.
pub(super) struct NestedObject<T>(Option<Box<T>>);

impl<T> NestedObject<T> {
    /// Takes a value of the key.
    pub fn put(&mut self, value: NestedObject<T>) {
        *self = value;
    }

    /// Whether the key is present, whatever its value.
    pub fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// The object, if the key is present.
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T: Default> NestedObject<T> {
    /// The object; one without keys if the key is absent.
    pub fn into_object(self) -> T {
        self.0.map_or_else(T::default, |object| *object)
    }
}

impl<T> Default for NestedObject<T> {
    fn default() -> Self {
        NestedObject(None)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for NestedObject<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let LenientObject(object) = LenientObject::deserialize(from)?;
        Ok(NestedObject(Some(Box::new(object))))
    }
}

/// A type that is made from an object or a list, in the pass that reads it. Any other value gives
/// the default.
pub(super) trait FromAnyValue<'de>: Default {
    /// Reads an object.
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;

    /// Reads a list; without an implementation it is skipped.
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads a JSON value of any type.
pub(super) fn deserialize_any_value<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromAnyValue<'de>,
{
    from.deserialize_any(AnyValueVisitor(PhantomData))
}

/// An object, or one without keys in place of any other value. Elements of lists are read as this.
#[derive(Default)]
pub(super) struct LenientObject<T>(pub T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for LenientObject<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize_any_value(from)
    }
}

impl<'de, T: Deserialize<'de> + Default> FromAnyValue<'de> for LenientObject<T> {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(LenientObject)
    }
}

/// Passes objects and lists to [`FromAnyValue`]. serde_json gives a number as an object too, because
/// it keeps all digits: its only key is one that nobody reads, so it also becomes the default.
struct AnyValueVisitor<T>(PhantomData<T>);

impl<'de, T: FromAnyValue<'de>> Visitor<'de> for AnyValueVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::from_list(list)
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::fields::{Value, raw_object};
    use super::*;

    raw_object! { Sample { name: Value = "a.name", } }

    #[test]
    fn nested_objects_are_read_in_one_pass_and_other_values_do_no_harm() {
        type Inner<'a> = NestedObject<Sample<'a>>;
        raw_object! { Outer { inner: Inner = "inner", after: Value = "after", } }
        let read = |inner: &str| {
            let text = format!(r#"{{"inner": {inner}, "after": 1}}"#);
            let outer: Outer = serde_json::from_str(&text).unwrap();
            assert_eq!(outer.after.id().as_deref(), Some("1"), "{inner}");
            assert!(outer.inner.is_present(), "{inner}");
            outer.inner.into_object().name.text().map(Cow::into_owned)
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
        assert!(twice.inner.into_object().name.text().is_none());
        assert!(!Outer::default().inner.is_present());
    }
}
