//! A step: applies one stretch of events, rows and checkpoint in one transaction. An event that the rows cannot be
//! made with does not stop the read model: it is found and set aside.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::checkpoint::{self, Lease};
use super::slot::Slot;
use super::stretch::{self, PreparedStretch};
use super::{LeaseLost, Projection, set_aside};
use crate::config::File;
use crate::db::{self, Database};

/// Applies stretches to one slot over one connection.
pub(super) struct Step {
    pub client: Client,
    pub projection: &'static Projection,
    pub file: Arc<File>,
    pub slot: Slot,
    pub held: Lease,
}

impl Step {
    /// Applies one stretch and moves the checkpoint. An event that is the cause of an error is set aside. After
    /// another error the checkpoint is right before the event at which it occurs.
    pub async fn apply(&mut self, prepared: PreparedStretch) -> Result<()> {
        let to = prepared.to;
        match self.try_apply(prepared).await {
            Err(error) if !passes(&error) => self.apply_in_parts(to).await,
            applied => applied,
        }
    }

    /// Applies the events up to a position in parts, which become smaller until an event that cannot be applied is
    /// alone, and larger again after it.
    async fn apply_in_parts(&mut self, to: i64) -> Result<()> {
        let mut positions = ((to - self.held.position) / 2).max(1);
        while self.held.position < to {
            let position = self.held.position;
            let without =
                set_aside::next(&self.client, self.projection, self.slot, position).await?;
            if without == Some(position + 1) {
                self.pass_over(None).await?;
                continue;
            }
            let last = without.map_or(to, |without| to.min(without - 1));
            let until = position.saturating_add(positions).min(last);
            match self.try_apply(self.read(until).await?).await {
                Ok(()) => positions = positions.saturating_mul(2),
                Err(error) if passes(&error) => return Err(error),
                Err(_) if until - position > 1 => positions = ((until - position) / 2).max(1),
                Err(error) if set_aside::is_caused_by_event(&error) => {
                    self.pass_over(Some(&describe(&error))).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the events after the checkpoint, up to a position at most.
    async fn read(&self, until: i64) -> Result<PreparedStretch> {
        let (position, without) = (self.held.position, BTreeSet::new());
        stretch::prepare(&self.client, self.projection, &self.file, position, until, &without)
            .await?
            .with_context(|| format!("the log ends before position {until}"))
    }

    /// Moves the checkpoint past the next event, which the read model goes without. With a reason the event is set
    /// aside now, else it was before.
    async fn pass_over(&mut self, reason: Option<&str>) -> Result<()> {
        let (projection, slot, position) = (self.projection, self.slot, self.held.position + 1);
        let transaction = self.client.transaction().await?;
        checkpoint::lock(&transaction, projection, slot, &self.held).await?;
        if let Some(reason) = reason {
            set_aside::insert(&transaction, projection, slot, position, reason).await?;
        }
        checkpoint::advance(&transaction, projection, slot, &self.held, position, 1).await?;
        transaction.commit().await?;
        self.held.position = position;
        let name = projection.name;
        metrics::counter!("stackledger_projection_set_aside_total", "projection" => name)
            .increment(1);
        match reason {
            Some(reason) => tracing::error!(
                "projection {name}: the event at position {position} is set aside: {reason}; see /v1/skipped"
            ),
            None => tracing::warn!(
                "projection {name}: the event at position {position} is skipped, as it was told to"
            ),
        }
        Ok(())
    }

    async fn try_apply(&mut self, prepared: PreparedStretch) -> Result<()> {
        let started = std::time::Instant::now();
        let PreparedStretch { to, events, decoded } = prepared;
        let decoded = decoded?;
        let (projection, slot) = (self.projection, self.slot);
        let transaction = self.client.transaction().await?;
        let without = checkpoint::lock(&transaction, projection, slot, &self.held).await?;
        if without.is_some_and(|position| position <= to) {
            return Err(ContainsSetAside.into());
        }
        let unused = match events {
            0 => 0,
            _ => stretch::apply(projection, slot, &transaction, &self.file, decoded).await?,
        };
        checkpoint::advance(&transaction, projection, slot, &self.held, to, unused).await?;
        transaction.commit().await?;
        self.held.position = to;
        let name = projection.name;
        metrics::counter!("stackledger_projection_events_total", "projection" => name)
            .increment(events);
        metrics::histogram!("stackledger_projection_step_seconds", "projection" => name)
            .record(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Stores a failure that does not pass by itself.
    pub async fn note(&self, error: &anyhow::Error) {
        if !passes(error) {
            let text = describe(error);
            let _ =
                checkpoint::note_error(&self.client, self.projection, self.slot, &self.held, &text)
                    .await;
        }
    }
}

/// The error that a stretch contains an event that the read model goes without.
#[derive(Debug, thiserror::Error)]
#[error("an event of the stretch is set aside")]
struct ContainsSetAside;

/// Whether the error passes by itself: the database is away, or another process has the lease.
fn passes(error: &anyhow::Error) -> bool {
    let is_transient = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<tokio_postgres::Error>().is_some_and(db::is_transient)
    };
    error.is::<LeaseLost>() || error.chain().any(is_transient)
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
