//! A summary, by Lizmon's arithmetic. Its buckets contain the samples after their start and up to their end;
//! they are computed from ours, which contain the samples from their start on.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use serde::Serialize;
use utoipa::ToSchema;

use crate::projection::rollup::{BucketSums, Resolution};

/// The maximum number of buckets in a summary; the newest are kept.
const AVERAGES_MAX: usize = 60;

/// The time that a summary covers, and its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its word in labels.
    pub word: &'static str,
    /// The time it covers, in seconds.
    length: i64,
    /// The length of a bucket.
    pub resolution: Resolution,
}

/// The last hour by the minute.
pub(super) const MINUTE: Window =
    Window { word: "by-minute", length: 3600, resolution: Resolution::Minute };
/// The last day by the hour.
pub(super) const HOUR: Window =
    Window { word: "by-hour", length: 86_400, resolution: Resolution::Hour };

/// The means of a metric over a window.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = LizmonSummary)]
pub(super) struct Summary {
    /// Seconds since 1970: the start of the first bucket of the window.
    start: i64,
    /// The time of the request.
    end: i64,
    /// The length of a bucket.
    timeslice_size_sec: i64,
    /// The number of averages.
    average_count: usize,
    averages: Vec<Average>,
}

/// The mean of the samples after `start-sec` and up to `end-sec`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = LizmonAverage)]
pub(super) struct Average {
    start_sec: i64,
    end_sec: i64,
    interval_size_sec: i64,
    num_samples: i64,
    /// Rounded to two decimals.
    avg: f64,
}

impl Window {
    /// Returns the length of a bucket, in seconds.
    const fn interval(self) -> i64 {
        self.resolution.width() / 1_000_000
    }

    /// Returns the starts of the first bucket and of the one after the last, in seconds. The samples exactly
    /// on the latter start belong to the last bucket.
    pub fn range(self, now: i64) -> (i64, i64) {
        let first = (now - self.length).div_euclid(self.interval()) * self.interval();
        let count = (now - first + self.interval() - 1) / self.interval();
        (first, first + count * self.interval())
    }

    /// Computes the summary of a metric at `now` from its buckets, by their starts in seconds. `None` if the
    /// window contains no sample.
    pub fn summarize(self, now: i64, buckets: &BTreeMap<i64, BucketSums>) -> Option<Summary> {
        let (first, end) = self.range(now);
        let starts = (first..end).step_by(self.interval().unsigned_abs() as usize);
        let mut averages: Vec<Average> =
            starts.filter_map(|start| self.average(start, buckets)).collect();
        averages.drain(..averages.len().saturating_sub(AVERAGES_MAX));
        (!averages.is_empty()).then_some(Summary {
            start: first,
            end: now,
            timeslice_size_sec: self.interval(),
            average_count: averages.len(),
            averages,
        })
    }

    /// Computes the mean of the samples after `start` and up to the end of the bucket.
    fn average(self, start: i64, buckets: &BTreeMap<i64, BucketSums>) -> Option<Average> {
        let end = start + self.interval();
        let (mut count, mut sum) = (0, Sum::default());
        if let Some(bucket) = buckets.get(&start) {
            count += bucket.count - bucket.edge_count;
            sum.add(&bucket.sum, 1);
            sum.add(&bucket.edge_sum, -1);
        }
        if let Some(next) = buckets.get(&end) {
            count += next.edge_count;
            sum.add(&next.edge_sum, 1);
        }
        (count > 0).then(|| Average {
            start_sec: start,
            end_sec: end,
            interval_size_sec: self.interval(),
            num_samples: count,
            avg: round(sum.divide_by(count)),
        })
    }
}

/// Rounds the exact value of the float to two decimals, ties to even, as Python does.
fn round(mean: f64) -> f64 {
    if mean.fract() == 0.0 { mean } else { format!("{mean:.2}").parse().unwrap_or(mean) }
}

/// An exact sum: a whole number of units of `10^-scale`.
#[derive(Default)]
struct Sum {
    units: BigInt,
    scale: usize,
}

impl Sum {
    /// Adds a plain decimal, multiplied by a factor.
    fn add(&mut self, decimal: &str, factor: i32) {
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let units: BigInt = format!("{whole}{fraction}").parse().unwrap_or_default();
        let scale = self.scale.max(fraction.len());
        let raise = |units: &BigInt, by: usize| units * BigInt::from(10).pow(by as u32);
        self.units =
            raise(&self.units, scale - self.scale) + raise(&units, scale - fraction.len()) * factor;
        self.scale = scale;
    }

