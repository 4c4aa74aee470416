//! The outcomes of appending a batch.

use jiff::Timestamp;

use super::horizon::Horizons;
use super::leaf::Leaf;
use crate::db;
use crate::event::Family;

/// The reason why nothing of a batch was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The database is away, overloaded or out of some resource: a later attempt can succeed.
    #[error("the database cannot store the batch now: {}", db::explain(.0))]
    Transient(#[source] tokio_postgres::Error),
    /// The database refuses a value of one of the events (SQLSTATE class 22), now and at every later attempt.
    #[error("the database refuses a value: {}", db::explain(.0))]
    BadData(#[source] tokio_postgres::Error),
    /// Any other error: a defect of ours, or a schema that is not ours. Nothing is acked.
    #[error("the log refused the batch: {}", db::explain(.0))]
    Refused(#[source] tokio_postgres::Error),
    /// Another order already covers some of the time that a new order claims.
    #[error("another sales order already covers some of that time")]
    Claimed,
    /// A reader has not read the event at this position, which the horizon would pass.
    #[error("the event at position {0} has not been read by every reader yet")]
    UnreadEvent(i64),
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

/// The reason why the log stores an event as a dead letter, at every attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The database refuses one of its values.
    #[error("the database refuses one of its values")]
    Value,
    /// Its time lies before its family's horizon.
    #[error("before_horizon: events of {family} before {horizon} are not accepted any more")]
    BeforeHorizon {
        /// The event's family.
        family: Family,
        /// The family's horizon.
        horizon: Timestamp,
    },
    /// Another CloudEvent has its source and id.
    #[error("another_body: {}", name_other(*position))]
    OtherBody {
        /// The position of the other one; `None` if that is in the same batch.
        position: Option<i64>,
    },
}

fn name_other(position: Option<i64>) -> String {
    let place = match position {
        Some(position) => format!("at position {position}"),
        None => "sent right before it".to_owned(),
    };
    format!("its source and id are those of the event {place}, which says something else")
}

impl Refusal {
    /// Returns the reason why events of that leaf are refused; `None` if they are accepted.
    pub(super) fn of_leaf(horizons: Horizons, leaf: Leaf) -> Option<Refusal> {
        let horizon = horizons.of(leaf.family).filter(|_| horizons.have_passed(leaf))?;
        Some(Refusal::BeforeHorizon { family: leaf.family, horizon })
    }
}

/// The outcome of appending a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutcome {
    /// The log's last position after it.
    pub head: i64,
    /// Number of events that were new.
    pub events: usize,
    /// Number of events that were in the log already, or twice in the batch.
    pub duplicates: usize,
    /// Number of dead letters that were new.
    pub dead_letters: u64,
    /// For each event of the batch, in its order, whether it was new.
    pub is_new: Vec<bool>,
    /// For each event of the batch, in its order, why it was stored as a dead letter, if it was.
    pub refused: Vec<Option<Refusal>>,
}
