//! The progress of exports, recorded in our own database: for `status` and `/metrics`, which cannot ask the
//! targets.

use jiff::Timestamp;
use tokio_postgres::{Client, GenericClient};

use super::Job;

/// The progress of one table.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The database, without its password.
    pub target: String,
    /// The table there.
    pub table: String,
    /// The position up to which the table is complete.
    pub position: i64,
    /// Positions of the log after it.
    pub lag_events: i64,
    /// The time when the position was last recorded; `None` before the first time.
    pub moved_at: Option<Timestamp>,
    /// The reason why the position does not move, if one is known.
    pub error: Option<String>,
}

/// Returns every table that was ever exported to, in order of target and table.
///
/// # Errors
///
/// When the database does not answer.
pub async fn load(client: &impl GenericClient) -> Result<Vec<Progress>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- export::progress
             SELECT e.target, e.table_name, e.position, e.moved_at, e.error,
                    greatest(h.position - e.position, 0) AS lag_events
             FROM projection.export AS e, log.head AS h ORDER BY e.target, e.table_name",
            &[],
        )
        .await?;
    let progress = |row: &tokio_postgres::Row| Progress {
        target: row.get("target"),
        table: row.get("table_name"),
        position: row.get("position"),
        lag_events: row.get("lag_events"),
        moved_at: row.get("moved_at"),
        error: row.get("error"),
    };
    Ok(rows.iter().map(progress).collect())
}

/// Records the position, and that no error stops it.
pub(super) async fn record(
    client: &Client,
    job: &Job,
    position: i64,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "-- export::record
             INSERT INTO projection.export (target, table_name, position, moved_at)
             VALUES ($1, $2, $3, now())
             ON CONFLICT (target, table_name) DO UPDATE
             SET position = excluded.position, moved_at = excluded.moved_at, error = NULL",
            &[&job.address.to_string(), &job.table, &position],
        )
        .await?;
    Ok(())
}

/// Records the error that stops an export, over a connection of its own, because the other may be the one
/// that failed. If recording fails as well, the process's log still has the error.
pub(super) async fn record_error(job: &Job, error: &str) {
    let Ok(client) = job.database.connect(None).await else { return };
    let _ = client
        .execute(
            "-- export::record_error
             INSERT INTO projection.export (target, table_name, error) VALUES ($1, $2, $3)
             ON CONFLICT (target, table_name) DO UPDATE SET error = excluded.error",
            &[&job.address.to_string(), &job.table, &error],
        )
        .await;
}