    /// Returns the float that is nearest to the quotient.
    fn divide_by(&self, count: i64) -> f64 {
        /// Digits of the quotient. They tell any number from the middle between two floats, except by a
        /// remainder, which one further digit represents.
        const DIGITS: u32 = 40;
        let dividend = &self.units * BigInt::from(10).pow(DIGITS);
        let (quotient, rest) = (&dividend / count, dividend % count);
        let sticky = if rest == BigInt::ZERO { '0' } else { '1' };
        let exponent = -i64::from(DIGITS) - self.scale as i64 - 1;
        format!("{quotient}{sticky}e{exponent}").parse().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole minute and a whole hour.
    const NOON: i64 = 1_465_041_600;

    fn sums(count: i64, sum: &str, edge_count: i64, edge_sum: &str) -> BucketSums {
        let (sum, edge_sum) = (sum.to_owned(), edge_sum.to_owned());
        BucketSums { count, sum, edge_count, edge_sum }
    }

    fn averages(window: Window, now: i64, buckets: &[(i64, BucketSums)]) -> Vec<(i64, i64, f64)> {
        let buckets = buckets.iter().map(|(start, sums)| (NOON + start, sums.clone())).collect();
        let summary = window.summarize(NOON + now, &buckets);
        let averages = summary.map(|summary| summary.averages).unwrap_or_default();
        averages.iter().map(|a| (a.start_sec - NOON, a.num_samples, a.avg)).collect()
    }

    #[test]
    fn there_is_one_more_bucket_between_whole_minutes() {
        let count = |window: Window, now: i64| {
            let (first, end) = window.range(NOON + now);
            (first - NOON, (end - first) / window.interval())
        };
        assert_eq!(count(MINUTE, 0), (-3600, 60));
        assert_eq!(count(MINUTE, 1), (-3600, 61));
        assert_eq!(count(MINUTE, 59), (-3600, 61));
        assert_eq!(count(MINUTE, 60), (-3540, 60));
        assert_eq!(count(HOUR, 0), (-86_400, 24));
        assert_eq!(count(HOUR, 1), (-86_400, 25));
    }

    #[test]
    fn a_sample_on_a_minute_belongs_to_the_bucket_before() {
        let on = [(0, sums(1, "7", 1, "7"))];
        assert_eq!(averages(MINUTE, 30, &on), [(-60, 1, 7.0)]);
        assert_eq!(averages(MINUTE, 0, &on), [(-60, 1, 7.0)]);
        let both = [(-60, sums(2, "3", 1, "1")), (0, sums(3, "12", 1, "7"))];
        assert_eq!(averages(MINUTE, 30, &both), [(-120, 1, 1.0), (-60, 2, 4.5), (0, 2, 2.5)]);
        assert_eq!(averages(HOUR, 30, &on), [(-3600, 1, 7.0)]);
    }

    #[test]
    fn future_samples_count_up_to_the_end_of_the_last_bucket() {
        let now = 30;
        let within = (0, sums(1, "1", 0, "0"));
        let on_the_end = (60, sums(2, "5", 1, "2"));
        assert_eq!(averages(MINUTE, now, &[within, on_the_end.clone()]), [(0, 2, 1.5)]);
        assert_eq!(averages(MINUTE, 0, &[on_the_end]), []);
    }

    #[test]
    fn samples_before_the_window_do_not_count() {
        let first = [(-3600, sums(2, "3", 1, "1"))];
        assert_eq!(averages(MINUTE, 0, &first), [(-3600, 1, 2.0)]);
        assert_eq!(averages(MINUTE, 60, &first), []);
        assert_eq!(MINUTE.summarize(NOON, &BTreeMap::new()), None);
    }

    #[test]
    fn the_newest_sixty_are_kept() {
        let all: Vec<_> = (0..=60).map(|n| (-3600 + n * 60, sums(1, "1", 0, "0"))).collect();
        let newest = averages(MINUTE, 30, &all);
        assert_eq!((newest.len(), newest[0].0, newest[59].0), (60, -3540, 0));
    }

    #[test]
    fn the_exact_value_of_a_mean_is_rounded() {
        let mean = |sum: &str, count: i64| {
            let mut exact = Sum::default();
            exact.add(sum, 1);
            round(exact.divide_by(count))
        };
        assert_eq!(mean("1.125", 1), 1.12);
        assert_eq!(mean("2.675", 1), 2.67);
        assert_eq!(mean("2.23", 2), 1.11);
        assert_eq!(mean("60", 2), 30.0);
        assert_eq!(mean("0.375", 1), 0.38);
        assert_eq!(mean("-1.125", 1), -1.12);
        assert_eq!(mean("10", 3), 3.33);
        assert_eq!(mean("24.9", 5), 4.98);
        assert_eq!(
            mean("79228162514264337593543950335", 1),
            79_228_162_514_264_337_593_543_950_335.0
        );
        assert_eq!(serde_json::to_string(&mean("60", 2)).unwrap(), "30.0");
    }
}
