//! A fleet of hosts whose values can be computed from their places, so that none has to be kept.

use jiff::Timestamp;
use rust_decimal::Decimal;

/// Hosts that send ten metrics each second.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    pub hosts: u32,
    pub seconds: u32,
}

pub const METRICS: u32 = 10;

/// 2026-11-20T00:00:00Z: the hour that begins here lies within one hour and one day of the calendar.
const BEGIN: i64 = 1_795_132_800;

/// The number of events that are shuffled among each other.
const WINDOW: u32 = 4096;

impl Fleet {
    pub fn events(self) -> u32 {
        self.hosts * self.seconds
    }

    /// Returns the value of a metric of a host in a second: of either sign, with up to three decimals.
    pub fn value(host: u32, metric: u32, second: u32) -> Decimal {
        let mixed = u64::from(host) * 7919 + u64::from(metric) * 104_729;
        let mixed = (mixed + u64::from(second) * u64::from(metric * 31 + 17)) % 10_007;
        let shift = if metric == 3 { 5000 } else { 0 };
        Decimal::new(mixed as i64 - shift, metric % 4)
    }

    pub fn host(host: u32) -> String {
        format!("compute-{host:04}")
    }

    pub fn metric(metric: u32) -> String {
        format!("metric.{metric}")
    }

    pub fn at(second: u32) -> Timestamp {
        Timestamp::from_second(BEGIN + i64::from(second)).unwrap()
    }

    /// Returns the nth body to send: places are shuffled within windows.
    pub fn body(self, nth: u32) -> Vec<u8> {
        let window = nth / WINDOW * WINDOW;
        let length = WINDOW.min(self.events() - window);
        // The factor is a prime that divides no length of a window.
        let place = u64::from(nth - window) * 7907 % u64::from(length);
        let place = window + place as u32;
        let (second, host) = (place / self.hosts, place % self.hosts);
        let values: Vec<String> = (0..METRICS)
            .map(|metric| {
                let value = Fleet::value(host, metric, second);
                format!(r#""{}": {value}"#, Fleet::metric(metric))
            })
            .collect();
        format!(
            r#"{{"specversion": "1.0", "id": "{place}", "source": "//agent", "type": "perf.sampled", "time": "{at}", "data": {{"host": "{host}", "time": "{at}", "metrics": {{{values}}}}}}}"#,
            at = Fleet::at(second),
            host = Fleet::host(host),
            values = values.join(", "),
        )
        .into_bytes()
    }
}
