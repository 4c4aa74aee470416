//! How far exports have got, noted in our own database: for `status` and `/metrics`, which know
//! nothing of targets.

use jiff::Timestamp;
use tokio_postgres::{Client, GenericClient};

use super::Job;

/// How far one table has got.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The database, without its password.
    pub target: String,
    /// The table there.
    pub table: String,
    /// Everything up to this position is there.
    pub position: i64,
    /// Positions of the log that are not.
    pub lag_events: i64,
    /// When the position was noted last; `None` while there is none.
    pub moved_at: Option<Timestamp>,
    /// Why it does not move; `None` while nothing is known that hinders it.
    pub error: Option<String>,
}

/// All that were ever exported to, in order of their names.
///
/// # Errors
///
/// When the database is away.
pub async fn all(client: &impl GenericClient) -> Result<Vec<Progress>, tokio_postgres::Error> {
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

/// Notes the position, and that nothing hinders it.
pub(super) async fn note(
    client: &Client,
    job: &Job,
    position: i64,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "-- export::note
             INSERT INTO projection.export (target, table_name, position, moved_at)
             VALUES ($1, $2, $3, now())
             ON CONFLICT (target, table_name) DO UPDATE
             SET position = excluded.position, moved_at = excluded.moved_at, error = NULL",
            &[&job.address.to_string(), &job.table, &position],
        )
        .await?;
    Ok(())
}

/// Notes what hinders it, over a connection of its own: the other may be what failed. Where even
/// that fails, the log has said it.
pub(super) async fn note_error(job: &Job, error: &str) {
    let Ok(client) = job.database.connect(None).await else { return };
    let _ = client
        .execute(
            "-- export::note_error
             INSERT INTO projection.export (target, table_name, error) VALUES ($1, $2, $3)
             ON CONFLICT (target, table_name) DO UPDATE SET error = excluded.error",
            &[&job.address.to_string(), &job.table, &error],
        )
        .await;
}
