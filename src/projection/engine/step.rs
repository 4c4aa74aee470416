//! A step: applies one stretch of events, rows and checkpoint in one transaction.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::checkpoint::{self, Lease, Slot};
use super::feed::PreparedStretch;
use super::{LeaseLost, Projection};
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
    /// Applies one stretch and moves the checkpoint.
    pub async fn apply(&mut self, prepared: PreparedStretch) -> Result<()> {
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
