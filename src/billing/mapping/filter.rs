//! Which readings a mapping is about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::billing::metadata::Metadata;

/// Keys of the metadata, and the values of which each must have one, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Values>")]
pub struct Filter(BTreeMap<String, Vec<String>>);

/// One value, or several, as they may stand in the file.
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
    /// Whether the metadata is of what the filter asks for.
    pub fn passes(&self, metadata: Option<&Metadata>) -> bool {
        self.0.iter().all(|(key, values)| {
            metadata
                .and_then(|metadata| metadata.get(key))
                .is_some_and(|said| values.iter().any(|value| *value == said))
        })
    }

    /// A key without any value that it could have.
    pub(super) fn without_values(&self) -> Option<&str> {
        self.0.iter().find(|(_, values)| values.is_empty()).map(|(key, _)| key.as_str())
    }

    /// Whether it lets everything pass.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, Values>> for Filter {
    fn from(written: BTreeMap<String, Values>) -> Self {
        let texts = |values| match values {
            Values::One(value) => vec![text(value)],
            Values::Any(values) => values.into_iter().map(text).collect(),
        };
        Filter(written.into_iter().map(|(key, values)| (key, texts(values))).collect())
    }
}

fn text(value: Value) -> String {
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
    fn no_metadata_passes_only_where_nothing_is_asked() {
        assert!(Filter::default().passes(None));
        assert!(!toml::from_str::<Filter>("a = 'b'").unwrap().passes(None));
    }
}
