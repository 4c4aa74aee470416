//! `stackledger agent`: runs on a node, samples it on whole intervals of the clock, and publishes
//! each sample as a `perf.sampled` event, by AMQP or by HTTP.
//!
//! Two tasks share a `buffer`: one samples and never waits for the other side, the other delivers and waits
//! as long as necessary. If the other side is unavailable for longer than the buffer lasts, the oldest
//! samples are dropped and counted.
//!
//! # Layout
//!
//! - `machine`: metrics of the node; `rates`: counters as rates;
//! - `ticks`: the times of sampling;
//! - `sample`: a sample as an event; `buffer`: samples that wait;
//! - `deliver`: from the buffer to a `route`.

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

/// The options of an agent.
#[derive(Debug)]
pub struct Options {
    /// The node's name in its events.
    pub host: String,
    /// The time from one sample to the next: whole seconds, at least one.
    pub interval: Duration,
    /// The disks and network interfaces that are sampled.
    pub selection: Selection,
    /// The greatest number of events that wait for delivery, at least [`CAPACITY_MIN`].
    pub capacity: usize,
    /// The destination of the events.
    pub route: Route,
}

/// The result of an agent's run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events that the other side accepted.
    pub delivered: u64,
    /// Events that were dropped, because the buffer was full or the other side refused them.
    pub dropped: u64,
    /// Events that could not be delivered before the end.
    pub left: usize,
    /// The times of the first and the last of those.
    pub left_span: Option<(Timestamp, Timestamp)>,
}

/// Samples and delivers until asked to stop, then delivers the remaining events for a few seconds.
///
/// # Errors
///
/// If the route cannot be prepared or the machine cannot be read. An unavailable route is not an error.
pub async fn run(options: Options, stop: &CancellationToken) -> Result<Summary> {
    let stop = stop.child_token();
    let buffer = Arc::new(Buffer::new(options.capacity));
    let carrier = Carrier::new(options.route)?;
    let delivering = tokio::spawn({
        let deliver = deliver::run(carrier, Arc::clone(&buffer), stop.clone());
        // However delivering ends, sampling ends with it.
        let end = stop.clone().drop_guard();
        async move {
            let _end = end;
            deliver.await
        }
    });
    let sampled =
        sample(&options.host, options.interval, options.selection, &buffer, stop.clone()).await;
    // If sampling failed, the samples taken so far are still delivered.
    stop.cancel();
    let delivered = delivering.await.context("delivering failed")?;
    sampled?;
    let (left, left_span) = buffer.remaining();
    Ok(Summary { delivered, dropped: buffer.dropped_count(), left, left_span })
}

/// Reads the machine at each tick and adds the sample to the buffer, until asked to stop.
async fn sample(
    host: &str,
    interval: Duration,
    selection: Selection,
    buffer: &Buffer,
    stop: CancellationToken,
) -> Result<()> {
    let ticks = Ticks::new(interval);
    let mut before: Option<Timestamp> = None;
    // The first reading is the base of the first sample's rates.
    let Some(mut machine) = run_blocking(|| Machine::new(selection), &stop).await? else {
        return Ok(());
    };
    tokio::time::sleep(machine::PAUSE_MIN).await;
    while let Some(tick) = ticks.next(&stop).await {
        let missed = before.map_or(0, |before| ticks.count_between(before, tick));
        if missed > 0 {
            tracing::warn!("{missed} samples were missed before {tick}: the machine was too slow");
        }
        before = Some(tick);
        let read = move || {
            let metrics = machine.read();
            (machine, lifecycle::now(), metrics)
        };
        let Some((read_machine, at, metrics)) = run_blocking(read, &stop).await? else {
            return Ok(());
        };
        machine = read_machine;
        buffer.push(Sample::new(host, at, metrics, buffer.dropped_count()));
    }
    Ok(())
}

/// Reads the machine on a thread of its own: a network mount whose server is unavailable can block for long,
/// which then leaves a gap. Returns `None` if asked to stop meanwhile.
async fn run_blocking<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
    stop: &CancellationToken,
) -> Result<Option<T>> {
    tokio::select! {
        result = tokio::task::spawn_blocking(read) => {
            result.map(Some).context("reading the machine failed")
        }
        () = stop.cancelled() => Ok(None),
    }
}
