//! Delivery: from the buffer to the other side, however long it is unavailable.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::buffer::{Buffer, Fate, Overflow};
use super::route::Carrier;
use crate::lifecycle::Backoff;

/// The greatest number of events, and of their bytes, in one batch.
const BATCH_EVENTS_MAX: usize = 500;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// How long delivery of the remaining events may delay the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// A carrier and the state of its delivery.
struct Courier {
    carrier: Carrier,
    name: String,
    /// The fault that was logged last, until delivery works again.
    fault: Option<String>,
    delivered: u64,
}

/// Delivers until asked to stop, then delivers the remaining events for up to [`FLUSH_TIMEOUT`]. Returns the
/// number of events delivered.
pub(super) async fn run(carrier: Carrier, buffer: Arc<Buffer>, stop: CancellationToken) -> u64 {
    let name = carrier.name();
    let mut courier = Courier { carrier, name, fault: None, delivered: 0 };
    let mut backoff = Backoff::for_service();
    loop {
        let carry = async {
            buffer.wait_until_filled().await;
            courier.carry(&buffer).await
        };
        let is_done = tokio::select! {
            is_done = carry => is_done,
            () = stop.cancelled() => break,
        };
        if is_done {
            backoff.reset();
        } else if !backoff.wait(&stop).await {
            break;
        }
    }
    // Events that were in hand when the stop came are sent once more: they have the same ids.
    let flush = async {
        let (never, mut backoff) = (CancellationToken::new(), Backoff::for_service());
        while buffer.remaining().0 > 0 {
            if !courier.carry(&buffer).await {
                backoff.wait(&never).await;
            }
        }
    };
    let _ = tokio::time::timeout(FLUSH_TIMEOUT, flush).await;
    courier.report_overflow(&buffer);
    courier.delivered
}

impl Courier {
    /// Sends one batch. Returns `false` if some of it waits for a later attempt.
    async fn carry(&mut self, buffer: &Buffer) -> bool {
        let samples = buffer.take(BATCH_EVENTS_MAX, BATCH_BYTES_MAX);
        let outcome = match self.carrier.carry(&samples).await {
            Ok(outcome) => outcome,
            Err(error) => {
                buffer.settle(&[]);
                self.report_fault(format!("{error:#}"), "trying again");
                return false;
            }
        };
        buffer.settle(&outcome.fates);
        let count = |fate| outcome.fates.iter().filter(|found| **found == fate).count();
        let (delivered, refused) = (count(Fate::Delivered), count(Fate::Refused));
        self.delivered += delivered as u64;
        match outcome.reason {
            Some(reason) if refused > 0 => self.report_fault(reason, "dropping the refused events"),
            Some(reason) => self.report_fault(reason, "trying again"),
            None => self.report_success(buffer),
        }
        delivered + refused == samples.len()
    }

    /// Logs a fault once, not at every attempt.
    fn report_fault(&mut self, reason: String, consequence: &str) {
        if self.fault.as_ref() != Some(&reason) {
            tracing::warn!("{}: {reason}; {consequence}", self.name);
            self.fault = Some(reason);
        }
    }

    /// Logs the end of a fault, and the events that were dropped meanwhile.
    fn report_success(&mut self, buffer: &Buffer) {
        if self.fault.take().is_some() {
            tracing::info!("{}: delivering again", self.name);
        }
        self.report_overflow(buffer);
    }

    fn report_overflow(&self, buffer: &Buffer) {
        if let Some(Overflow { count, first, last }) = buffer.take_overflow() {
            tracing::warn!(
                "{}: dropped {count} events for lack of room, from {first} to {last}",
                self.name
            );
        }
    }
}
