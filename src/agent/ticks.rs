//! The times of sampling: whole intervals of the clock, so that the samples of all hosts and all runs are
//! taken at the same times. A missed tick is skipped, not made up for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::lifecycle;

/// Ticks at whole intervals of the clock.
pub(super) struct Ticks {
    /// In µs.
    interval: i64,
}

impl Ticks {
    /// Creates the ticks of an interval.
    ///
    /// # Panics
    ///
    /// If the interval is shorter than 1 µs.
    pub fn new(interval: Duration) -> Ticks {
        let interval = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
        assert!(interval > 0, "an interval is at least 1 µs");
        Ticks { interval }
    }

    /// Waits for the next tick and returns its time; `None` if asked to stop meanwhile.
    pub async fn next(&self, stop: &CancellationToken) -> Option<Timestamp> {
        let mut due = self.first_after(lifecycle::now());
        loop {
            let left = due.duration_since(lifecycle::now());
            if !left.is_positive() {
                return (!stop.is_cancelled()).then_some(due);
            }
            if left.as_micros() > self.interval.into() {
                // The clock was set back.
                due = self.first_after(lifecycle::now());
            }
            tokio::select! {
                () = tokio::time::sleep(left.unsigned_abs()) => {}
                () = stop.cancelled() => return None,
            }
        }
    }

    /// Returns the number of ticks between two ticks.
    pub fn count_between(&self, one: Timestamp, other: Timestamp) -> i64 {
        let distance = other.as_microsecond().saturating_sub(one.as_microsecond());
        (distance / self.interval - 1).max(0)
    }

    /// Returns the first tick after a time.
    fn first_after(&self, now: Timestamp) -> Timestamp {
        let elapsed = now.as_microsecond().rem_euclid(self.interval);
        now.saturating_add(SignedDuration::from_micros(self.interval - elapsed))
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_whole_intervals_of_the_clock() {
        for (seconds, now, next) in [
            (1, "2026-11-20T03:05:54Z", "2026-11-20T03:05:55Z"),
            (1, "2026-11-20T03:05:54.000001Z", "2026-11-20T03:05:55Z"),
            (10, "2026-11-20T03:05:54.58Z", "2026-11-20T03:06:00Z"),
            (60, "2026-11-20T03:05:59.999999Z", "2026-11-20T03:06:00Z"),
            (86_400, "2026-11-20T03:05:54Z", "2026-11-21T00:00:00Z"),
            (1, "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"),
        ] {
            let ticks = Ticks::new(Duration::from_secs(seconds));
            assert_eq!(
                ticks.first_after(now.parse().unwrap()),
                next.parse().unwrap(),
                "{seconds} {now}"
            );
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(Ticks::new(Duration::from_secs(86_400)).next(&stop).await, None);
    }

    #[test]
    fn missed_ticks_are_counted() {
        let ticks = Ticks::new(Duration::from_secs(10));
        let at = |second| Timestamp::from_second(second).unwrap();
        for (one, other, missed) in [(0, 10, 0), (0, 20, 1), (0, 100, 9), (100, 0, 0)] {
            assert_eq!(ticks.count_between(at(one), at(other)), missed);
        }
    }
}
