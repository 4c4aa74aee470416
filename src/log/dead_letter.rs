//! Dead letters: deliveries that did not become events, byte for byte, with the reason. They are for
//! administrators only, who redrive them after a fix, or discard them.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, GenericClient, Row};

use crate::db::without_nul;

/// A delivery that did not become an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why it did not become an event.
    pub reason: String,
    /// Where it came from: queue, exchange and routing key, or file and line.
    pub origin: String,
    /// The compression of the body, as the transport named it.
    pub compression: Option<String>,
    /// The delivery's bytes.
    pub body: Vec<u8>,
}

/// The state of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterStatus {
    /// No operator has dealt with it yet.
    Open,
    /// It was decoded later, and its event is in the log.
    Redriven,
    /// An operator decided that it is worthless.
    Discarded,
}

impl DeadLetterStatus {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeadLetterStatus::Open => "open",
            DeadLetterStatus::Redriven => "redriven",
            DeadLetterStatus::Discarded => "discarded",
        }
    }

    /// Parses the name; `None` if no status has it.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Redriven, Self::Discarded].into_iter().find(|s| s.as_str() == name)
    }
}

/// A dead letter as the database stores it.
#[derive(Clone, Debug)]
pub struct StoredDeadLetter {
    /// Its number.
    pub id: i64,
    /// Open, redriven or discarded.
    pub status: DeadLetterStatus,
    /// When it was first received.
    pub received_at: Timestamp,
    /// The delivery's size in bytes.
    pub size: i64,
    /// The delivery; its body is empty in lists.
    pub letter: DeadLetter,
}

/// Stores dead letters within the appender's transaction, the same bytes only once. Returns the number of
/// new ones.
pub(super) async fn insert(
    client: &impl GenericClient,
    letters: &[DeadLetter],
    now: Timestamp,
) -> Result<u64, tokio_postgres::Error> {
    let mut stored = 0;
    for letter in letters {
        let mut sha256 = Sha256::new();
        sha256.update(letter.compression.as_deref().unwrap_or_default());
        sha256.update(&letter.body);
        let sha256 = sha256.finalize();
        stored += client
            .execute(
                "-- dead_letter::insert
                 INSERT INTO log.dead_letter (sha256, reason, origin, received_at, compression, body)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sha256) DO NOTHING",
                &[
                    &sha256.as_slice(),
                    &without_nul(&letter.reason),
                    &without_nul(&letter.origin),
                    &now,
                    &letter.compression.as_deref().map(without_nul),
                    &letter.body,
                ],
            )
            .await?;
    }
    Ok(stored)
}

const COLUMNS: &str =
    "id, status, received_at, octet_length(body)::bigint AS size, reason, origin, compression";

fn stored_of_row(row: &Row, body: Vec<u8>) -> StoredDeadLetter {
    StoredDeadLetter {
        id: row.get("id"),
        status: DeadLetterStatus::parse(row.get("status")).unwrap_or(DeadLetterStatus::Open),
        received_at: row.get("received_at"),
        size: row.get("size"),
        letter: DeadLetter {
            reason: row.get("reason"),
            origin: row.get("origin"),
            compression: row.get("compression"),
            body,
        },
    }
}

/// Lists dead letters in the order they arrived, after number `after`, without their bodies.
///
/// # Errors
///
/// When the database is away.
pub async fn list(
    client: &Client,
    status: Option<DeadLetterStatus>,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredDeadLetter>, tokio_postgres::Error> {
    let rows = client
        .query(
            &format!(
                "-- dead_letter::list
                 SELECT {COLUMNS} FROM log.dead_letter
                 WHERE id > $1 AND ($2::text IS NULL OR status = $2) ORDER BY id LIMIT $3"
            ),
            &[&after, &status.map(DeadLetterStatus::as_str), &limit],
        )
        .await?;
    Ok(rows.iter().map(|row| stored_of_row(row, Vec::new())).collect())
}

/// Loads one dead letter with its body; `None` if there is no such dead letter.
///
/// # Errors
///
/// When the database is away.
pub async fn show(
    client: &Client,
    id: i64,
) -> Result<Option<StoredDeadLetter>, tokio_postgres::Error> {
    let row = client
        .query_opt(
            &format!(
                "-- dead_letter::show\nSELECT {COLUMNS}, body FROM log.dead_letter WHERE id = $1"
            ),
            &[&id],
        )
        .await?;
    Ok(row.map(|row| stored_of_row(&row, row.get("body"))))
}

/// Counts the open dead letters.
///
/// # Errors
///
/// When the database is away.
pub async fn count_open(client: &Client) -> Result<i64, tokio_postgres::Error> {
    let row =
        client.query_one("SELECT count(*) FROM log.dead_letter WHERE status = 'open'", &[]).await?;
    Ok(row.get(0))
}

/// Marks a dead letter as discarded. Returns `false` if there is no such dead letter.
///
/// # Errors
///
/// When the database is away.
pub async fn discard(client: &Client, id: i64) -> Result<bool, tokio_postgres::Error> {
    set_status(client, id, DeadLetterStatus::Discarded).await
}

/// Marks a dead letter as redriven. Returns `false` if there is no such dead letter.
///
/// # Errors
///
/// When the database is away.
pub async fn mark_redriven(client: &Client, id: i64) -> Result<bool, tokio_postgres::Error> {
    set_status(client, id, DeadLetterStatus::Redriven).await
}

async fn set_status(
    client: &Client,
    id: i64,
    status: DeadLetterStatus,
) -> Result<bool, tokio_postgres::Error> {
    let changed = client
        .execute("UPDATE log.dead_letter SET status = $2 WHERE id = $1", &[&id, &status.as_str()])
        .await?;
    Ok(changed > 0)
}
