//! The reasons why there is no order.

use jiff::Timestamp;
use uuid::Uuid;

use crate::billing::order::UnratedService;
use crate::db;
use crate::log::AppendError;
use crate::projection::metering::NotReady;
use crate::projection::metering::read::ReadError;

/// Why an order or a draft cannot be computed or issued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log contains no sample of the tenant.
    #[error("no sample of the tenant {0:?} is known")]
    UnknownTenant(String),
    /// The tenant's time up to the requested end is billed already.
    #[error(
        "the tenant's orders reach up to {billed_to} already, by the order {order_id}: the end of a \
         new one has to be later"
    )]
    Covered {
        /// The order that covers the requested end.
        order_id: Uuid,
        /// The end of the tenant's last order.
        billed_to: Timestamp,
    },
    /// The tenant has no order yet, and used nothing before the end.
    #[error("the tenant used nothing before {0}: its first order ends later")]
    NothingUsed(Timestamp),
    /// The last samples of the time may still be on their way.
    #[error(
        "samples may still be on their way: the order can be issued from {0} on, or at once with \
         \"force\": true"
    )]
    Settling(Timestamp),
    /// Services were used that have no rate.
    #[error(
        "there is no rate for what was used: {}; a draft shows it under \"unrated\"",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Unrated(Vec<UnratedService>),
    /// The request may succeed later. The text names the cause.
    #[error("{0}")]
    NotYet(String),
    /// The database does not answer, or refuses a statement.
    #[error("{}", db::explain(.0))]
    Database(#[from] tokio_postgres::Error),
    /// The log did not accept the order.
    #[error("{0}")]
    Append(#[from] AppendError),
    /// A defect of the program, or rows that it did not write.
    #[error("{0}")]
    Broken(String),
}

impl From<NotReady> for Error {
    fn from(not_ready: NotReady) -> Self {
        match not_ready {
            NotReady::Behind(why) => Error::NotYet(why),
            NotReady::Database(error) => Error::Database(error),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => Error::Database(error),
            ReadError::Defect(_) => Error::broken(error),
        }
    }
}

impl Error {
    /// Returns the error for data of this program that cannot be read or written.
    pub(super) fn broken(cause: impl std::fmt::Display) -> Self {
        Error::Broken(cause.to_string())
    }
}
