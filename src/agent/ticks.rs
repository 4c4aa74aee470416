//! When to look: on whole intervals of the clock, so that the samples of all hosts and of all runs
//! fall into the same places. A tick that is missed is left out, not made up for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::lifecycle;

/// The ticks of a clock.
pub(super) struct Ticks {
    /// In µs.
    interval: i64,
}

impl Ticks {
    /// # Panics
    ///
    /// When the interval is shorter than a µs.
    pub fn new(interval: Duration) -> Ticks {
        let interval = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
        assert!(interval > 0, "an interval takes time");
        Ticks { interval }
    }

    /// Waits for the next tick, and says which it is; `None` when asked to stop meanwhile.
    pub async fn next(&self, stop: &CancellationToken) -> Option<Timestamp> {
        let mut due = self.after(lifecycle::now());
        loop {
            let left = due.duration_since(lifecycle::now());
            if !left.is_positive() {
                return (!stop.is_cancelled()).then_some(due);
            }
            if left.as_micros() > self.interval.into() {
                // Somebody has set the clock back.
                due = self.after(lifecycle::now());
            }
            tokio::select! {
                () = tokio::time::sleep(left.unsigned_abs()) => {}
                () = stop.cancelled() => return None,
            }
        }
    }

    /// How many ticks lie between two.
    pub fn between(&self, one: Timestamp, other: Timestamp) -> i64 {
        let apart = other.as_microsecond().saturating_sub(one.as_microsecond());
        (apart / self.interval - 1).max(0)
    }

    /// The first tick after a moment.
    fn after(&self, now: Timestamp) -> Timestamp {
        let into = now.as_microsecond().rem_euclid(self.interval);
        now.saturating_add(SignedDuration::from_micros(self.interval - into))
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
            assert_eq!(ticks.after(now.parse().unwrap()), next.parse().unwrap(), "{seconds} {now}");
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
            assert_eq!(ticks.between(at(one), at(other)), missed);
        }
    }
}
