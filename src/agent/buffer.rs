//! The samples that wait: bounded, the oldest dropped and counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::sample::Sample;

/// The smallest buffer: one event in hand, one that waits.
pub const CAPACITY_MIN: usize = 2;

/// What became of an event that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The other side has it.
    Delivered,
    /// The other side will never take it.
    Refused,
    /// It waits for the next try.
    Kept,
}

/// Shared by who samples and who delivers.
#[derive(Debug)]
pub(super) struct Buffer {
    capacity: usize,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of time.
    waiting: VecDeque<Sample>,
    /// So many of the first are with the other side, whose answer is awaited: they are not dropped,
    /// or one that arrives would have been counted as lost.
    in_hand: usize,
    dropped: u64,
    /// The times of the first and the last that had no room, since this was told.
    overflow: Option<Overflow>,
}

/// Events for which there was no room.
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
            filled: Notify::new(),
        }
    }

    /// Adds the newest; where there is no room the oldest that is not in hand makes it.
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
                            "the buffer is full ({} events): the oldest are dropped from now on",
                            self.capacity
                        );
                    }
                }
            }
        }
        state.waiting.push_back(sample);
        self.filled.notify_one();
    }

    /// Waits until there is something to take.
    pub async fn filled(&self) {
        while self.lock().waiting.is_empty() {
            self.filled.notified().await;
        }
    }

    /// Hands out the oldest: at most so many, of at most so many bytes (but one), and at most half
    /// of what there is room for. [`Buffer::settle`] has to follow.
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

    /// Says what became of what was handed out, in the same order; what is not mentioned is kept.
    pub fn settle(&self, fates: &[Fate]) {
        let mut state = self.lock();
        let (in_hand, mut place) = (std::mem::take(&mut state.in_hand), 0);
        state.dropped += fates.iter().filter(|fate| **fate == Fate::Refused).count() as u64;
        state.waiting.retain(|_| {
            let fate = fates.get(place).filter(|_| place < in_hand);
            place += 1;
            fate.is_none_or(|fate| *fate == Fate::Kept)
        });
    }

    /// How many events were dropped since the beginning, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// What had no room since this was asked last.
    pub fn overflow(&self) -> Option<Overflow> {
        self.lock().overflow.take()
    }

    /// How many events wait, and the times of the first and the last.
    pub fn left(&self) -> (usize, Option<(Timestamp, Timestamp)>) {
        let state = self.lock();
        let ends = state.waiting.front().zip(state.waiting.back());
        (state.waiting.len(), ends.map(|(first, last)| (first.at, last.at)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it.
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
        assert_eq!((buffer.left(), buffer.dropped()), ((4, Some((at(3), at(6)))), 3));
        assert_eq!(buffer.overflow(), Some(Overflow { count: 3, first: at(0), last: at(2) }));
        assert_eq!(buffer.overflow(), None, "told once");
        assert_eq!(times(&buffer.take(100, usize::MAX)), [3, 4], "half of it at a time");
    }

    #[test]
    fn what_is_in_hand_is_not_dropped() {
        let buffer = Buffer::new(4);
        push(&buffer, 0..4);
        assert_eq!(times(&buffer.take(2, usize::MAX)), [0, 1]);
        push(&buffer, 4..6);
        assert_eq!(buffer.overflow(), Some(Overflow { count: 2, first: at(2), last: at(3) }));
        buffer.settle(&[Fate::Delivered, Fate::Kept]);
        assert_eq!(buffer.left(), (3, Some((at(1), at(5)))));
        assert_eq!(times(&buffer.take(2, usize::MAX)), [1, 4]);
        buffer.settle(&[]);
        push(&buffer, 6..8);
        assert_eq!((buffer.left(), buffer.dropped()), ((4, Some((at(4), at(7)))), 3));
    }

    #[test]
    fn what_is_refused_goes_and_is_counted() {
        let buffer = Buffer::new(10);
        push(&buffer, 0..3);
        buffer.take(3, usize::MAX);
        buffer.settle(&[Fate::Refused, Fate::Kept, Fate::Delivered]);
        assert_eq!((buffer.left(), buffer.dropped()), ((1, Some((at(1), at(1)))), 1));
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
    async fn whoever_waits_hears_of_the_first() {
        let buffer = Buffer::new(10);
        let (_, ()) = tokio::join!(buffer.filled(), async { push(&buffer, 0..1) });
    }
}
