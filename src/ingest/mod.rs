//! From a delivery to the log: decode, batch, append, and what the broker is then told.
//!
//! [`amqp`] consumes from brokers, [`mod@file`] imports, [`intake`] takes what the HTTP server is given,
//! [`redrive`] tries dead letters again; all of them go through [`Decoder`], [`Batch`] and [`Sink`].

pub mod amqp;
mod decoder;
pub mod file;
pub mod intake;
mod prefetch;
mod queue;
pub mod redrive;
mod sink;
mod topology;

pub use decoder::{Decoder, ours_alone};
pub use sink::{Disposition, Sink, Stopped, dispose};

use crate::event::Event;
use crate::log::DeadLetter;

/// Messages on their way into the log together.
#[derive(Debug, Default)]
pub struct Batch {
    /// What could be decoded.
    pub events: Vec<Event>,
    /// What could not.
    pub dead_letters: Vec<DeadLetter>,
    /// Size of the bodies in bytes.
    pub bytes: usize,
}

/// A batch is appended when its bodies exceed this, so that memory stays bounded whatever their
/// size: one is appended while the next one fills.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// The largest body that becomes an event, in bytes after decompression (see [`crate::event::decode`]);
/// what COPY can take is far above it.
pub const BODY_BYTES_MAX: usize = 64 << 20;

impl Batch {
    /// Decodes a delivery into the batch. `origin` says where it came from, should it be a dead
    /// letter.
    pub fn push(
        &mut self,
        decoder: &Decoder,
        body: Vec<u8>,
        compression: Option<&str>,
        origin: impl Fn() -> String,
    ) {
        // A dead letter keeps the delivery's own bytes, and decoding consumes them.
        let kept = body.clone();
        match decoder.decode(body, compression) {
            Ok(event) => {
                // After decompression: what it takes from here on.
                self.bytes += event.body.len().max(kept.len());
                self.events.push(event);
            }
            Err(reason) => {
                self.bytes += kept.len();
                metrics::counter!("stackledger_dead_letters_total").increment(1);
                tracing::warn!(reason, origin = origin(), "kept a message as a dead letter");
                self.dead_letters.push(DeadLetter {
                    reason,
                    origin: origin(),
                    compression: compression.map(str::to_owned),
                    body: kept,
                });
            }
        }
    }

    /// Messages in it.
    pub fn len(&self) -> usize {
        self.events.len() + self.dead_letters.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it should go before more is added.
    pub fn is_full(&self, batch_size: usize) -> bool {
        self.len() >= batch_size || self.bytes >= BATCH_BYTES_MAX
    }
}
