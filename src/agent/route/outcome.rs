//! The outcome of sending a batch.

use crate::agent::buffer::Fate;

/// The outcome of sending a batch of events.
#[derive(Debug, Default)]
pub(in crate::agent) struct BatchOutcome {
    /// One fate for each event, in their order. Events without one are kept.
    pub fates: Vec<Fate>,
    /// Why some were kept or refused.
    pub reason: Option<String>,
}
