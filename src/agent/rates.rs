//! Counters as rates.

use std::collections::HashMap;

/// Counters as they stood at the look before. A counter that is new, or that has begun anew, has no
/// rate until the look after.
#[derive(Debug, Default)]
pub(super) struct Rates {
    before: HashMap<String, u64>,
    now: HashMap<String, u64>,
}

impl Rates {
    /// How much a counter that stands at `total` has grown each second of the last `elapsed_s`,
    /// rounded.
    pub fn rate(&mut self, name: &str, total: u64, elapsed_s: f64) -> Option<u64> {
        self.now.insert(name.to_owned(), total);
        let grown = total.checked_sub(*self.before.get(name)?)?;
        (elapsed_s > 0.0).then(|| (grown as f64 / elapsed_s).round() as u64)
    }

    /// All counters of this look are told; what was not among them is forgotten.
    pub fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_two_looks_at_one_counter() {
        let mut rates = Rates::default();
        assert_eq!(rates.rate("eth0", 1_000, 1.0), None);
        rates.turn();
        assert_eq!(rates.rate("eth0", 4_001, 2.0), Some(1_501));
        assert_eq!(rates.rate("eth1", 9_999, 2.0), None, "it came just now");
        rates.turn();
        assert_eq!(rates.rate("eth0", 10, 1.0), None, "it began anew");
        rates.turn();
        assert_eq!(rates.rate("eth0", 10, 0.0), None);
        assert_eq!(rates.rate("eth1", 9_999, 1.0), None, "it was away for a look");
        rates.turn();
        assert_eq!(rates.rate("eth0", 10, 1.0), Some(0));
    }
}
