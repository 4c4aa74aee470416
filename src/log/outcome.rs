//! What can become of a batch that is to be appended.

use jiff::Timestamp;

use super::horizon::Horizons;
use super::leaf::Leaf;
use crate::db;
use crate::event::Family;

/// Why nothing of a batch was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The database is away, overloaded or out of some resource: later it will succeed.
    #[error("the database does not take the batch now: {}", db::explain(.0))]
    Transient(#[source] tokio_postgres::Error),
    /// The database refuses a value of one of the events (SQLSTATE class 22): it always will.
    #[error("the database refuses a value: {}", db::explain(.0))]
    BadData(#[source] tokio_postgres::Error),
    /// Anything else is a defect of ours, or the schema is not ours. Nothing is acked.
    #[error("the log refused the batch: {}", db::explain(.0))]
    Refused(#[source] tokio_postgres::Error),
    /// Another order has the time, or some of it, that an order was to cover.
    #[error("another sales order covers the time already")]
    Claimed,
    /// What a horizon was to pass is still to be read, at this position.
    #[error("the event at position {0} is still to be read")]
    Unread(i64),
}

impl From<tokio_postgres::Error> for AppendError {
    fn from(error: tokio_postgres::Error) -> Self {
        if db::is_transient(&error) {
            AppendError::Transient(error)
        } else if error.code().is_some_and(|state| state.code().starts_with("22")) {
            AppendError::BadData(error)
        } else {
            AppendError::Refused(error)
        }
    }
}

/// Why an event is a dead letter instead, however often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The database refuses a value of it.
    #[error("the database refuses a value of it")]
    Value,
    /// Its time lies before its family's horizon.
    #[error("before_horizon: of {family}, what is before {horizon} is not accepted any more")]
    BeforeHorizon {
        /// Its family.
        family: Family,
        /// The horizon.
        horizon: Timestamp,
    },
}

impl Refusal {
    /// Why nothing of that leaf is accepted; `None` where it is.
    pub(super) fn of_leaf(horizons: Horizons, leaf: Leaf) -> Option<Refusal> {
        let horizon = horizons.of(leaf.family).filter(|_| horizons.are_past(leaf))?;
        Some(Refusal::BeforeHorizon { family: leaf.family, horizon })
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The log's last position after it.
    pub head: i64,
    /// Events that were new.
    pub events: usize,
    /// Events that were in the log already, or twice in the batch.
    pub duplicates: usize,
    /// Dead letters that were new.
    pub dead_letters: u64,
    /// For each event of the batch, in its order, whether it was new.
    pub is_new: Vec<bool>,
    /// For each event of the batch, in its order, why it is a dead letter instead, if it is one.
    pub refused: Vec<Option<Refusal>>,
}
