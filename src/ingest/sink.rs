//! The sink: appends batches to the log, and decides what to do when an attempt fails.

use std::sync::Arc;

use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use crate::db::{Database, explain};
use crate::health::{Health, Reporter};
use crate::lifecycle::{Backoff, now};
use crate::log::{AppendError, AppendOutcome, Appender, DeadLetter, Refusal};

/// The treatment of a batch after an attempt to append it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The batch is in the log: ack it.
    Ack,
    /// Halve the batch and try both parts: it is too large at once, or the database refuses a value of one of
    /// its events. A batch of one such event alone becomes a dead letter.
    Split,
    /// A later attempt can succeed: hold the batch unacked, take no more messages meanwhile, and try again.
    Retry,
    /// Our defect or a foreign schema: as [`Disposition::Retry`], but with an error line at every attempt.
    /// Nothing is acked that is not stored.
    RetryLoudly,
}

/// Decides what to do with a batch of this many events, from the result of appending it. A pure function, so
/// that a test covers the whole table without a broker.
pub fn dispose(result: &Result<AppendOutcome, AppendError>, events: usize) -> Disposition {
    match result {
        Ok(_) => Disposition::Ack,
        Err(AppendError::BadData(_)) if events > 0 => Disposition::Split,
        // Dead letters contain no value that the database could refuse.
        Err(AppendError::BadData(_)) => Disposition::RetryLoudly,
        // Each day is a partition, and a batch over thousands of them can need more locks than the server has.
        Err(AppendError::Transient(error)) if events > 1 && is_out_of_memory(error) => {
            Disposition::Split
        }
        Err(AppendError::Transient(_)) => Disposition::Retry,
        // Delivered events neither claim time nor move horizons.
        Err(AppendError::Refused(_) | AppendError::Claimed | AppendError::UnreadEvent(_)) => {
            Disposition::RetryLoudly
        }
    }
}

fn is_out_of_memory(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::OUT_OF_MEMORY)
}

/// The error that the process was asked to stop before the batch could be appended. The broker keeps the
/// batch.
#[derive(Debug, thiserror::Error)]
#[error("asked to stop before the batch was appended")]
pub struct SinkStopped;

/// Appends batches over one connection, which it makes again whenever it is lost.
pub struct Sink {
    database: Database,
    reporter: Reporter,
    appender: Option<Appender>,
    stop: CancellationToken,
}

/// The name of the database as a part in [`Health`].
pub const DATABASE: &str = "database";

impl Sink {
    /// Creates a sink that connects with its first batch.
    pub fn new(database: Database, health: Arc<Health>, stop: CancellationToken) -> Self {
        Sink { database, reporter: health.reporter(DATABASE), appender: None, stop }
    }

    /// Appends a batch durably, with as many attempts as it takes. Returns when that is done or the process is
    /// asked to stop.
    ///
    /// # Errors
    ///
    /// [`SinkStopped`]. Nothing of the batch may be acked then.
    pub async fn append(&mut self, batch: Batch) -> Result<AppendOutcome, SinkStopped> {
        let mut backoff = Backoff::for_readiness();
        let mut loud_backoff = Backoff::for_service();
        // The parts of a batch that could not be appended as a whole, as a stack with the first on top.
        let mut parts = vec![batch];
        let mut all = AppendOutcome::default();
        while let Some(mut part) = parts.pop() {
            let started = std::time::Instant::now();
            let result = self.try_append(&part).await;
            match dispose(&result, part.events.len()) {
                Disposition::Ack => {
                    backoff.reset();
                    let outcome = result.unwrap_or_default();
                    self.report(&outcome, started.elapsed());
                    merge(&mut all, outcome);
                }
                Disposition::Split => {
                    let reason = result.err().map(|error| error.to_string()).unwrap_or_default();
                    if part.events.len() > 1 {
                        let rest = part.events.split_off(part.events.len() / 2);
                        parts.push(Batch { events: rest, ..Batch::default() });
                    } else {
                        let origin = "the log";
                        tracing::warn!(
                            reason,
                            "the log refuses an event, which is kept as a dead letter"
                        );
                        part.dead_letters.extend(part.events.drain(..).map(|event| DeadLetter {
                            reason: reason.clone(),
                            origin: origin.to_owned(),
                            compression: None,
                            body: event.body,
                        }));
                        all.is_new.push(false);
                        all.refused.push(Some(Refusal::Value));
                    }
                    parts.push(part);
                }
                disposition @ (Disposition::Retry | Disposition::RetryLoudly) => {
                    let reason = result.err().map(|error| error.to_string()).unwrap_or_default();
                    self.appender = None;
                    let is_new = self.reporter.set_fault(&reason);
                    let backoff = if disposition == Disposition::RetryLoudly {
                        tracing::error!("{reason}; nothing is acked, trying again");
                        &mut loud_backoff
                    } else {
                        if is_new {
                            tracing::warn!("{reason}; consuming pauses, trying again");
                        }
                        &mut backoff
                    };
                    parts.push(part);
                    if !backoff.wait(&self.stop).await {
                        return Err(SinkStopped);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Whether the process was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn try_append(&mut self, batch: &Batch) -> Result<AppendOutcome, AppendError> {
        let appender = match &mut self.appender {
            Some(appender) if !appender.is_closed() => appender,
            _ => {
                let client = self.database.connect(None).await?;
                self.appender.insert(Appender::new(client).await?)
            }
        };
        appender.append(&batch.events, &batch.dead_letters, now()).await
    }

    /// Updates health, metrics and the log after a successful append.
    fn report(&self, outcome: &AppendOutcome, took: std::time::Duration) {
        if self.reporter.clear_fault() {
            tracing::info!("the database stores batches again");
        }
        metrics::counter!("stackledger_events_appended_total").increment(outcome.events as u64);
        metrics::counter!("stackledger_duplicates_total").increment(outcome.duplicates as u64);
        let late = outcome.refused.iter().flatten();
        if let Some(refusal) = late.clone().next() {
            let events = late.count() as u64;
            metrics::counter!("stackledger_dead_letters_total").increment(events);
            tracing::warn!(reason = %refusal, events, "kept events as dead letters");
        }
        metrics::histogram!("stackledger_append_seconds").record(took.as_secs_f64());
    }
}

/// Waits until the database answers. A consumer that takes messages before can only hold them, and each connection
/// that is lost meanwhile is one more delivery of each.
///
/// # Errors
///
/// [`SinkStopped`], if asked to stop before.
pub(super) async fn await_database(
    database: &Database,
    health: &Arc<Health>,
    stop: &CancellationToken,
) -> Result<(), SinkStopped> {
    let reporter = health.reporter(DATABASE);
    let mut backoff = Backoff::for_readiness();
    while let Err(error) = database.connect(None).await {
        let reason = format!("the database does not answer: {}", explain(&error));
        if reporter.set_fault(&reason) {
            tracing::warn!("{reason}; consuming waits, trying again");
        }
        if !backoff.wait(stop).await {
            return Err(SinkStopped);
        }
    }
    if reporter.clear_fault() {
        tracing::info!("the database answers again");
    }
    Ok(())
}

/// Adds the outcome of the next part of a batch.
fn merge(all: &mut AppendOutcome, part: AppendOutcome) {
    all.head = all.head.max(part.head);
    all.events += part.events;
    all.duplicates += part.duplicates;
    all.dead_letters += part.dead_letters;
    all.is_new.extend(part.is_new);
    all.refused.extend(part.refused);
}
