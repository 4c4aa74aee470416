//! Why a payload cannot be used.

/// The first field of a payload that is missing or wrong, without which the event means nothing.
#[derive(Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub struct PayloadFault {
    /// The field's path in the body, e.g. `data.instance_id`; `data` or `body` where that cannot be
    /// read as a whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum Problem {
    #[error("is missing")]
    Missing,
    #[error("is not a string")]
    NotAString,
    #[error("is neither success nor failure")]
    NotAnOutcome,
    #[error("names no stack")]
    NoStack,
    #[error("contains more than {0} values")]
    TooManyValues(usize),
    #[error("cannot be read: {0}")]
    Unreadable(serde_json::Error),
}

impl PayloadFault {
    /// A fault of this field.
    pub(super) fn new(field: &'static str, problem: Problem) -> Self {
        PayloadFault { field, problem }
    }

    /// Makes a fault of the error that reading `field` gives.
    pub(super) fn unreadable(field: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| PayloadFault::new(field, Problem::Unreadable(error))
    }
}
