//! Which samples are exported: the configuration's list of filters and the meters they go with.

use serde_json::Value;

use super::sample::Sample;
use crate::config::SampleFilter;

/// The list of filters.
#[derive(Clone, Debug)]
pub struct Selection {
    selects: Vec<SampleFilter>,
}

impl Selection {
    /// A sample that any of them selects is exported; without any, every sample.
    pub fn new(selects: Vec<SampleFilter>) -> Self {
        Selection { selects }
    }

    /// Whether it has to be known what metadata say.
    pub(super) fn asks_for_metadata(&self) -> bool {
        self.selects.iter().any(|select| !select.metadata.is_empty())
    }

    /// Whether each of the filters is content with these metadata.
    pub(super) fn verdict(&self, metadata: Option<&Value>) -> Verdict {
        let content = |select: &SampleFilter| {
            select.metadata.iter().all(|(path, wanted)| {
                metadata.is_some_and(|metadata| holds(metadata, path, &wanted.0))
            })
        };
        Verdict(self.selects.iter().map(content).collect())
    }

    /// Whether the sample is exported.
    pub(super) fn selects(&self, sample: &Sample, verdict: &Verdict) -> bool {
        let is_of = |list: &Option<Vec<String>>, text: Option<&str>| match list {
            None => true,
            Some(list) => text.is_some_and(|text| list.iter().any(|one| one == text)),
        };
        let is_selected = |(select, content): (&SampleFilter, &bool)| {
            *content
                && is_of(&select.project_id, sample.project_id.as_deref())
                && is_of(&select.resource_id, Some(&sample.resource_id))
                && select.meters.as_ref().is_none_or(|globs| {
                    globs.iter().any(|glob| matches(glob, &sample.counter_name))
                })
        };
        self.selects.is_empty() || self.selects.iter().zip(&verdict.0).any(is_selected)
    }

    /// A text that differs where another selection could select other samples: what the
    /// synchronisation point is kept with.
    pub fn text(&self) -> String {
        let shown = |select: &SampleFilter| {
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
        Value::from_iter(self.selects.iter().map(shown)).to_string()
    }
}

/// What each filter says to one sample's metadata.
#[derive(Clone, Debug)]
pub(super) struct Verdict(Vec<bool>);

/// Whether `path` leads to the value. A name may itself hold dots (`metering.stack`).
fn holds(metadata: &Value, path: &str, wanted: &str) -> bool {
    let Value::Object(members) = metadata else { return false };
    let is_wanted = |value: &Value| match value {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.as_str() == wanted,
        Value::Bool(flag) => flag.to_string() == wanted,
        _ => false,
    };
    members.get(path).is_some_and(is_wanted)
        || path.match_indices('.').any(|(at, _)| {
            members.get(&path[..at]).is_some_and(|below| holds(below, &path[at + 1..], wanted))
        })
}

/// Whether a text is what the glob says: `*` any text, `?` any one character.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    // Where the last star stands, and up to where it reaches for now.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((at, reach)) = star else { return false };
                star = Some((at, reach + 1));
                g = at + 1;
                t = reach + 1;
            }
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        for (path, wanted, is_held) in [
            ("flavor.name", "m1.small", true),
            ("flavor.name", "m1.large", false),
            ("flavor.vcpus", "1", true),
            ("flavor", "m1.small", false),
            ("metering.stack", "s", true),
            ("a.b.c", "true", true),
            ("image", "null", false),
            ("nothing.at.all", "", false),
        ] {
            assert_eq!(holds(&metadata, path, wanted), is_held, "{path}");
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
        /// As a regular expression of the same meaning does it.
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
