//! Opening the read model that orders are computed from.

use std::time::Duration;

use super::Error;
use crate::config::File;
use crate::db::Database;
use crate::projection::metering::Reader;

/// How long a request waits for the read model to apply the log.
const APPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a statement may take: as long as a client waits for the order of a large tenant.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);

/// Opens a reader of usage and samples, once everything that is in the log now is in them.
pub(super) async fn open_reader(database: &Database, file: &File) -> Result<Reader, Error> {
    let reader = Reader::open(database, STATEMENT_TIMEOUT).await?;
    reader.wait_until_applied(file, APPLY_TIMEOUT).await?;
    Ok(reader)
}
