//! The error of a wrong setting.

/// A wrong value: which setting, the given value, and which values are accepted.
#[derive(Debug, thiserror::Error)]
#[error("{name}{given}: {accepted}")]
pub struct ConfigError {
    name: &'static str,
    given: String,
    accepted: String,
}

impl ConfigError {
    /// The variable, option or key `name` has a value that is not accepted. `given` is displayed, so
    /// it must not contain secrets.
    pub(crate) fn new(
        name: &'static str,
        given: impl std::fmt::Display,
        accepted: impl Into<String>,
    ) -> Self {
        ConfigError { name, given: format!("={given}"), accepted: accepted.into() }
    }

    /// A variable without a default is not set.
    pub(crate) fn not_set(name: &'static str, accepted: impl Into<String>) -> Self {
        ConfigError { name, given: " is not set".to_owned(), accepted: accepted.into() }
    }
}
