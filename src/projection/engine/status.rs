//! Where every projection stands, for `status`, `/v1/projections`, `/readyz` and `/metrics`.

use jiff::Timestamp;
use tokio_postgres::GenericClient;

/// One set of tables of one projection.
#[derive(Clone, Debug)]
pub struct Status {
    /// The projection's name.
    pub name: String,
    /// `running`; `stopped` when nobody holds it; `failed` when it stands still with an error;
    /// `replaying` for the tables a replay is filling.
    pub state: &'static str,
    /// Version of the code that made the rows.
    pub version: i32,
    /// Last position applied.
    pub checkpoint: i64,
    /// The log's last position.
    pub head: i64,
    /// Positions not applied yet.
    pub lag_events: i64,
    /// Age of the oldest append that is not applied, in seconds; 0 where all are.
    pub lag_s: f64,
    /// Events that could not be used.
    pub skipped: i64,
    /// Why it stands still.
    pub error: Option<String>,
    /// The position after which it stands still.
    pub error_at: Option<i64>,
    /// Whether these are the tables that answer.
    pub is_live: bool,
    /// Whether nobody has held it for longer than another process needs to take over.
    pub is_abandoned: bool,
}

/// All of them, in order of names; the live tables before those being filled.
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
                    -- While a replay fills the next tables, nobody need hold those that answer.
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
            is_live: slot == "live",
            is_abandoned: row.get("is_abandoned"),
        }
    };
    Ok(rows.iter().map(status).collect())
}
