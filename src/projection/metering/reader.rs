//! Reading windows of usage and samples of one moment, made by the rules that are asked for.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Transaction};

use super::PROJECTION;
use crate::config::File;
use crate::db::Database;
use crate::log;
use crate::projection::{RowsVersion, lock_tables_shared};

/// How often the read model is looked at while somebody waits for it.
const POLL: Duration = Duration::from_millis(20);

/// How many may be open in this process: each is a connection beside those of the pool.
static ROOM: Semaphore = Semaphore::const_new(8);

/// A connection for one computation. It is not given back to others: what it keeps goes with it.
pub struct Session {
    client: Client,
    _room: SemaphorePermit<'static>,
}

/// Rows as they were at one moment.
pub struct Snapshot<'a> {
    /// Reads them; names are qualified.
    pub tx: Transaction<'a>,
    /// Everything up to this position of the log is in them.
    pub position: i64,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The read model is not as far, or is being made anew by other rules.
    #[error("{0}")]
    NotYet(String),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
}

/// Where the live tables stand.
struct Standing {
    position: i64,
    made: RowsVersion,
    error: Option<String>,
}

impl Session {
    /// Connects; no statement may take longer than `patience`.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or others leave no room for as long.
    pub async fn open(database: &Database, patience: Duration) -> Result<Session, Unread> {
        let room = tokio::time::timeout(patience, ROOM.acquire()).await;
        let Ok(Ok(room)) = room else {
            return Err(Unread::NotYet("too much else is being computed now".to_owned()));
        };
        let client = database.connect(None).await?;
        let milliseconds = patience.as_millis();
        client.batch_execute(&format!("SET statement_timeout = {milliseconds}")).await?;
        Ok(Session { client, _room: room })
    }

    /// Waits until everything that is in the log now is in the read model.
    ///
    /// # Errors
    ///
    /// When that takes longer than `patience`, saying what is in the way; at once, where there is no
    /// read model.
    pub async fn catch_up(&self, file: &File, patience: Duration) -> Result<(), Unread> {
        let (head, _) = log::read_head(&self.client).await?;
        let give_up = Instant::now() + patience;
        while let Some(why) = standing(&self.client).await?.lacks(file, head) {
            if Instant::now() >= give_up {
                return Err(Unread::NotYet(why));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// The rows, if they were made with this configuration.
    ///
    /// # Errors
    ///
    /// When they were made with another one.
    pub async fn snapshot(&mut self, file: &File) -> Result<Snapshot<'_>, Unread> {
        // A snapshot keeps rows, not names: without this, a replay's swap would put tables in place
        // whose rows are too young for it. It goes with the connection.
        lock_tables_shared(&self.client, PROJECTION.name).await?;
        let tx = self
            .client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let standing = standing(&tx).await?;
        match standing.lacks(file, 0) {
            None => Ok(Snapshot { tx, position: standing.position }),
            Some(why) => Err(Unread::NotYet(why)),
        }
    }
}

impl Standing {
    /// Why the tables do not do for who needs everything up to the position, by these rules.
    fn lacks(&self, file: &File, position: i64) -> Option<String> {
        if self.made != PROJECTION.rows_version(file) {
            let why = "usage is being computed anew, by another version or configuration";
            return Some(why.to_owned());
        }
        if self.position >= position {
            return None;
        }
        Some(match &self.error {
            Some(error) => format!("the projection {} stands still: {error}", PROJECTION.name),
            None => format!(
                "not everything in the log is projected yet: {} of {position}",
                self.position
            ),
        })
    }
}

async fn standing(client: &impl GenericClient) -> Result<Standing, Unread> {
    let row = client
        .query_opt(
            "-- metering::standing
             SELECT position, version, config, error FROM projection.checkpoint
             WHERE name = $1 AND slot = 'live'",
            &[&PROJECTION.name],
        )
        .await?;
    let Some(row) = row else {
        return Err(Unread::NotYet("nobody has projected samples yet".to_owned()));
    };
    Ok(Standing {
        position: row.get(0),
        made: RowsVersion { version: row.get(1), config: row.get(2) },
        error: row.get(3),
    })
}
