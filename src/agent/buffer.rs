//! The buffer of samples that wait to be delivered. It is bounded; the oldest are dropped and counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::sample::Sample;

/// The smallest capacity: one event in hand, and one that waits.
pub const CAPACITY_MIN: usize = 2;

/// The fate of an event that was handed out for delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The other side has accepted it.
    Delivered,
    /// The other side will never accept it.
    Refused,
    /// It waits for the next attempt.
    Kept,
}

/// A buffer shared by the task that samples and the task that delivers.
#[derive(Debug)]
pub(super) struct Buffer {
    capacity: usize,
    state: Mutex<State>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In order of time.
    waiting: VecDeque<Sample>,
    /// The number of first events that are being delivered. They are not dropped, because an event that
    /// arrives must not be counted as lost.
    in_hand: usize,
    dropped: u64,
    /// Events dropped for lack of room since the last report.
    overflow: Option<Overflow>,
}

/// Events that were dropped because the buffer was full: their number, and the times of the first and the
/// last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Buffer {
    pub fn new(capacity: usize) -> Buffer {
        Buffer {
            capacity: capacity.max(CAPACITY_MIN),
            state: Mutex::default(),
            pushed: Notify::new(),
        }
    }

    /// Adds the newest sample. If the buffer is full, drops the oldest one that is not in hand.
    pub fn push(&self, sample: Sample) {
        let mut state = self.lock();
        if state.waiting.len() >= self.capacity {
            let oldest = state.in_hand;
            if let Some(lost) = state.waiting.remove(oldest) {
                state.dropped += 1;
                match &mut state.overflow {
                    Some(overflow) => {
                        (overflow.count, overflow.last) = (overflow.count + 1, lost.at)
                    }
                    None => {
                        state.overflow = Some(Overflow { count: 1, first: lost.at, last: lost.at });
                        tracing::warn!(
                            "the buffer is full ({} events): dropping the oldest",
                            self.capacity
                        );
                    }
                }
            }
        }
        state.waiting.push_back(sample);
        self.pushed.notify_one();
    }

    /// Waits until the buffer is not empty.
    pub async fn wait_until_filled(&self) {
        while self.lock().waiting.is_empty() {
            self.pushed.notified().await;
        }
    }

    /// Hands out the oldest samples: at most `count_max`, at most `bytes_max` in total (but always one), and
    /// at most half of the capacity. Call [`Buffer::settle`] afterwards.
    pub fn take(&self, count_max: usize, bytes_max: usize) -> Vec<Sample> {
        let mut state = self.lock();
        let count_max = count_max.min(self.capacity / 2);
        let mut bytes = 0;
        let fits = |sample: &&Sample| {
            let is_first = bytes == 0;
            bytes += sample.body.len();
            is_first || bytes <= bytes_max
        };
        let taken: Vec<Sample> =
            state.waiting.iter().take(count_max).take_while(fits).cloned().collect();
        state.in_hand = taken.len();
        taken
    }

    /// Applies the fates of the samples handed out, in the same order. Samples without a fate are kept.
    pub fn settle(&self, fates: &[Fate]) {
        let mut state = self.lock();
        let (in_hand, mut index) = (std::mem::take(&mut state.in_hand), 0);
        state.dropped += fates.iter().filter(|fate| **fate == Fate::Refused).count() as u64;
        state.waiting.retain(|_| {
            let fate = fates.get(index).filter(|_| index < in_hand);
            index += 1;
            fate.is_none_or(|fate| *fate == Fate::Kept)
        });
    }

    /// The number of events dropped since the start, for any reason.
    pub fn dropped_count(&self) -> u64 {
        self.lock().dropped
    }

    /// Takes the report of events that were dropped for lack of room since the last call.
    pub fn take_overflow(&self) -> Option<Overflow> {
        self.lock().overflow.take()
    }

    /// The number of events in the buffer, and the times of the first and the last.
    pub fn remaining(&self) -> (usize, Option<(Timestamp, Timestamp)>) {
        let state = self.lock();
        let ends = state.waiting.front().zip(state.waiting.back());
        (state.waiting.len(), ends.map(|(first, last)| (first.at, last.at)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::machine::Metrics;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn push(buffer: &Buffer, seconds: std::ops::Range<i64>) {
        for second in seconds {
            buffer.push(Sample::new("h", at(second), Metrics::new(), 0));
        }
    }

    fn times(samples: &[Sample]) -> Vec<i64> {
        samples.iter().map(|sample| sample.at.as_second() - 1_795_000_000).collect()
    }

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let buffer = Buffer::new(4);
        push(&buffer, 0..7);
        assert_eq!((buffer.remaining(), buffer.dropped_count()), ((4, Some((at(3), at(6)))), 3));
        assert_eq!(buffer.take_overflow(), Some(Overflow { count: 3, first: at(0), last: at(2) }));
        assert_eq!(buffer.take_overflow(), None, "reported once");
        assert_eq!(times(&buffer.take(100, usize::MAX)), [3, 4], "half of it at a time");
    }

    #[test]
    fn events_in_hand_are_not_dropped() {
        let buffer = Buffer::new(4);
        push(&buffer, 0..4);
        assert_eq!(times(&buffer.take(2, usize::MAX)), [0, 1]);
        push(&buffer, 4..6);
        assert_eq!(buffer.take_overflow(), Some(Overflow { count: 2, first: at(2), last: at(3) }));
        buffer.settle(&[Fate::Delivered, Fate::Kept]);
        assert_eq!(buffer.remaining(), (3, Some((at(1), at(5)))));
        assert_eq!(times(&buffer.take(2, usize::MAX)), [1, 4]);
        buffer.settle(&[]);
        push(&buffer, 6..8);
        assert_eq!((buffer.remaining(), buffer.dropped_count()), ((4, Some((at(4), at(7)))), 3));
    }

    #[test]
    fn refused_events_are_removed_and_counted() {
        let buffer = Buffer::new(10);
        push(&buffer, 0..3);
        buffer.take(3, usize::MAX);
        buffer.settle(&[Fate::Refused, Fate::Kept, Fate::Delivered]);
        assert_eq!((buffer.remaining(), buffer.dropped_count()), ((1, Some((at(1), at(1)))), 1));
    }

    #[test]
    fn a_batch_is_bounded_by_bytes_but_never_empty() {
        let buffer = Buffer::new(100);
        push(&buffer, 0..10);
        let size = buffer.take(1, usize::MAX)[0].body.len();
        assert_eq!(buffer.take(10, size * 3).len(), 3);
        assert_eq!(buffer.take(10, 1).len(), 1);
    }

    #[tokio::test]
    async fn a_waiting_task_is_woken_by_the_first_sample() {
        let buffer = Buffer::new(10);
        let (_, ()) = tokio::join!(buffer.wait_until_filled(), async { push(&buffer, 0..1) });
    }
}
