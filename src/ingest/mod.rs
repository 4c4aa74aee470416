//! From a delivery to the log: decode, batch, append, and then decide what to tell the broker.
//!
//! [`amqp`] consumes from brokers, [`mod@file`] imports files, [`intake`] takes the events of HTTP requests and
//! [`redrive`] tries dead letters again. All of them use [`Decoder`], [`Batch`] and [`Sink`].

pub mod amqp;
mod batch;
mod bindable;
mod decoder;
mod delivery_limit;
mod depths;
pub mod file;
pub mod intake;
mod link;
mod prefetch;
mod properties;
mod queue;
pub mod redrive;
mod sink;
mod topology;
mod unconsumed;
mod unrouted;

pub use batch::{BATCH_BYTES_MAX, BODY_BYTES_MAX, Batch};
pub use decoder::{Decoder, find_reserved_attribute};
pub use sink::{Disposition, Sink, SinkStopped, dispose};
