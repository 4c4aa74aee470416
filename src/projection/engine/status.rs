//! The status of every projection, for `status`, `/v1/projections`, `/readyz` and `/metrics`.

use jiff::Timestamp;
use tokio_postgres::{Client, GenericClient};

use super::Projection;
use super::slot::Slot;
use crate::db;

/// The status of one set of a projection's tables.
#[derive(Clone, Debug)]
pub struct Status {
    /// The projection's name.
    pub name: String,
    /// `running`; `stopped` while no process projects it; `failed` while an error stops it; `replaying` for
    /// the tables that a replay fills.
    pub state: &'static str,
    /// The version of the code that made the rows.
    pub version: i32,
    /// The last position whose event is applied.
    pub checkpoint: i64,
    /// The log's last position.
    pub head: i64,
    /// The number of positions not applied yet.
    pub lag_events: i64,
    /// The age of the oldest append that is not applied, in seconds; 0 if all are.
    pub lag_s: f64,
    /// The number of events that could not be used.
    pub skipped: i64,
    /// The error that stops it.
    pub error: Option<String>,
    /// The last position before the error.
    pub error_at: Option<i64>,
    /// The process that holds it, for people; `None` if none does, or it has not announced itself.
    pub process: Option<String>,
    /// Whether these tables answer queries.
    pub is_live: bool,
    /// Whether no process has projected it for longer than a standby needs to take over.
    pub is_abandoned: bool,
}

/// Reads the status of all projections, in order of their names, live tables first.
///
/// # Errors
///
/// When the database is away.
pub async fn statuses(
    client: &impl GenericClient,
    now: Timestamp,
) -> Result<Vec<Status>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- projection::statuses
             SELECT c.name, c.slot, c.version, c.position, h.position AS head, c.skipped, c.error, c.error_at,
                    c.lease_until > now() AS is_held,
                    (SELECT process FROM projection.candidate AS p
                     WHERE p.name = c.name AND p.holder = c.holder AND c.lease_until > now()) AS process,
                    -- While a replay fills the next tables, no process need project the live ones.
                    c.lease_until < now() - interval '30 s' AND NOT EXISTS (
                        SELECT FROM projection.checkpoint AS n
                        WHERE n.name = c.name AND n.slot = 'next' AND n.lease_until > now()
                    ) AS is_abandoned,
                    (SELECT recorded_at FROM log.batch WHERE last_position > c.position
                     ORDER BY last_position LIMIT 1) AS waiting_since
             FROM projection.checkpoint AS c, log.head AS h ORDER BY c.name, c.slot",
            &[],
        )
        .await?;
    let status = |row: &tokio_postgres::Row| {
        let (checkpoint, head): (i64, i64) = (row.get("position"), row.get("head"));
        let waiting_since: Option<Timestamp> = row.get("waiting_since");
        let error: Option<String> = row.get("error");
        let (slot, is_held): (&str, bool) = (row.get("slot"), row.get("is_held"));
        Status {
            name: row.get("name"),
            state: match (slot, is_held) {
                ("next", true) => "replaying",
                _ if error.is_some() => "failed",
                (_, true) => "running",
                (_, false) => "stopped",
            },
            version: row.get("version"),
            checkpoint,
            head,
            lag_events: (head - checkpoint).max(0),
            lag_s: waiting_since
                .map_or(0.0, |since| (now.duration_since(since)).as_secs_f64().max(0.0)),
            skipped: row.get("skipped"),
            error,
            error_at: row.get("error_at"),
            process: row.get("process"),
            is_live: slot == "live",
            is_abandoned: row.get("is_abandoned"),
        }
    };
    Ok(rows.iter().map(status).collect())
}

/// Reads the size of each projection's live tables with their indexes, in bytes.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_sizes(
    client: &Client,
    projections: &[&'static Projection],
) -> Result<Vec<(&'static str, i64)>, tokio_postgres::Error> {
    let mut sizes = Vec::new();
    for projection in projections {
        let tables = db::read_table_sizes(client, &Slot::Live.schema(projection)).await?;
        sizes.push((projection.name, tables.iter().map(|(_, bytes)| bytes).sum()));
    }
    Ok(sizes)
}
