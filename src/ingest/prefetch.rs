//! The prefetch limit of a queue. Many small messages in flight keep the broker busy; as many large ones would
//! fill the memory. AMQP's limit counts messages, not bytes, so the limit follows the size of the messages.

/// Intended maximum of the bodies in flight for one queue, in bytes.
const IN_FLIGHT_BYTES_MAX: f64 = (48 << 20) as f64;
/// The limit until the size of the messages is known.
const LIMIT_INITIAL: u16 = 500;
/// The lowest limit: with fewer messages in flight the broker would wait for every ack.
const LIMIT_MIN: u16 = 50;
/// Number of recent messages that the mean size covers.
const MEAN_WINDOW: f64 = 256.0;
/// A new limit costs a pause, so the limit changes only by at least this factor, up or down.
const CHANGE_FACTOR_MIN: f64 = 1.5;

/// The prefetch limit of one queue.
pub(super) struct Prefetch {
    max: u16,
    limit: u16,
    /// Number of messages recorded, up to [`MEAN_WINDOW`].
    recorded: f64,
    mean_bytes: f64,
}

impl Prefetch {
    /// Creates a limit that never exceeds `max` messages.
    pub fn new(max: u16) -> Prefetch {
        Prefetch { max, limit: max.min(LIMIT_INITIAL), recorded: 0.0, mean_bytes: 0.0 }
    }

    /// The number of unacked messages that the broker may send now.
    pub fn limit(&self) -> u16 {
        self.limit
    }

    /// Records the size of a body, in bytes.
    pub fn record(&mut self, bytes: usize) {
        self.recorded = (self.recorded + 1.0).min(MEAN_WINDOW);
        self.mean_bytes += (bytes as f64 - self.mean_bytes) / self.recorded;
    }

    /// Whether the limit no longer fits the size of the messages.
    pub fn needs_change(&self) -> bool {
        let ratio = f64::from(self.fitting()) / f64::from(self.limit);
        self.recorded > 0.0 && !(1.0 / CHANGE_FACTOR_MIN..CHANGE_FACTOR_MIN).contains(&ratio)
    }

    /// Sets the limit that fits the recorded sizes.
    pub fn adapt(&mut self) {
        self.limit = self.fitting();
    }

    fn fitting(&self) -> u16 {
        // `as` saturates, also if all recorded bodies were empty.
        let fitting = (IN_FLIGHT_BYTES_MAX / self.mean_bytes.max(1.0)) as u16;
        fitting.max(LIMIT_MIN).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(max: u16, bytes: usize, messages: usize) -> Prefetch {
        let mut prefetch = Prefetch::new(max);
        (0..messages).for_each(|_| prefetch.record(bytes));
        if prefetch.needs_change() {
            prefetch.adapt();
        }
        prefetch
    }

    #[test]
    fn small_messages_are_sent_far_ahead_large_ones_are_not() {
        assert_eq!(Prefetch::new(3000).limit(), 500);
        assert!(!Prefetch::new(3000).needs_change(), "no message was recorded yet");
        assert_eq!(after(3000, 3_000, 100).limit(), 3000);
        assert_eq!(after(3000, 100_000, 100).limit(), 500, "503 is not worth a pause");
        assert_eq!(after(3000, 1_000_000, 100).limit(), 50);
        assert_eq!(after(20, 10, 100).limit(), 20, "the configured maximum holds");
        assert_eq!(after(3000, 0, 100).limit(), 3000);
    }

    #[test]
    fn the_limit_follows_when_the_messages_change() {
        let mut prefetch = after(3000, 3_000, 1000);
        (0..100).for_each(|_| prefetch.record(400_000));
        assert!(prefetch.needs_change());
        prefetch.adapt();
        assert!(prefetch.limit() < 500, "{}", prefetch.limit());
    }

    proptest! {
        #[test]
        fn bytes_in_flight_stay_bounded(sizes in proptest::collection::vec(0_usize..20_000_000, 1..600), max in 1_u16..) {
            let mut prefetch = Prefetch::new(max);
            for size in sizes {
                prefetch.record(size);
                if prefetch.needs_change() {
                    prefetch.adapt();
                    prop_assert!(!prefetch.needs_change());
                }
                prop_assert!(prefetch.limit() >= 1 && prefetch.limit() <= max);
                let in_flight = f64::from(prefetch.limit()) * prefetch.mean_bytes;
                let bound = IN_FLIGHT_BYTES_MAX.max(f64::from(LIMIT_MIN) * prefetch.mean_bytes);
                // A little more, because floating point rounds.
                prop_assert!(in_flight <= 1.001 * CHANGE_FACTOR_MIN * bound, "{in_flight}");
            }
        }
    }
}
