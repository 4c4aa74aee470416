//! From looks at hosts to what is known of each metric.

use jiff::Timestamp;

use super::{HostTruth, MetricTruth};
use crate::simulate::{
    hosts::{Look, METRICS, Monitored},
    scenario::Micros,
    wire::instant,
};

/// More series than these are not told one by one.
const SERIES_MAX: usize = 5_000;

/// Values of one metric, while they are counted in its steps.
#[derive(Clone, Copy)]
struct Sums {
    samples: u64,
    sum: i128,
    min: i64,
    max: i64,
    first: Micros,
    last: Micros,
}

const NOTHING: Sums = Sums {
    samples: 0,
    sum: 0,
    min: i64::MAX,
    max: i64::MIN,
    first: Micros::MAX,
    last: Micros::MIN,
};

impl Sums {
    fn add(&mut self, value: i64, at: Micros) {
        self.merge(&Sums {
            samples: 1,
            sum: value.into(),
            min: value,
            max: value,
            first: at,
            last: at,
        });
    }

    fn merge(&mut self, other: &Sums) {
        self.samples += other.samples;
        self.sum += other.sum;
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
    }
}

/// Every metric of every host, as far as there are not too many of them, and every metric over all
/// hosts.
pub(crate) fn hosts(base: Timestamp, monitored: &Monitored) -> (Vec<HostTruth>, Vec<MetricTruth>) {
    if monitored.hosts.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let is_told = monitored.hosts.len() * METRICS.len() <= SERIES_MAX;
    let (mut truths, mut all) = (Vec::new(), [NOTHING; METRICS.len()]);
    for (host, name) in (0..).zip(&monitored.hosts) {
        let mut sums = [NOTHING; METRICS.len()];
        for look in (0..monitored.ticks).map(|tick| Look { host, tick }) {
            let at = monitored.at(look);
            for (metric, sums) in sums.iter_mut().enumerate() {
                sums.add(monitored.value(metric, look), at);
            }
        }
        all.iter_mut().zip(&sums).for_each(|(all, sums)| all.merge(sums));
        if is_told {
            truths.push(HostTruth { host: name.clone(), metrics: metrics(base, &sums) });
        }
    }
    (truths, metrics(base, &all))
}

fn metrics(base: Timestamp, sums: &[Sums]) -> Vec<MetricTruth> {
    let truth = |(metric, sums): (&crate::simulate::hosts::Metric, &Sums)| MetricTruth {
        metric: metric.name.to_owned(),
        samples: sums.samples,
        sum: rust_decimal::Decimal::from_i128_with_scale(sums.sum, metric.decimals).normalize(),
        min: metric.decimal(sums.min),
        max: metric.decimal(sums.max),
        first_at: instant(base, sums.first),
        last_at: instant(base, sums.last),
    };
    METRICS.iter().zip(sums).map(truth).collect()
}
