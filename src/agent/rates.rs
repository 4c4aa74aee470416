//! Rates of counters.

use std::collections::HashMap;

/// The counters of the previous and the present reading. A counter that is new or has restarted has no rate
/// until the next reading.
#[derive(Debug, Default)]
pub(super) struct Rates {
    before: HashMap<String, u64>,
    now: HashMap<String, u64>,
}

impl Rates {
    /// Records a counter's value, and returns its rounded increase per second over the last `elapsed_s`
    /// seconds; `None` if that is unknown.
    pub fn rate(&mut self, name: &str, total: u64, elapsed_s: f64) -> Option<u64> {
        self.now.insert(name.to_owned(), total);
        let grown = total.checked_sub(*self.before.get(name)?)?;
        (elapsed_s > 0.0).then(|| (grown as f64 / elapsed_s).round() as u64)
    }

    /// Ends a reading. Counters that were not recorded in it are forgotten.
    pub fn finish_reading(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_two_readings_of_a_counter() {
        let mut rates = Rates::default();
        assert_eq!(rates.rate("eth0", 1_000, 1.0), None);
        rates.finish_reading();
        assert_eq!(rates.rate("eth0", 4_001, 2.0), Some(1_501));
        assert_eq!(rates.rate("eth1", 9_999, 2.0), None, "a new counter");
        rates.finish_reading();
        assert_eq!(rates.rate("eth0", 10, 1.0), None, "a restarted counter");
        rates.finish_reading();
        assert_eq!(rates.rate("eth0", 10, 0.0), None);
        assert_eq!(rates.rate("eth1", 9_999, 1.0), None, "a counter absent from the last reading");
        rates.finish_reading();
        assert_eq!(rates.rate("eth0", 10, 1.0), Some(0));
    }
}
