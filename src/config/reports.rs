//! The section `[reports]` of the TOML file.

use jiff::SignedDuration;
use serde::Deserialize;

/// How deployments are reported.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// Nothing heard of a deployment that is not done for longer than this: it was abandoned.
    pub abandoned_after: SignedDuration,
}

impl Default for Reports {
    fn default() -> Self {
        Reports { abandoned_after: SignedDuration::from_hours(1) }
    }
}

impl Reports {
    /// What is wrong with the section, beyond what its types say.
    pub(super) fn fault(&self) -> Option<String> {
        let is_silence = self.abandoned_after.is_positive();
        (!is_silence).then(|| {
            "[reports] abandoned_after is not positive; a time like \"90m\" is expected".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    #[test]
    fn a_silence_is_a_time_in_words() {
        let read = |text: &str| text.parse::<File>().map(|file| file.reports.abandoned_after);
        assert_eq!(read("").unwrap(), SignedDuration::from_hours(1));
        let written = |value: &str| format!("[reports]\nabandoned_after = {value}");
        assert_eq!(read(&written("\"90m\"")).unwrap(), SignedDuration::from_mins(90));
        assert_eq!(read(&written("\"PT2H\"")).unwrap(), SignedDuration::from_hours(2));
        for wrong in ["\"0s\"", "\"-1h\"", "\"soon\"", "5", "\"\""] {
            let error = read(&written(wrong)).unwrap_err().to_string();
            assert!(error.contains("abandoned_after"), "{wrong}: {error}");
        }
    }
}
