//! Skips: an operator tells a projection to go without an event. Who says so, and why, is an event of the log.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Client;

use super::Projection;
use super::slot::Slot;
use crate::db::{self, Database};
use crate::event::Event;
use crate::event::ours::{Layout, OwnEvent};
use crate::log::{self, Appender};

/// The kind of the events that record skips.
const EVENT_SKIPPED: &str = "stackledger.event.skipped";

/// What an operator says about an event.
#[derive(Clone, Debug)]
pub struct Skip {
    /// The event's position in the log.
    pub position: i64,
    /// Who says it.
    pub by: String,
    /// Why the projection is to go without it.
    pub reason: String,
}

impl Skip {
    fn event(&self, projection: &Projection, id: &str, now: Timestamp) -> Event {
        let data = json!({
            "projection": projection.name, "position": self.position, "by": self.by, "reason": self.reason,
        })
        .to_string();
        let event = OwnEvent {
            layout: Layout::Specification,
            id,
            source: log::SOURCE,
            kind: EVENT_SKIPPED,
            time: &now.to_string(),
            data: data.as_bytes(),
        };
        event.to_event().expect("an event of our own has a header")
    }
}

/// The reason why an event cannot be skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipRefused {
    /// No such event.
    #[error("the log has no event at position {0}")]
    NoEvent(i64),
    /// The projection does not read it.
    #[error(
        "{projection} does not read the event at position {position}, which is of the family {family}"
    )]
    OtherFamily {
        /// The projection's name.
        projection: &'static str,
        /// The event's position.
        position: i64,
        /// The event's family.
        family: String,
    },
    /// Its rows are made, or it was skipped.
    #[error(
        "{projection} is past position {position}: it applied the event, or goes without it (see /v1/skipped)"
    )]
    Passed {
        /// The projection's name.
        projection: &'static str,
        /// The event's position.
        position: i64,
    },
}

/// Reads the position of the event that stops a projection; `None` if none does.
///
/// # Errors
///
/// When the database does not answer.
pub async fn find_obstacle(
    client: &Client,
    projection: &Projection,
) -> Result<Option<i64>, tokio_postgres::Error> {
    // Of a replay that an event stops as well, its tables count: the live ones are older.
    let row = client
        .query_opt(
            "-- skip::find_obstacle
             SELECT error_at + 1 FROM projection.checkpoint WHERE name = $1 AND error IS NOT NULL
             ORDER BY slot DESC LIMIT 1",
            &[&projection.name],
        )
        .await?;
    Ok(row.and_then(|row| row.get(0)))
}

/// Makes a projection go without an event that it has not applied yet, in the tables that answer and in those that a
/// replay fills. The skip is appended to the log first, with this id.
///
/// # Errors
///
/// [`SkipRefused`]; or when the database does not answer: the same skip can then be ordered again.
pub async fn skip(
    database: &Database,
    projection: &'static Projection,
    skip: &Skip,
    id: &str,
    now: Timestamp,
) -> Result<()> {
    let (name, position) = (projection.name, skip.position);
    let mut client = database.connect(None).await?;
    let event = log::read_at(&client, position).await?.ok_or(SkipRefused::NoEvent(position))?;
    if !projection.families.contains(&event.event.family) {
        let family = event.event.family.to_string();
        return Err(SkipRefused::OtherFamily { projection: name, position, family }.into());
    }
    let is_ahead = client
        .query_one(
            "-- skip: ahead
             SELECT EXISTS (SELECT FROM projection.checkpoint WHERE name = $1 AND position < $2)",
            &[&name, &position],
        )
        .await?;
    if !is_ahead.get::<_, bool>(0) {
        return Err(SkipRefused::Passed { projection: name, position }.into());
    }
    let mut appender = Appender::new(database.connect(None).await?).await?;
    appender
        .append(&[skip.event(projection, id, now)], &[], now)
        .await
        .context("recording the skip")?;

    let transaction = client.transaction().await?;
    // A step that is under way has read which events it goes without: the next fence makes it begin anew.
    let slots = transaction
        .query(
            "-- skip: fence
             UPDATE projection.checkpoint SET fence = fence + 1 WHERE name = $1 AND position < $2
             RETURNING slot",
            &[&name, &position],
        )
        .await?;
    if slots.is_empty() {
        return Err(SkipRefused::Passed { projection: name, position }.into());
    }
    for row in &slots {
        let slot =
            if row.get::<_, &str>(0) == Slot::Live.as_str() { Slot::Live } else { Slot::Next };
        let (by, reason) = (db::without_nul(&skip.by), db::without_nul(&skip.reason));
        transaction
            .execute(
                "-- skip: set aside
                 INSERT INTO projection.set_aside (name, slot, position, kind, reason, skipped_by)
                 VALUES ($1, $2, $3, 'skipped', $4, $5) ON CONFLICT DO NOTHING",
                &[&name, &slot.as_str(), &position, &reason, &by],
            )
            .await?;
    }
    Ok(transaction.commit().await?)
}
