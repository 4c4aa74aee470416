//! Random numbers (SplitMix64), implemented here so that a seed gives the same cloud in every version.

use uuid::Uuid;

/// A sequence of numbers that depends only on the seed and the path.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Returns the sequence of `seed` that `path` names. Each thing has a path of its own, and so stays the
    /// same when another thing draws more or fewer numbers.
    pub(crate) fn new(seed: u64, path: &[u64]) -> Rng {
        let mut rng = Rng(seed);
        for step in path {
            rng = Rng(rng.next() ^ step.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        }
        rng
    }

    /// Returns the next number, uniform in all of `u64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number uniform in `0..bound`. No bound in use is large enough for the remainder's bias to
    /// matter.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Returns a number uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Returns `true` in `percent` of the calls.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Returns one of the items, all equally likely.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Returns an index uniform in `0..len`.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Returns a log-normal length of time in µs: half of them are shorter than `median_s`, a few are many
    /// times longer.
    pub(crate) fn micros(&mut self, median_s: f64, sigma: f64) -> i64 {
        // The sum of twelve uniform numbers is close enough to normal, and needs only `exp` of libm.
        let normal: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        (median_s * (sigma * normal).exp() * 1e6) as i64
    }

    /// Returns a number uniform in `0.0..1.0`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a version 4 UUID.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// Returns a random UUID that is marked as version 1.
    pub(crate) fn uuid1(&mut self) -> Uuid {
        let bytes = self.uuid().into_bytes();
        uuid::Builder::from_random_bytes(bytes).with_version(uuid::Version::Mac).into_uuid()
    }

    /// Returns 32 hexadecimal digits, the form of Keystone's ids and oslo's `_unique_id`.
    pub(crate) fn hex32(&mut self) -> String {
        self.uuid().simple().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_sequence() {
        assert_eq!(Rng::new(7, &[1, 2]).next(), Rng::new(7, &[1, 2]).next());
        assert_ne!(Rng::new(7, &[1, 2]).next(), Rng::new(7, &[2, 1]).next());
        assert_ne!(Rng::new(7, &[]).next(), Rng::new(8, &[]).next());
    }

    #[test]
    fn durations_centre_on_their_median() {
        let mut rng = Rng::new(1, &[]);
        let longer = (0..10_000).filter(|_| rng.micros(20.0, 0.8) > 20_000_000).count();
        assert!((4_700..5_300).contains(&longer), "{longer} of 10000 are longer than the median");
    }
}
