//! From the buffer to the other side, however long it is away.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::buffer::{Buffer, Fate, Overflow};
use super::route::Carrier;
use crate::lifecycle::Backoff;

/// How many events, and how many bytes of them, are carried over at a time.
const BATCH_COUNT: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// How long the end may be held up by what is still to be delivered.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// A route, and how it goes.
struct Courier {
    carrier: Carrier,
    name: String,
    /// What is wrong, as it was told last.
    fault: Option<String>,
    delivered: u64,
}

/// Delivers until asked to stop, then what is left, for a while. How many events were delivered.
pub(super) async fn run(carrier: Carrier, buffer: Arc<Buffer>, stop: CancellationToken) -> u64 {
    let name = carrier.name();
    let mut courier = Courier { carrier, name, fault: None, delivered: 0 };
    let mut backoff = Backoff::for_service();
    loop {
        let carry = async {
            buffer.filled().await;
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
    // What was in hand when the stop came is carried once more: it is the same event again.
    let flush = async {
        let (never, mut backoff) = (CancellationToken::new(), Backoff::for_service());
        while buffer.left().0 > 0 {
            if !courier.carry(&buffer).await {
                backoff.wait(&never).await;
            }
        }
    };
    let _ = tokio::time::timeout(FLUSH_PATIENCE, flush).await;
    courier.tell_overflow(&buffer);
    courier.delivered
}

impl Courier {
    /// Carries one batch over; `false` when some of it waits for a later try.
    async fn carry(&mut self, buffer: &Buffer) -> bool {
        let samples = buffer.take(BATCH_COUNT, BATCH_BYTES);
        let carried = match self.carrier.carry(&samples).await {
            Ok(carried) => carried,
            Err(error) => {
                buffer.settle(&[]);
                self.failed(format!("{error:#}"), "trying again");
                return false;
            }
        };
        buffer.settle(&carried.fates);
        let count = |fate| carried.fates.iter().filter(|it| **it == fate).count();
        let (delivered, refused) = (count(Fate::Delivered), count(Fate::Refused));
        self.delivered += delivered as u64;
        match carried.reason {
            Some(reason) if refused > 0 => self.failed(reason, "what it refuses is dropped"),
            Some(reason) => self.failed(reason, "trying again"),
            None => self.worked(buffer),
        }
        delivered + refused == samples.len()
    }

    /// A fault is told once, not at every try.
    fn failed(&mut self, reason: String, consequence: &str) {
        if self.fault.as_ref() != Some(&reason) {
            tracing::warn!("{}: {reason}; {consequence}", self.name);
            self.fault = Some(reason);
        }
    }

    fn worked(&mut self, buffer: &Buffer) {
        if self.fault.take().is_some() {
            tracing::info!("{}: delivering again", self.name);
        }
        self.tell_overflow(buffer);
    }

    fn tell_overflow(&self, buffer: &Buffer) {
        if let Some(Overflow { count, first, last }) = buffer.overflow() {
            tracing::warn!("{}: {count} events had no room, from {first} to {last}", self.name);
        }
    }
}
