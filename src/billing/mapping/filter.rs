//! Filters: which readings of a meter a mapping counts, by their metadata.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::billing::metadata::Metadata;

/// Keys of the metadata, each with the values that it may have, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Values>")]
pub struct Filter(BTreeMap<String, Vec<String>>);

/// The value of a key in the file: one value, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(Value),
    Any(Vec<Value>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Whole(i64),
    Truth(bool),
}

impl Filter {
    /// Whether each key of the filter has one of its values in the metadata.
    pub fn passes(&self, metadata: Option<&Metadata>) -> bool {
        self.0.iter().all(|(key, values)| {
            metadata
                .and_then(|metadata| metadata.get(key))
                .is_some_and(|found| values.iter().any(|value| *value == found))
        })
    }

    /// Whether the metadata contains a value for each key of the filter, so that it can be decided whether
    /// it passes.
    pub fn applies(&self, metadata: Option<&Metadata>) -> bool {
        self.0.keys().all(|key| metadata.is_some_and(|metadata| metadata.get(key).is_some()))
    }

    /// Returns a key whose list of values is empty, so that nothing could pass.
    pub(super) fn key_without_values(&self) -> Option<&str> {
        self.0.iter().find(|(_, values)| values.is_empty()).map(|(key, _)| key.as_str())
    }

    /// Whether it has no key, so that everything passes.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, Values>> for Filter {
    fn from(values_by_key: BTreeMap<String, Values>) -> Self {
        let texts = |values| match values {
            Values::One(value) => vec![to_text(value)],
            Values::Any(values) => values.into_iter().map(to_text).collect(),
        };
        Filter(values_by_key.into_iter().map(|(key, values)| (key, texts(values))).collect())
    }
}

fn to_text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        Value::Whole(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filter: &str, metadata: &str) -> bool {
        let filter: Filter = toml::from_str(filter).unwrap();
        filter.passes(Some(&Metadata::read(metadata)))
    }

    #[test]
    fn every_key_must_have_one_of_its_values() {
        let filter = "status = ['active', 'in-use']\n\"flavor.vcpus\" = 2\nbootable = true";
        let metadata = r#"{"status": "in-use", "flavor": {"vcpus": 2}, "bootable": true}"#;
        assert!(passes(filter, metadata));
        assert!(passes(filter, &metadata.replace("true", "\"true\"")));
        assert!(!passes(filter, &metadata.replace("in-use", "In-Use")));
        assert!(!passes(filter, &metadata.replace("2}", "20}")));
        assert!(!passes(filter, &metadata.replace("bootable", "other")));
    }

    #[test]
    fn a_reading_without_metadata_passes_only_an_empty_filter() {
        assert!(Filter::default().passes(None));
        assert!(!toml::from_str::<Filter>("a = 'b'").unwrap().passes(None));
    }
}
