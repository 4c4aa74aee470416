//! Batches: the unit in which messages are appended to the log.

use super::decoder::Decoder;
use crate::event::Event;
use crate::log::DeadLetter;

/// Messages that are appended to the log together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages that were decoded.
    pub events: Vec<Event>,
    /// The messages that could not be decoded.
    pub dead_letters: Vec<DeadLetter>,
    /// Size of the bodies, in bytes.
    pub bytes: usize,
}

/// Size of its bodies, in bytes, at which a batch is full. It bounds the memory for messages of any size: one
/// batch is appended while the next one fills.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// The largest body that becomes an event, in bytes after decompression (see [`crate::event::decode`]).
/// COPY's own limit is far above it.
pub const BODY_BYTES_MAX: usize = 64 << 20;

impl Batch {
    /// Decodes a delivery into the batch. If it becomes a dead letter, `origin` describes where it came from.
    pub fn push(
        &mut self,
        decoder: &Decoder,
        body: Vec<u8>,
        compression: Option<&str>,
        origin: impl Fn() -> String,
    ) {
        // A dead letter contains the delivery's original bytes, which decoding consumes.
        let original = body.clone();
        match decoder.decode(body, compression) {
            Ok(event) => {
                // After decompression: the memory it takes from here on.
                self.bytes += event.body.len().max(original.len());
                self.events.push(event);
            }
            Err(reason) => {
                self.push_dead_letter(DeadLetter {
                    reason,
                    origin: origin(),
                    compression: compression.map(str::to_owned),
                    body: original,
                });
            }
        }
    }

    /// Adds a dead letter, and says so.
    pub fn push_dead_letter(&mut self, dead_letter: DeadLetter) {
        let DeadLetter { reason, origin, body, .. } = &dead_letter;
        self.bytes += body.len();
        metrics::counter!("stackledger_dead_letters_total").increment(1);
        tracing::warn!(reason, origin, "kept a message as a dead letter");
        self.dead_letters.push(dead_letter);
    }

    /// The number of its messages.
    pub fn len(&self) -> usize {
        self.events.len() + self.dead_letters.len()
    }

    /// Whether it has no messages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it should be appended before more messages are added.
    pub fn is_full(&self, batch_size: usize) -> bool {
        self.len() >= batch_size || self.bytes >= BATCH_BYTES_MAX
    }
}
