//! `[metering]` of the TOML file: the sources whose samples are trusted, and how far clocks may differ.

use jiff::Timestamp;
use regex_lite::Regex;
use serde::Deserialize;

/// `[metering]`: which samples are trusted, and which are of a wrong clock.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Metering {
    /// Sources whose samples are used for billing, as users can post samples of their own. `None`: all
    /// sources.
    pub trust_sources: Option<Vec<Pattern>>,
    /// How much later than its message a sample may be, in seconds.
    pub clock_ahead_s: u32,
    /// How much earlier than its message a sample may be, in seconds.
    pub clock_behind_s: u32,
}

impl Default for Metering {
    /// A clock of the wrong time zone is hours ahead. A sample is behind its message when a notification waited
    /// in its queue before the sample was made of it.
    fn default() -> Self {
        Metering { trust_sources: None, clock_ahead_s: 86_400, clock_behind_s: 31 * 86_400 }
    }
}

impl Metering {
    /// Returns why a sample of the time `at`, in a message of the time `sent`, is set aside; `None` if it
    /// counts. A message without a time of its own sets none aside.
    pub fn explain_wrong_clock(
        &self,
        at: Timestamp,
        sent: Option<Timestamp>,
    ) -> Option<&'static str> {
        let ahead_us = at.as_microsecond() - sent?.as_microsecond();
        let limit_us = |seconds: u32| i64::from(seconds) * 1_000_000;
        if ahead_us > limit_us(self.clock_ahead_s) {
            Some("its timestamp is too far ahead of its message's")
        } else if -ahead_us > limit_us(self.clock_behind_s) {
            Some("its timestamp is too far behind its message's")
        } else {
            None
        }
    }

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
    fn a_sample_far_from_its_message_is_of_a_wrong_clock() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let sent = Some(at("2026-11-20T10:00:00Z"));
        let (ahead, behind) = (
            Some("its timestamp is too far ahead of its message's"),
            Some("its timestamp is too far behind its message's"),
        );
        for (text, of, expected) in [
            ("", "2026-11-21T10:00:00Z", None),
            ("", "2026-11-21T10:00:00.000001Z", ahead),
            ("", "2026-10-20T10:00:00Z", None),
            ("", "2026-10-20T09:59:59.999999Z", behind),
            ("", "2001-01-01T00:07:00Z", behind),
            ("clock_ahead_s = 0\nclock_behind_s = 60", "2026-11-20T10:00:00.5Z", ahead),
            ("clock_ahead_s = 0\nclock_behind_s = 60", "2026-11-20T09:58:59Z", behind),
            ("clock_behind_s = 4294967295", "2000-01-01T00:00:00Z", None),
        ] {
            let metering = metering(text).unwrap();
            assert_eq!(metering.explain_wrong_clock(at(of), sent), expected, "{text} {of}");
            assert_eq!(metering.explain_wrong_clock(at(of), None), None);
        }
        assert!(metering("clock_ahead_s = -1").is_err());
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
