//! The metrics of a host, by the names that `stackledger agent` gives them. A further metric is a further
//! line in [`METRICS`].

use rust_decimal::Decimal;

use crate::simulate::rng::Rng;

/// A metric. Values are numbers of its smallest steps: exact, and the same on every machine.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// Number of decimals of a value.
    pub(crate) decimals: u32,
    /// The largest value, in steps; the smallest is 0.
    max: i64,
    /// How much it varies over a day, in thousandths of `max`.
    wave: i64,
    /// How much it varies from one sample to the next, in thousandths of `max`.
    noise: i64,
}

const GIB: i64 = 1 << 30;

pub(crate) const METRICS: [Metric; 10] = [
    metric("cpu", 2, 10_000, 250, 300),
    metric("mem", 2, 10_000, 100, 20),
    metric("mem.used_bytes", 0, 256 * GIB, 100, 20),
    metric("load1", 2, 6_400, 250, 200),
    metric("load5", 2, 6_400, 250, 60),
    metric("load15", 2, 6_400, 250, 20),
    metric("disk.used_percent:/", 2, 10_000, 5, 1),
    metric("disk.written_bytes_per_s:/", 0, 500_000_000, 150, 400),
    metric("net.received_bytes_per_s:eth0", 0, 1_250_000_000, 200, 400),
    metric("net.sent_bytes_per_s:eth0", 0, 1_250_000_000, 200, 400),
];

const fn metric(name: &'static str, decimals: u32, max: i64, wave: i64, noise: i64) -> Metric {
    Metric { name, decimals, max, wave, noise }
}

const DAY: i64 = 86_400;

impl Metric {
    /// Returns the value at a second of the simulation: the sum of a level, a daily wave and noise.
    /// `character` determines the host's own level and the time of its peak, `now` the noise.
    pub(super) fn value(&self, mut character: Rng, mut now: Rng, second: i64) -> i64 {
        let level = character.between(self.max as u64 / 10, self.max as u64 * 6 / 10) as i64;
        let phase = character.below(DAY as u64) as i64;
        let wave = wave(second + phase) * (self.max / 1_000) * self.wave / 1_000;
        let noise = now.below((self.max * self.noise / 1_000).max(1) as u64) as i64;
        (level + wave + noise).clamp(0, self.max)
    }

    /// Returns a number of steps as a value.
    pub(crate) fn decimal(&self, steps: i64) -> Decimal {
        Decimal::new(steps, self.decimals).normalize()
    }
}

/// Returns a wave between -1000 and 1000 with the period of a day: two parabolas in place of a sine.
fn wave(second: i64) -> i64 {
    let half = DAY / 2;
    let within = second.rem_euclid(half);
    let height = within * (half - within) * 4_000 / (half * half);
    if second.rem_euclid(DAY) < half { height } else { -height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_wave() {
        for (second, height) in
            [(0, 0), (DAY / 4, 1_000), (DAY / 2, 0), (DAY * 3 / 4, -1_000), (DAY, 0)]
        {
            assert_eq!((wave(second), wave(second - DAY)), (height, height), "{second}");
        }
    }

    #[test]
    fn values_stay_within_their_bounds_and_move() {
        for metric in &METRICS {
            let value =
                |second| metric.value(Rng::new(1, &[2]), Rng::new(1, &[second as u64]), second);
            let values: Vec<i64> = (0..DAY).step_by(600).map(value).collect();
            assert!(values.iter().all(|value| (0..=metric.max).contains(value)), "{}", metric.name);
            assert!(values.windows(2).any(|pair| pair[0] != pair[1]), "{}", metric.name);
        }
    }

    #[test]
    fn steps_are_exact_decimals() {
        assert_eq!(METRICS[0].decimal(1_250).to_string(), "12.5");
        assert_eq!(METRICS[2].decimal(256 * GIB).to_string(), "274877906944");
    }
}
