//! The selection of samples to export: the configuration's list of filters.

use serde_json::Value;
use wildmatch::WildMatch;

use super::sample::Sample;
use crate::config::SampleFilter;

/// A list of filters. A sample is exported if any of them selects it, or if there are none.
#[derive(Clone, Debug)]
pub struct Selection {
    filters: Vec<Filter>,
}

/// A filter of the configuration, with its globs ready to match.
#[derive(Clone, Debug)]
struct Filter {
    select: SampleFilter,
    /// `*` is any text, `?` any one character; `None` selects every meter.
    meters: Option<Vec<WildMatch>>,
}

impl Selection {
    /// Creates a selection from the configuration's filters.
    pub fn new(selects: Vec<SampleFilter>) -> Self {
        let filter = |select: SampleFilter| {
            let globs =
                |globs: &Vec<String>| globs.iter().map(|glob| WildMatch::new(glob)).collect();
            Filter { meters: select.meters.as_ref().map(globs), select }
        };
        Selection { filters: selects.into_iter().map(filter).collect() }
    }

    /// Whether a filter compares metadata.
    pub(super) fn needs_metadata(&self) -> bool {
        self.filters.iter().any(|filter| !filter.select.metadata.is_empty())
    }

    /// Compares metadata with each of the filters.
    pub(super) fn judge(&self, metadata: Option<&Value>) -> Verdict {
        let matches = |filter: &Filter| {
            filter.select.metadata.iter().all(|(path, wanted)| {
                metadata.is_some_and(|metadata| has_value(metadata, path, &wanted.0))
            })
        };
        Verdict(self.filters.iter().map(matches).collect())
    }

    /// Whether the sample is exported.
    pub(super) fn selects(&self, sample: &Sample, verdict: &Verdict) -> bool {
        let contains = |list: &Option<Vec<String>>, text: Option<&str>| match list {
            None => true,
            Some(list) => text.is_some_and(|text| list.iter().any(|listed| listed == text)),
        };
        let is_selected = |(filter, has_metadata): (&Filter, &bool)| {
            *has_metadata
                && contains(&filter.select.project_id, sample.project_id.as_deref())
                && contains(&filter.select.resource_id, Some(&sample.resource_id))
                && filter
                    .meters
                    .as_ref()
                    .is_none_or(|globs| globs.iter().any(|glob| glob.matches(&sample.counter_name)))
        };
        self.filters.is_empty() || self.filters.iter().zip(&verdict.0).any(is_selected)
    }

    /// Returns the filters as text. It differs for selections that could select different samples, and is
    /// stored with the synchronisation point.
    pub fn text(&self) -> String {
        let to_json = |Filter { select, .. }: &Filter| {
            let metadata: serde_json::Map<String, Value> = select
                .metadata
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.0.as_str())))
                .collect();
            serde_json::json!({
                "project_id": select.project_id, "resource_id": select.resource_id,
                "metadata": metadata, "meters": select.meters,
            })
        };
        Value::from_iter(self.filters.iter().map(to_json)).to_string()
    }
}

/// Whether one sample's metadata match each of the filters.
#[derive(Clone, Debug)]
pub(super) struct Verdict(Vec<bool>);

/// Whether the value at `path` is the wanted one. A dot leads into an object, or is part of a name
/// (`metering.stack`).
fn has_value(metadata: &Value, path: &str, wanted: &str) -> bool {
    let Value::Object(members) = metadata else { return false };
    let is_wanted = |value: &Value| match value {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.as_str() == wanted,
        Value::Bool(flag) => flag.to_string() == wanted,
        _ => false,
    };
    members.get(path).is_some_and(is_wanted)
        || path.match_indices('.').any(|(at, _)| {
            members.get(&path[..at]).is_some_and(|below| has_value(below, &path[at + 1..], wanted))
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(glob: &str, text: &str) -> bool {
        WildMatch::new(glob).matches(text)
    }

    #[test]
    fn globs() {
        for (glob, text, is_match) in [
            ("cpu", "cpu", true),
            ("cpu", "cpu_util", false),
            ("disk.*", "disk.read.bytes", true),
            ("disk.*", "disk", false),
            ("disk.*", "diskXread", false),
            ("*.bytes", "disk.read.bytes", true),
            ("*a*a*", "banan", true),
            ("*a*a*", "bann", false),
            ("c?u", "cpu", true),
            ("c?u", "cu", false),
            ("?", "ž", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**", "a", true),
            ("[a-z]{1}", "[a-z]{1}", true),
            ("[a-z]", "a", false),
            ("\\*", "\\a", true),
            ("a/*", "a/b/c", true),
        ] {
            assert_eq!(matches(glob, text), is_match, "{glob} {text}");
        }
    }

    #[test]
    fn metadata_are_found_by_name_and_by_path() {
        let metadata = serde_json::json!({
            "flavor": {"name": "m1.small", "vcpus": 1}, "metering.stack": "s", "a.b": {"c": true},
            "image": null,
        });
        for (path, wanted, is_there) in [
            ("flavor.name", "m1.small", true),
            ("flavor.name", "m1.large", false),
            ("flavor.vcpus", "1", true),
            ("flavor", "m1.small", false),
            ("metering.stack", "s", true),
            ("a.b.c", "true", true),
            ("image", "null", false),
            ("nothing.at.all", "", false),
        ] {
            assert_eq!(has_value(&metadata, path, wanted), is_there, "{path}");
        }
    }

    #[test]
    fn another_selection_has_another_text() {
        let texts: std::collections::BTreeSet<String> = [
            vec![],
            vec![SampleFilter::default()],
            vec![SampleFilter { meters: Some(vec!["a".into()]), ..SampleFilter::default() }],
            vec![SampleFilter { project_id: Some(vec!["a".into()]), ..SampleFilter::default() }],
            vec![SampleFilter { resource_id: Some(vec!["a".into()]), ..SampleFilter::default() }],
            vec![SampleFilter {
                project_id: Some(vec!["a".into(), "b".into()]),
                ..SampleFilter::default()
            }],
        ]
        .into_iter()
        .map(|selects| Selection::new(selects).text())
        .collect();
        assert_eq!(texts.len(), 6);
    }

    proptest! {
        /// A glob matches the texts that it was made from.
        #[test]
        fn a_glob_matches_what_it_is_made_of(parts in proptest::collection::vec("[ab.]{0,3}", 1..4), fill in "[ab.]{0,3}") {
            prop_assert!(matches(&parts.join("*"), &parts.join(&fill)));
            prop_assert_eq!(matches(&parts.join("?"), &parts.join(&fill)), parts.len() == 1 || naive(&parts.join("?"), &parts.join(&fill)));
        }
    }

    fn naive(glob: &str, text: &str) -> bool {
        glob.len() == text.len() && glob.bytes().zip(text.bytes()).all(|(g, t)| g == b'?' || g == t)
    }
}
