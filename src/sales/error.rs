//! Why there is no order.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db;
use crate::log::AppendError;
use crate::projection::metering::Unread;

/// Why an order or a draft cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody has told a sample of the tenant.
    #[error("no sample of the tenant {0:?} is known")]
    UnknownTenant(String),
    /// The tenant's time up to the end is billed already.
    #[error(
        "the tenant's orders reach up to {billed_to} already, by the order {order_id}: the end of a \
         new one has to be later"
    )]
    Covered {
        /// The order that covers the end.
        order_id: Uuid,
        /// The end of the tenant's last one.
        billed_to: Timestamp,
    },
    /// The tenant has no order yet, and used nothing before the end.
    #[error("the tenant used nothing before {0}: its first order ends later")]
    NothingUsed(Timestamp),
    /// The last samples may still be on their way.
    #[error(
        "samples may still be on their way: the order can be had from {0} on, or at once with \
         \"force\": true"
    )]
    Settling(Timestamp),
    /// Something was used that has no rate.
    #[error(
        "there is no rate for what was used: {}; a draft shows it under \"unrated\"", .0.join(", ")
    )]
    Unrated(Vec<String>),
    /// Later it will do.
    #[error("{0}")]
    NotYet(String),
    /// The database is away, or refuses.
    #[error("{}", db::explain(.0))]
    Database(#[from] tokio_postgres::Error),
    /// The log did not take the order.
    #[error("{0}")]
    Append(#[from] AppendError),
    /// A defect of ours, or rows that are not ours.
    #[error("{0}")]
    Broken(String),
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::NotYet(why) => Error::NotYet(why),
            Unread::Database(error) => Error::Database(error),
        }
    }
}

impl Error {
    /// What cannot be read or written that this program wrote or reads.
    pub(super) fn broken(what: impl std::fmt::Display) -> Self {
        Error::Broken(what.to_string())
    }
}
