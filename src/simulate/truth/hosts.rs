//! The truth of hosts' metrics, from their samples.

use jiff::Timestamp;

use super::{HostTruth, MetricTruth};
use crate::simulate::{
    hosts::{HostSample, HostSamples, METRICS, Metric},
    time::{Micros, instant},
};

/// The largest number of series that the truth contains one by one.
const SERIES_MAX: usize = 5_000;

/// The summed values of one metric, in its smallest steps.
#[derive(Clone, Copy)]
struct MetricSums {
    samples: u64,
    sum: i128,
    min: i64,
    max: i64,
    first: Micros,
    last: Micros,
}

const EMPTY: MetricSums = MetricSums {
    samples: 0,
    sum: 0,
    min: i64::MAX,
    max: i64::MIN,
    first: Micros::MAX,
    last: Micros::MIN,
};

impl MetricSums {
    fn add(&mut self, value: i64, at: Micros) {
        self.merge(&MetricSums {
            samples: 1,
            sum: value.into(),
            min: value,
            max: value,
            first: at,
            last: at,
        });
    }

    fn merge(&mut self, other: &MetricSums) {
        self.samples += other.samples;
        self.sum += other.sum;
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
    }
}

/// Returns every metric of every host, unless there are more than [`SERIES_MAX`], and every metric over all
/// hosts.
pub(crate) fn fold_hosts(
    base: Timestamp,
    host_samples: &HostSamples,
) -> (Vec<HostTruth>, Vec<MetricTruth>) {
    if host_samples.hosts.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let has_hosts = host_samples.hosts.len() * METRICS.len() <= SERIES_MAX;
    let (mut truths, mut all) = (Vec::new(), [EMPTY; METRICS.len()]);
    for (host, name) in (0..).zip(&host_samples.hosts) {
        let mut sums = [EMPTY; METRICS.len()];
        for sample in (0..host_samples.ticks).map(|tick| HostSample { host, tick }) {
            let at = host_samples.at(sample);
            for (metric, sums) in sums.iter_mut().enumerate() {
                sums.add(host_samples.value(metric, sample), at);
            }
        }
        all.iter_mut().zip(&sums).for_each(|(all, sums)| all.merge(sums));
        if has_hosts {
            truths.push(HostTruth { host: name.clone(), metrics: metric_truths(base, &sums) });
        }
    }
    (truths, metric_truths(base, &all))
}

fn metric_truths(base: Timestamp, sums: &[MetricSums]) -> Vec<MetricTruth> {
    let truth = |(metric, sums): (&Metric, &MetricSums)| MetricTruth {
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
