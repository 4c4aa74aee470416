//! Events that are set aside, because no rows can be made with them, now and at every later attempt: the database
//! refuses a value, or the read model's code panics. Others are skipped because an operator says so. The read model
//! goes on without them, and says so. A replay tries them again. Events that say nothing that can be used are listed
//! beside them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio_postgres::GenericClient;

use super::slot::Slot;
use super::{Projection, UnusedEvents};
use crate::db::{self, NotWritable};
use crate::supervise::CaughtPanic;

/// An event that a projection goes without, or uses in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsideEvent {
    /// The projection's name.
    pub projection: String,
    /// The event's position in the log.
    pub position: i64,
    /// `unusable`, wholly or in part; `refused` by the database or the code; or `skipped` by an operator.
    pub kind: String,
    /// What is wrong with it, or what the database, the code or the operator said.
    pub reason: String,
    /// The operator who skipped it; `None` if it was set aside without one.
    pub skipped_by: Option<String>,
    /// When that was found.
    pub set_aside_at: Timestamp,
}

/// Whether the event is the cause, so that every later attempt fails as well: the database refuses a value
/// (SQLSTATE class 22), or a row is larger than it can index (54000); a value cannot be sent to it at all; or the
/// code panics.
pub(super) fn is_caused_by_event(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let refused = cause.downcast_ref().is_some_and(|error: &tokio_postgres::Error| {
            error
                .code()
                .is_some_and(|state| state.code().starts_with("22") || state.code() == "54000")
        });
        refused || cause.is::<NotWritable>() || cause.is::<CaughtPanic>()
    })
}

/// Stores an event that a slot's tables go without.
pub(super) async fn insert(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
    position: i64,
    reason: &str,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "-- set_aside::insert
             INSERT INTO projection.set_aside (name, slot, position, kind, reason)
             VALUES ($1, $2, $3, 'refused', $4)",
            &[&projection.name, &slot.as_str(), &position, &db::without_nul(reason)],
        )
        .await?;
    Ok(())
}

/// Stores what a slot's tables could not use of a stretch.
pub(super) async fn insert_unused(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
    unused: &UnusedEvents,
) -> Result<(), tokio_postgres::Error> {
    if unused.positions().is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> =
        unused.reasons().iter().map(|reason| db::without_nul(reason)).collect();
    client
        .execute(
            "-- set_aside::insert_unused
             INSERT INTO projection.set_aside (name, slot, position, kind, reason)
             SELECT $1, $2, position, 'unusable', reason
             FROM unnest($3::bigint[], $4::text[]) AS u (position, reason)",
            &[&projection.name, &slot.as_str(), &unused.positions(), &reasons],
        )
        .await?;
    Ok(())
}

/// Reads the position of the next event after `position` that a slot's tables go without.
pub(super) async fn next(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
    position: i64,
) -> Result<Option<i64>, tokio_postgres::Error> {
    let row = client
        .query_one(
            "-- set_aside::next
             SELECT min(position) FROM projection.set_aside
             WHERE name = $1 AND slot = $2 AND position > $3",
            &[&projection.name, &slot.as_str(), &position],
        )
        .await?;
    Ok(row.get(0))
}

/// Forgets the events of a slot, whose tables are gone.
pub(super) async fn forget(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "-- set_aside::forget
             DELETE FROM projection.set_aside WHERE name = $1 AND slot = $2",
            &[&projection.name, &slot.as_str()],
        )
        .await?;
    Ok(())
}

/// Makes the events of the next tables those of the live ones, which they replace.
pub(super) async fn swap(
    client: &impl GenericClient,
    projection: &Projection,
) -> Result<(), tokio_postgres::Error> {
    forget(client, projection, Slot::Live).await?;
    client
        .execute(
            "-- set_aside::swap
             UPDATE projection.set_aside SET slot = 'live' WHERE name = $1 AND slot = 'next'",
            &[&projection.name],
        )
        .await?;
    Ok(())
}

/// Reads the positions of the events that the live tables go without.
pub(super) async fn positions(
    client: &impl GenericClient,
    projection: &Projection,
) -> Result<BTreeSet<i64>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- set_aside::positions
             SELECT position FROM projection.set_aside
             WHERE name = $1 AND slot = 'live' AND kind <> 'unusable'",
            &[&projection.name],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Lists events that the live tables go without, in the order of positions and names: those after `after`, at
/// most `limit`.
///
/// # Errors
///
/// When the database does not answer.
pub async fn list_set_aside(
    client: &impl GenericClient,
    after: Option<(i64, String)>,
    limit: i64,
) -> Result<Vec<SetAsideEvent>, tokio_postgres::Error> {
    let (position, name) = after.unwrap_or_default();
    let rows = client
        .query(
            "-- set_aside::list
             SELECT name, position, kind, reason, skipped_by, set_aside_at FROM projection.set_aside
             WHERE slot = 'live' AND (position, name) > ($1, $2::text) ORDER BY position, name LIMIT $3",
            &[&position, &name, &limit],
        )
        .await?;
    let event = |row: &tokio_postgres::Row| SetAsideEvent {
        projection: row.get(0),
        position: row.get(1),
        kind: row.get(2),
        reason: row.get(3),
        skipped_by: row.get(4),
        set_aside_at: row.get(5),
    };
    Ok(rows.iter().map(event).collect())
}
