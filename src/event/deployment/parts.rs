//! Parts of a payload, each read by itself: a part that cannot be read is skipped and counted.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;

use crate::event::fields::{Value, id, string, without_nul};

/// Reads the optional parts of one payload.
#[derive(Default)]
pub(super) struct PartReader {
    /// How many parts could not be read.
    pub skipped: u64,
}

impl PartReader {
    /// Counts a part that could not be read.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Reads an optional text. A value that is neither a string nor a number is skipped.
    pub fn text(&mut self, value: Value<'_>) -> Option<String> {
        let text = value.id().map(Cow::into_owned);
        if text.is_none() && value.get().is_some() {
            self.skip();
        }
        text
    }

    /// Reads a return code. A missing one counts as skipped and is empty.
    pub fn code(&mut self, value: Value<'_>) -> String {
        let code = value.raw().and_then(scalar);
        if code.is_none() {
            self.skip();
        }
        code.unwrap_or_default()
    }

    /// Reads the names of an optional list, each once, in order.
    pub fn names(&mut self, value: Value<'_>) -> Vec<String> {
        let (mut names, mut known) = (Vec::new(), HashSet::new());
        for raw in self.list(value) {
            match id(raw) {
                Some(name) if known.insert(name.clone()) => names.push(name.into_owned()),
                Some(_) => {}
                None => self.skip(),
            }
        }
        names
    }

    /// Reads an optional object of values by name. Empty values are left out, as if they were
    /// absent.
    pub fn values(&mut self, value: Value<'_>) -> BTreeMap<String, String> {
        let Some(raw) = value.get() else { return BTreeMap::new() };
        let Ok(pairs) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()) else {
            self.skip();
            return BTreeMap::new();
        };
        let mut values = BTreeMap::new();
        for (name, raw) in pairs {
            match scalar(raw) {
                Some(value) if !name.is_empty() && !value.is_empty() => {
                    values.insert(without_nul(name.into()).into_owned(), value);
                }
                Some(_) => {}
                None if raw.get() == "null" => {}
                None => self.skip(),
            }
        }
        values
    }

    /// Reads the elements of an optional list.
    pub fn list<'a>(&mut self, value: Value<'a>) -> Vec<&'a RawValue> {
        let Some(raw) = value.get() else { return Vec::new() };
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            self.skip();
            Vec::new()
        })
    }
}

/// Returns a string, a number or a boolean as its text, the empty string included. `None` for every
/// other value.
pub(super) fn scalar(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    let is_plain = matches!(json, "true" | "false")
        || json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_plain {
        return Some(json.to_owned());
    }
    string(raw).map(|text| without_nul(text).into_owned())
}
