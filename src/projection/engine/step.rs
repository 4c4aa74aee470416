//! A step: applies one stretch of events, rows and checkpoint in one transaction. An event that the database
//! refuses does not stop the read model: it is found and set aside.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;

use super::checkpoint::{self, Lease};
use super::feed::PreparedStretch;
use super::slot::Slot;
use super::{LeaseLost, Projection, set_aside};
use crate::config::File;
use crate::db::{self, Database};
use crate::log::Reader;

/// Applies stretches to one slot over one connection.
pub(super) struct Step {
    pub client: Client,
    pub projection: &'static Projection,
    pub file: Arc<File>,
    pub slot: Slot,
    pub held: Lease,
}

impl Step {
    /// Applies one stretch and moves the checkpoint. Events that the database refuses are set aside.
    pub async fn apply(&mut self, prepared: PreparedStretch) -> Result<()> {
        let to = prepared.to;
        match self.try_apply(prepared).await {
            Err(error) if set_aside::is_caused_by_event(&error) => self.apply_in_parts(to).await,
            applied => applied,
        }
    }

    /// Applies the events up to a position in parts, which become smaller until an event that the database
    /// refuses is alone, and larger again after it.
    async fn apply_in_parts(&mut self, to: i64) -> Result<()> {
        let mut positions = ((to - self.held.position) / 2).max(1);
        while self.held.position < to {
            let until = self.held.position.saturating_add(positions).min(to);
            let prepared = self.read(until).await?;
            match self.try_apply(prepared).await {
                Ok(()) => positions = positions.saturating_mul(2),
                Err(error) if !set_aside::is_caused_by_event(&error) => return Err(error),
                Err(error) if positions == 1 => self.set_aside(&describe(&error)).await?,
                Err(_) => positions = (positions / 2).max(1),
            }
        }
        Ok(())
    }

    /// Reads the events after the checkpoint, up to a position at most.
    async fn read(&self, until: i64) -> Result<PreparedStretch> {
        let (projection, position) = (self.projection, self.held.position);
        let mut decode = (projection.decode)(&self.file);
        let read = Reader::new(projection.families)
            .for_each(&self.client, position, until, projection.stretch, |event| decode.read(event))
            .await?;
        ensure!(read.position > position, "the log ends before position {until}");
        Ok(PreparedStretch { to: read.position, events: read.events, decoded: decode.finish() })
    }

    /// Moves the checkpoint past the next event, which the read model goes without.
    async fn set_aside(&mut self, reason: &str) -> Result<()> {
        let (projection, slot, position) = (self.projection, self.slot, self.held.position + 1);
        let transaction = self.client.transaction().await?;
        checkpoint::lock(&transaction, projection, slot, &self.held).await?;
        set_aside::insert(&transaction, projection, slot, position, reason).await?;
        checkpoint::advance(&transaction, projection, slot, &self.held, position, 1).await?;
        transaction.commit().await?;
        self.held.position = position;
        let name = projection.name;
        metrics::counter!("stackledger_projection_set_aside_total", "projection" => name)
            .increment(1);
        tracing::error!(
            "projection {name}: the event at position {position} is set aside: {reason}; see /v1/skipped"
        );
        Ok(())
    }

    async fn try_apply(&mut self, prepared: PreparedStretch) -> Result<()> {
        let started = std::time::Instant::now();
        let PreparedStretch { to, events, decoded } = prepared;
        let transaction = self.client.transaction().await?;
        checkpoint::lock(&transaction, self.projection, self.slot, &self.held).await?;
        if events > 0 {
            (self.projection.apply)(&transaction, &self.file, decoded.facts).await?;
        }
        checkpoint::advance(
            &transaction,
            self.projection,
            self.slot,
            &self.held,
            to,
            decoded.skipped,
        )
        .await?;
        transaction.commit().await?;
        self.held.position = to;
        let name = self.projection.name;
        metrics::counter!("stackledger_projection_events_total", "projection" => name)
            .increment(events);
        metrics::histogram!("stackledger_projection_step_seconds", "projection" => name)
            .record(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Stores a failure that does not pass by itself.
    pub async fn note(&self, error: &anyhow::Error) {
        let passes = error.is::<LeaseLost>()
            || error.downcast_ref::<tokio_postgres::Error>().is_some_and(db::is_transient);
        if !passes {
            let text = describe(error);
            let _ =
                checkpoint::note_error(&self.client, self.projection, self.slot, &self.held, &text)
                    .await;
        }
    }
}

/// Returns the error in one line, with the database's message.
pub(super) fn describe(error: &anyhow::Error) -> String {
    match error.downcast_ref::<tokio_postgres::Error>() {
        Some(error) => db::explain(error),
        None => format!("{error:#}"),
    }
}

/// Connects with one slot's schema as the search path.
pub(super) async fn connect(
    database: &Database,
    projection: &Projection,
    slot: Slot,
) -> Result<Client> {
    database
        .connect(Some(&slot.schema(projection)))
        .await
        .with_context(|| format!("no PostgreSQL answers at {database}"))
}
