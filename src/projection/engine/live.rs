//! The live tables of a read model: which position they are at, waiting until they are at another, and
//! one moment of their rows.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Transaction};

use super::checkpoint::{RowsVersion, lock_tables_shared};
use super::{Projection, Slot};

/// Pause between two looks at a checkpoint.
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// The checkpoint of a read model's live tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePosition {
    /// The last position whose event is applied.
    pub position: i64,
    /// The version and configuration that made the rows.
    pub rows_version: RowsVersion,
    /// The error that stops the projection, if one does.
    pub error: Option<String>,
}

/// The outcome of waiting for a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The rows are those of the wanted version, and the position is applied.
    Applied,
    /// The time is over. `None`: no process has ever projected this read model.
    Behind(Option<LivePosition>),
    /// An error stops the projection before the position. The text names the cause.
    Failed(String),
}

impl LivePosition {
    /// The outcome for a caller who needs everything up to `position`, in rows of the wanted version;
    /// `None` while waiting can help.
    fn outcome(&self, wanted: Option<&RowsVersion>, position: i64) -> Option<Wait> {
        if wanted.is_some_and(|wanted| *wanted != self.rows_version) {
            return None;
        }
        if self.position >= position {
            return Some(Wait::Applied);
        }
        self.error.clone().map(Wait::Failed)
    }
}

/// Reads the checkpoint of the live tables; `None` where no process has ever projected them.
///
/// # Errors
///
/// When the database does not answer.
pub async fn live_position(
    client: &impl GenericClient,
    projection: &Projection,
) -> Result<Option<LivePosition>, tokio_postgres::Error> {
    let row = client
        .query_opt(
            "-- live::position
             SELECT position, version, config, error FROM projection.checkpoint
             WHERE name = $1 AND slot = $2",
            &[&projection.name, &Slot::Live.as_str()],
        )
        .await?;
    Ok(row.map(|row| LivePosition {
        position: row.get(0),
        rows_version: RowsVersion { version: row.get(1), config: row.get(2) },
        error: row.get(3),
    }))
}

/// Waits until the live tables have applied `position`, in rows of the wanted version if one is given.
/// `look` reads [`live_position`]; it chooses the connection, because a waiting
/// request must not keep one that another request needs.
///
/// # Errors
///
/// Whatever `look` fails with.
pub async fn wait_until_applied<E, L>(
    position: i64,
    wanted: Option<&RowsVersion>,
    timeout: Duration,
    mut look: impl FnMut() -> L,
) -> Result<Wait, E>
where
    L: Future<Output = Result<Option<LivePosition>, E>>,
{
    let give_up = Instant::now() + timeout;
    loop {
        let live = look().await?;
        // Nobody may be projecting at all: there is nothing to wait for.
        let Some(live) = live else { return Ok(Wait::Behind(None)) };
        if let Some(outcome) = live.outcome(wanted, position) {
            return Ok(outcome);
        }
        if Instant::now() >= give_up {
            return Ok(Wait::Behind(Some(live)));
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
}

/// The rows of a read model as they were at one moment.
pub struct Snapshot<'a> {
    /// Reads them; table names are qualified.
    pub tx: Transaction<'a>,
    /// The checkpoint of that moment.
    pub live: LivePosition,
}

/// Opens one moment of the live rows, read only; `None` where no process has ever projected them. The
/// connection keeps a replay from swapping the tables until it ends or
/// [`unlock_tables`](super::unlock_tables) is called.
///
/// # Errors
///
/// When the database does not answer.
pub async fn snapshot<'a>(
    client: &'a mut Client,
    projection: &Projection,
) -> Result<Option<Snapshot<'a>>, tokio_postgres::Error> {
    // A snapshot keeps rows, not names: without the lock, a replay's swap would put tables in place
    // whose rows are too young for it. The lock comes first, because a transaction's first statement
    // takes its snapshot.
    lock_tables_shared(client, projection.name).await?;
    let tx = moment(client).await?;
    Ok(live_position(&tx, projection).await?.map(|live| Snapshot { tx, live }))
}

/// Opens one moment of the database for several statements of one answer, read only. Tables may be
/// swapped by a replay meanwhile; [`snapshot`] prevents that.
///
/// # Errors
///
/// When the database does not answer.
pub async fn moment(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
}

/// Reads the position of every projection's tables, live or being filled, with its name: none is beyond
/// the log's head, unless the log was cut off.
///
/// # Errors
///
/// When the database does not answer.
pub async fn applied_positions(
    client: &impl GenericClient,
) -> Result<Vec<(String, i64)>, tokio_postgres::Error> {
    let statement = "-- live::applied_positions
        SELECT name, position FROM projection.checkpoint ORDER BY name, slot";
    let rows = client.query(statement, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_the_position_is_applied_by_the_wanted_version_or_an_error_is_in_the_way() {
        let version = |version| RowsVersion { version, config: String::new() };
        let live = |position, error: Option<&str>| LivePosition {
            position,
            rows_version: version(2),
            error: error.map(str::to_owned),
        };
        let wanted = &version(2);
        assert_eq!(live(5, None).outcome(Some(wanted), 5), Some(Wait::Applied));
        assert_eq!(live(5, None).outcome(None, 5), Some(Wait::Applied));
        assert_eq!(live(4, None).outcome(Some(wanted), 5), None);
        let failed = Some(Wait::Failed("why".to_owned()));
        assert_eq!(live(4, Some("why")).outcome(Some(wanted), 5), failed);
        assert_eq!(live(5, Some("why")).outcome(Some(wanted), 5), Some(Wait::Applied));
        // A replay may be about to put the wanted version in place.
        assert_eq!(live(9, None).outcome(Some(&version(3)), 5), None);
        assert_eq!(live(4, Some("why")).outcome(Some(&version(3)), 5), None);
    }
}
