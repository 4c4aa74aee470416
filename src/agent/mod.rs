//! `stackledger agent`: runs on a node, samples it on whole intervals of the clock, and publishes
//! each sample as a `perf.sampled` event, by AMQP or by HTTP.
//!
//! Two tasks that share a `buffer`: one samples and never waits for the other side, the other
//! delivers and waits for it as long as it takes. What is away for longer than the buffer lasts
//! costs the oldest samples, which are counted.
//!
//! # Layout
//!
//! - `machine`: what the node says about itself, `rates`: counters as rates;
//! - `ticks`: when to look;
//! - `sample`: what was seen, as an event; `buffer`: those that wait;
//! - `deliver`: from the buffer to a `route`, and what became of them.

mod buffer;
mod deliver;
mod machine;
mod rates;
mod route;
mod sample;
mod ticks;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::lifecycle;
use buffer::Buffer;
use machine::Machine;
use route::Carrier;
use sample::Sample;
use ticks::Ticks;

pub use buffer::CAPACITY_MIN;
pub use machine::Selection;
pub use route::Route;

/// What an agent does.
#[derive(Debug)]
pub struct Options {
    /// What the node is called in its events.
    pub host: String,
    /// From one sample to the next; whole seconds, at least one.
    pub interval: Duration,
    /// Which disks and network interfaces are sampled.
    pub selection: Selection,
    /// How many events wait for the other side, at least [`CAPACITY_MIN`].
    pub capacity: usize,
    /// Where they go.
    pub route: Route,
}

/// What an agent has done in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events that the other side has taken.
    pub delivered: u64,
    /// Events that were dropped: the buffer was full, or the other side would never take them.
    pub dropped: u64,
    /// Events that could not be delivered before the end.
    pub left: usize,
    /// When the first and the last of those were taken.
    pub left_span: Option<(Timestamp, Timestamp)>,
}

/// Samples and delivers until asked to stop, then delivers what it can within a few seconds.
///
/// # Errors
///
/// When the route cannot be prepared or the machine not be read. A route that is away is no error.
pub async fn run(options: Options, stop: &CancellationToken) -> Result<Summary> {
    let stop = stop.child_token();
    let buffer = Arc::new(Buffer::new(options.capacity));
    let carrier = Carrier::new(options.route)?;
    let delivering = tokio::spawn(deliver::run(carrier, Arc::clone(&buffer), stop.clone()));
    let sampled =
        sample(&options.host, options.interval, options.selection, &buffer, stop.clone()).await;
    // Also where sampling failed: what is there is still delivered.
    stop.cancel();
    let delivered = delivering.await.context("delivering failed")?;
    sampled?;
    let (left, left_span) = buffer.left();
    Ok(Summary { delivered, dropped: buffer.dropped(), left, left_span })
}

/// Reads the machine at each tick and puts what it says into the buffer, until asked to stop.
async fn sample(
    host: &str,
    interval: Duration,
    selection: Selection,
    buffer: &Buffer,
    stop: CancellationToken,
) -> Result<()> {
    let ticks = Ticks::new(interval);
    let mut before: Option<Timestamp> = None;
    // The first look is what the first sample's rates are counted from.
    let Some(mut machine) = look(|| Machine::new(selection), &stop).await? else { return Ok(()) };
    tokio::time::sleep(machine::PAUSE_MIN).await;
    while let Some(tick) = ticks.next(&stop).await {
        let missed = before.map_or(0, |before| ticks.between(before, tick));
        if missed > 0 {
            tracing::warn!("{missed} samples were missed before {tick}: the machine was too slow");
        }
        before = Some(tick);
        let read = move || {
            let metrics = machine.read();
            (machine, lifecycle::now(), metrics)
        };
        let Some((read, at, metrics)) = look(read, &stop).await? else { return Ok(()) };
        machine = read;
        buffer.push(Sample::new(host, at, metrics, buffer.dropped()));
    }
    Ok(())
}

/// Looks at the machine aside: a mount whose other side is away can hold that up for long, which is
/// then a gap. `None` when asked to stop meanwhile.
async fn look<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
    stop: &CancellationToken,
) -> Result<Option<T>> {
    tokio::select! {
        seen = tokio::task::spawn_blocking(look) => {
            seen.map(Some).context("reading the machine failed")
        }
        () = stop.cancelled() => Ok(None),
    }
}
