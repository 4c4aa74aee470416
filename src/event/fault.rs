//! Faults of payloads.

/// The reason why a payload cannot be used: its first required field that is missing, or field that
/// is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub struct PayloadFault {
    /// The field's path in the body, e.g. `data.instance_id`; `data`, `payload` or `body` if that cannot
    /// be read as a whole.
    pub field: &'static str,
    /// The field's fault.
    pub problem: FieldFault,
}

/// The fault of a field. It is printed after the field's path.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum FieldFault {
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
    pub(super) fn new(field: &'static str, problem: FieldFault) -> Self {
        PayloadFault { field, problem }
    }

    /// Makes a fault of the error that reading `field` gives.
    pub(super) fn unreadable(field: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| PayloadFault::new(field, FieldFault::Unreadable(error))
    }
}
