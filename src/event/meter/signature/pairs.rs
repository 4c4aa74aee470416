//! An object as a list of names and values, each value as text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The names and values of an object in the order of the text. Of equal names the last value counts, as
/// in Python.
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Pairs<'a> {
    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    /// The pairs sorted by name, by code point, which is also the order of UTF-8's bytes.
    pub fn by_name(&self) -> Vec<(&str, &'a RawValue)> {
        self.places().into_iter().map(|(name, place)| (name, self.0[place].1)).collect()
    }

    /// The pairs in the order of the text.
    pub fn as_sent(&self) -> Vec<(&str, &'a RawValue)> {
        let mut places = self.places();
        places.sort_unstable_by_key(|(_, place)| *place);
        places.into_iter().map(|(name, place)| (name, self.0[place].1)).collect()
    }

    /// Every name once, sorted, with the index of its value.
    fn places(&self) -> Vec<(&str, usize)> {
        let mut places: Vec<(&str, usize)> =
            self.0.iter().enumerate().map(|(place, (name, _))| (&**name, place)).collect();
        places.sort_unstable_by(|(a, first), (b, second)| a.cmp(b).then(second.cmp(first)));
        places.dedup_by_key(|(name, _)| *name);
        places
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Object)
    }
}
