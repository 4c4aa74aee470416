//! `[reports]` of the TOML file: when a deployment counts as abandoned.

use jiff::SignedDuration;
use serde::Deserialize;

/// `[reports]`: how deployments are reported.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// How long a deployment that is not complete may be silent before it counts as abandoned.
    pub abandoned_after: SignedDuration,
}

impl Default for Reports {
    fn default() -> Self {
        Reports { abandoned_after: SignedDuration::from_hours(1) }
    }
}

impl Reports {
    /// Refuses values that the types accept but the reports do not, with the reason in one clause.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.abandoned_after.is_positive() {
            return Ok(());
        }
        Err("[reports] abandoned_after is not positive; a time like \"90m\" is expected".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_a_duration_in_words() {
        let read = |text: &str| -> Result<SignedDuration, String> {
            let reports: Reports = toml::from_str(text).map_err(|error| error.to_string())?;
            reports.check().map(|()| reports.abandoned_after)
        };
        assert_eq!(read("").unwrap(), SignedDuration::from_hours(1));
        let line = |value: &str| format!("abandoned_after = {value}");
        assert_eq!(read(&line("\"90m\"")).unwrap(), SignedDuration::from_mins(90));
        assert_eq!(read(&line("\"PT2H\"")).unwrap(), SignedDuration::from_hours(2));
        for wrong in ["\"0s\"", "\"-1h\"", "\"soon\"", "5", "\"\""] {
            let error = read(&line(wrong)).unwrap_err();
            assert!(error.contains("abandoned_after"), "{wrong}: {error}");
        }
    }
}
