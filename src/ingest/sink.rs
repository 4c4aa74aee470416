//! The way into the log, with what happens when the log does not take a batch.

use std::sync::Arc;

use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::Batch;
use crate::db::Database;
use crate::health::Health;
use crate::lifecycle::{Backoff, now};
use crate::log::{AppendError, AppendOutcome, Appender, DeadLetter, Refusal};

/// What is to be done with a batch after an attempt to append it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is in the log: the broker may forget it.
    Ack,
    /// It is to be halved: it is too much at once, or a value of one of its events will never be
    /// taken. That event is kept as a dead letter when it stands alone.
    Split,
    /// It will be taken later: hold it unacked, take nothing more meanwhile, try again.
    Retry,
    /// Our defect or a foreign schema: as [`Disposition::Retry`], but said loudly. Nothing is acked
    /// that is not stored.
    RetryLoudly,
}

/// The decision, as a table (without a broker or a database to try it on).
pub fn dispose(result: &Result<AppendOutcome, AppendError>, events: usize) -> Disposition {
    match result {
        Ok(_) => Disposition::Ack,
        Err(AppendError::BadData(_)) if events > 0 => Disposition::Split,
        // Dead letters alone hold nothing that a database could refuse.
        Err(AppendError::BadData(_)) => Disposition::RetryLoudly,
        // Each day is a partition, and a batch over thousands of them more than the server can lock.
        Err(AppendError::Transient(error)) if events > 1 && is_out_of_memory(error) => {
            Disposition::Split
        }
        Err(AppendError::Transient(_)) => Disposition::Retry,
        // Nothing that is delivered claims anything, or moves a horizon.
        Err(AppendError::Refused(_) | AppendError::Claimed | AppendError::UnreadEvent(_)) => {
            Disposition::RetryLoudly
        }
    }
}

fn is_out_of_memory(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::OUT_OF_MEMORY)
}

/// The process was asked to stop before the batch could be appended: it stays with the broker.
#[derive(Debug, thiserror::Error)]
#[error("asked to stop before the batch was appended")]
pub struct Stopped;

/// Appends batches over one connection, however often that has to be made anew.
pub struct Sink {
    database: Database,
    health: Arc<Health>,
    appender: Option<Appender>,
    stop: CancellationToken,
}

/// The database's name among the parts that [`Health`] knows.
pub const DATABASE: &str = "database";

impl Sink {
    /// Connects when the first batch comes.
    pub fn new(database: Database, health: Arc<Health>, stop: CancellationToken) -> Self {
        Sink { database, health, appender: None, stop }
    }

    /// Appends a batch, durably. Returns only when that is done, or when the process is to stop.
    ///
    /// # Errors
    ///
    /// [`Stopped`]; then nothing may be acked.
    pub async fn append(&mut self, batch: Batch) -> Result<AppendOutcome, Stopped> {
        let mut backoff = Backoff::for_service();
        // Halves of a batch that could not be appended whole, the first on top.
        let mut parts = vec![batch];
        let mut all = AppendOutcome::default();
        while let Some(mut part) = parts.pop() {
            let started = std::time::Instant::now();
            let result = self.try_append(&part).await;
            match dispose(&result, part.events.len()) {
                Disposition::Ack => {
                    backoff.reset();
                    let appended = result.unwrap_or_default();
                    self.report(&appended, started.elapsed());
                    merge(&mut all, appended);
                }
                Disposition::Split => {
                    let reason = result.err().map(|error| error.to_string()).unwrap_or_default();
                    if part.events.len() > 1 {
                        let rest = part.events.split_off(part.events.len() / 2);
                        parts.push(Batch { events: rest, ..Batch::default() });
                    } else {
                        let origin = "the log";
                        tracing::warn!(reason, "the log refuses an event: kept as a dead letter");
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
                    let is_news = self.health.set_fault(DATABASE, &reason);
                    if disposition == Disposition::RetryLoudly {
                        tracing::error!("{reason}; nothing is acked, trying again");
                    } else if is_news {
                        tracing::warn!("{reason}; consuming pauses, trying again");
                    }
                    parts.push(part);
                    if !backoff.wait(&self.stop).await {
                        return Err(Stopped);
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

    fn report(&self, appended: &AppendOutcome, took: std::time::Duration) {
        if self.health.clear_fault(DATABASE) {
            tracing::info!("the database takes batches again");
        }
        metrics::counter!("stackledger_events_appended_total").increment(appended.events as u64);
        metrics::counter!("stackledger_duplicates_total").increment(appended.duplicates as u64);
        let late = appended.refused.iter().flatten();
        if let Some(refusal) = late.clone().next() {
            let events = late.count() as u64;
            metrics::counter!("stackledger_dead_letters_total").increment(events);
            tracing::warn!(reason = %refusal, events, "kept events as dead letters");
        }
        metrics::histogram!("stackledger_append_seconds").record(took.as_secs_f64());
    }
}

fn merge(all: &mut AppendOutcome, part: AppendOutcome) {
    all.head = all.head.max(part.head);
    all.events += part.events;
    all.duplicates += part.duplicates;
    all.dead_letters += part.dead_letters;
    all.is_new.extend(part.is_new);
    all.refused.extend(part.refused);
}
