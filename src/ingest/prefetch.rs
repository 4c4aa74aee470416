//! How far ahead a broker may send. Many small messages in flight keep it busy; as many large ones
//! would fill the memory. AMQP's limit counts messages, not bytes, so the number follows their size.

/// Bytes of bodies in flight that one queue is meant to stay below.
const BYTES: f64 = (48 << 20) as f64;
/// Before anybody knows how large they are.
const AT_FIRST: u16 = 500;
/// Fewer would make the broker wait for every ack.
const AT_LEAST: u16 = 50;
/// Messages over which the mean size is taken.
const MEMORY: f64 = 256.0;
/// A new limit costs a pause, so it is taken only when it is this much larger or smaller.
const WORTH_IT: f64 = 1.5;

/// The limit of one queue.
pub(super) struct Ahead {
    most: u16,
    now: u16,
    seen: f64,
    mean_bytes: f64,
}

impl Ahead {
    /// A limit of at most `most` messages.
    pub fn new(most: u16) -> Ahead {
        Ahead { most, now: most.min(AT_FIRST), seen: 0.0, mean_bytes: 0.0 }
    }

    /// Unacked messages that the broker may send now.
    pub fn messages(&self) -> u16 {
        self.now
    }

    /// Takes note of a body's size.
    pub fn saw(&mut self, bytes: usize) {
        self.seen = (self.seen + 1.0).min(MEMORY);
        self.mean_bytes += (bytes as f64 - self.mean_bytes) / self.seen;
    }

    /// Whether the limit should become another one.
    pub fn is_off(&self) -> bool {
        let ratio = f64::from(self.fitting()) / f64::from(self.now);
        self.seen > 0.0 && !(1.0 / WORTH_IT..WORTH_IT).contains(&ratio)
    }

    /// Takes the limit that fits what was seen.
    pub fn adapt(&mut self) {
        self.now = self.fitting();
    }

    fn fitting(&self) -> u16 {
        // `as` saturates, also where nothing but empty bodies was seen.
        let fitting = (BYTES / self.mean_bytes.max(1.0)) as u16;
        fitting.max(AT_LEAST).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(most: u16, bytes: usize, messages: usize) -> Ahead {
        let mut ahead = Ahead::new(most);
        (0..messages).for_each(|_| ahead.saw(bytes));
        if ahead.is_off() {
            ahead.adapt();
        }
        ahead
    }

    #[test]
    fn small_messages_are_sent_far_ahead_large_ones_are_not() {
        assert_eq!(Ahead::new(3000).messages(), 500);
        assert!(!Ahead::new(3000).is_off(), "nothing was seen yet");
        assert_eq!(after(3000, 3_000, 100).messages(), 3000);
        assert_eq!(after(3000, 100_000, 100).messages(), 500, "503 is not worth a pause");
        assert_eq!(after(3000, 1_000_000, 100).messages(), 50);
        assert_eq!(after(20, 10, 100).messages(), 20, "what was configured is the most");
        assert_eq!(after(3000, 0, 100).messages(), 3000);
    }

    #[test]
    fn it_follows_when_the_messages_change() {
        let mut ahead = after(3000, 3_000, 1000);
        (0..100).for_each(|_| ahead.saw(400_000));
        assert!(ahead.is_off());
        ahead.adapt();
        assert!(ahead.messages() < 500, "{}", ahead.messages());
    }

    proptest! {
        #[test]
        fn what_is_in_flight_stays_bounded(sizes in proptest::collection::vec(0_usize..20_000_000, 1..600), most in 1_u16..) {
            let mut ahead = Ahead::new(most);
            for size in sizes {
                ahead.saw(size);
                if ahead.is_off() {
                    ahead.adapt();
                    prop_assert!(!ahead.is_off());
                }
                prop_assert!(ahead.messages() >= 1 && ahead.messages() <= most);
                let in_flight = f64::from(ahead.messages()) * ahead.mean_bytes;
                let bound = BYTES.max(f64::from(AT_LEAST) * ahead.mean_bytes);
                // A little more, for how floating point rounds.
                prop_assert!(in_flight <= 1.001 * WORTH_IT * bound, "{in_flight}");
            }
        }
    }
}
