//! The problems that clients get for errors of other modules.

use crate::http::Problem;
use crate::projection::metering::NotReady;
use crate::projection::metering::read::ReadError;
use crate::sales::Error;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::UnknownTenant(_) => {
                Problem { parameter: Some("tenant".to_owned()), ..Problem::not_found(detail) }
            }
            Error::Covered { order_id, .. } => {
                Problem { order_id: Some(order_id), ..Problem::conflict(detail) }
            }
            Error::NothingUsed(_) | Error::Settling(_) | Error::Unrated(_) => {
                Problem::conflict(detail)
            }
            Error::NotYet(_) => Problem::unavailable(detail),
            Error::Database(error) => error.into(),
            Error::Append(crate::log::AppendError::Transient(error)) => error.into(),
            Error::Append(_) | Error::Broken(_) => {
                tracing::error!(error = detail, "issuing a sales order failed");
                Problem::internal()
            }
        }
    }
}

impl From<NotReady> for Problem {
    fn from(not_ready: NotReady) -> Self {
        match not_ready {
            NotReady::Behind(why) => Problem::unavailable(why),
            NotReady::Database(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            ReadError::Defect(_) => {
                tracing::error!("{error}");
                Problem::internal()
            }
        }
    }
}
