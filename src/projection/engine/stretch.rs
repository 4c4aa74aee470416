//! A stretch of the log, read and decoded: what a step applies.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use tokio_postgres::{Client, Transaction};

use super::slot::Slot;
use super::{Decode, Projection, StretchFacts, set_aside};
use crate::config::File;
use crate::event::Recorded;
use crate::log::Reader;
use crate::supervise::CaughtPanic;

/// A stretch of the log, ready to be applied.
pub(super) struct PreparedStretch {
    /// The position up to which everything is read once this is applied.
    pub to: i64,
    /// The number of its events of the projection's families.
    pub events: u64,
    pub decoded: Result<StretchFacts, CaughtPanic>,
}

/// Reads and decodes the events after `position`, as many as the projection's stretch has, up to and including
/// position `until`, except those at the positions `without`. `None` if there is no event yet.
pub(super) async fn prepare(
    client: &Client,
    projection: &Projection,
    file: &File,
    position: i64,
    until: i64,
    without: &BTreeSet<i64>,
) -> Result<Option<PreparedStretch>, tokio_postgres::Error> {
    let mut decode = Ok((projection.decode)(file));
    let take = |event: Recorded| {
        if !without.contains(&event.position) {
            read(&mut decode, event);
        }
    };
    let read = Reader::new(projection.families)
        .for_each(client, position, until, projection.stretch, take)
        .await?;
    if read.position == position {
        return Ok(None);
    }
    let decoded = decode.and_then(|decode| catch(|| decode.finish()));
    Ok(Some(PreparedStretch { to: read.position, events: read.events, decoded }))
}

/// Reads the next event, unless an event before it made the code panic.
fn read(decode: &mut Result<Box<dyn Decode + '_>, CaughtPanic>, event: Recorded) {
    if let Ok(reader) = decode
        && let Err(panicked) = catch(|| reader.read(event))
    {
        *decode = Err(panicked);
    }
}

fn catch<T>(call: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    // What the call has half changed is dropped.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| CaughtPanic::of(&*panic))
}

/// Folds the facts of a stretch into the rows, and stores what could not be used. The transaction cannot be used any
/// more after an error.
pub(super) async fn apply(
    projection: &Projection,
    slot: Slot,
    transaction: &Transaction<'_>,
    file: &File,
    decoded: StretchFacts,
) -> anyhow::Result<u64> {
    fold(projection, transaction, file, decoded.facts).await?;
    set_aside::insert_unused(transaction, projection, slot, &decoded.unused).await?;
    Ok(decoded.unused.count())
}

/// Folds facts into the rows.
pub(super) async fn fold(
    projection: &Projection,
    transaction: &Transaction<'_>,
    file: &File,
    facts: Box<dyn Any + Send>,
) -> anyhow::Result<()> {
    // As in `catch`; rows that are half changed go with the transaction.
    let applied = AssertUnwindSafe((projection.apply)(transaction, file, facts));
    match applied.catch_unwind().await {
        Ok(applied) => applied,
        Err(panic) => Err(CaughtPanic::of(&*panic).into()),
    }
}
