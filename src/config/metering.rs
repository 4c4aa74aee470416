//! `[metering]` of the TOML file: the sources whose samples are trusted.

use regex_lite::Regex;
use serde::Deserialize;

/// `[metering]`: which samples are trusted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Metering {
    /// Sources whose samples are used for billing, as users can post samples of their own. `None`: all
    /// sources.
    pub trust_sources: Option<Vec<Pattern>>,
}

impl Metering {
    /// Whether samples of that source are trusted. A sample without a source is trusted only if all are.
    pub fn trusts(&self, source: Option<&str>) -> bool {
        self.trust_sources.as_ref().is_none_or(|patterns| {
            source.is_some_and(|source| patterns.iter().any(|pattern| pattern.matches(source)))
        })
    }
}

/// A regular expression that has to match a whole text.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// The expression, as in the file.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the expression matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// A text is not a regular expression.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a regular expression: {cause}")]
pub struct PatternError {
    text: String,
    cause: regex_lite::Error,
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        // Parsed without the anchors first: `a)(b` is valid only between them.
        match Regex::new(&text).and_then(|_| Regex::new(&format!("^(?:{text})$"))) {
            Ok(regex) => Ok(Pattern { text, regex }),
            Err(cause) => Err(PatternError { text, cause }),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    fn metering(text: &str) -> Result<Metering, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn all_sources_are_trusted_unless_some_are_named() {
        let metering = metering("").unwrap();
        assert!(metering.trusts(Some("anything")) && metering.trusts(None));
    }

    #[test]
    fn patterns_are_anchored_at_both_ends() {
        let metering = metering("trust_sources = ['openstack', 'region-(a|b)|c']").unwrap();
        for source in ["openstack", "region-a", "region-b", "c"] {
            assert!(metering.trusts(Some(source)), "{source}");
        }
        for source in ["openstack2", "my-openstack", "region-", "region-ac", "", "openstack\n"] {
            assert!(!metering.trusts(Some(source)), "{source:?}");
        }
        assert!(!metering.trusts(None));
    }

    #[test]
    fn nobody_is_trusted_by_an_empty_list() {
        let metering = metering("trust_sources = []").unwrap();
        assert!(!metering.trusts(Some("openstack")) && !metering.trusts(None));
    }

    #[test]
    fn a_text_that_is_not_a_regular_expression_is_refused_and_named() {
        for wrong in ["a)(b", "(", "*", "[a"] {
            let error = metering(&format!("trust_sources = ['openstack', '{wrong}']")).unwrap_err();
            assert!(error.contains(&format!("{wrong:?} is not a regular expression")), "{error}");
            assert!(error.contains("trust_sources"), "{error}");
        }
        assert!(metering("trust = []").unwrap_err().contains("trust"));
    }
}
