//! A summary, by Lizmon's arithmetic: buckets that hold the samples after their start and up to their
//! end, made of ours, which hold those from their start on.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use serde::Serialize;
use utoipa::ToSchema;

/// How many buckets a summary shows at most: the newest.
const SHOWN: usize = 60;

/// What a summary is by: its word in labels, the time it covers and the length of a bucket, both in
/// seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct By {
    pub word: &'static str,
    length: i64,
    interval: i64,
}

/// The last hour by the minute.
pub(super) const MINUTE: By = By { word: "by-minute", length: 3600, interval: 60 };
/// The last day by the hour.
pub(super) const HOUR: By = By { word: "by-hour", length: 86_400, interval: 3600 };

/// Means over some time.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = LizmonSummary)]
pub(super) struct Summary {
    /// Seconds since 1970: the end of what no bucket covers.
    start: i64,
    /// When it was asked for.
    end: i64,
    /// How long a bucket is.
    timeslice_size_sec: i64,
    /// How many averages there are.
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

/// What of one of our buckets counts here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub count: i64,
    /// A plain decimal.
    pub sum: String,
    /// Of the samples exactly on its start: they belong to the bucket before.
    pub edge_count: i64,
    pub edge_sum: String,
}

impl By {
    /// The starts of the first bucket and of the one after the last, in seconds. At the latter's edge
    /// there are still samples that count.
    pub fn range(self, now: i64) -> (i64, i64) {
        let first = (now - self.length).div_euclid(self.interval) * self.interval;
        let count = (now - first + self.interval - 1) / self.interval;
        (first, first + count * self.interval)
    }

    /// The summary of a metric; `parts` by their starts. None where no sample is in its time.
    pub fn summary(self, now: i64, parts: &BTreeMap<i64, Part>) -> Option<Summary> {
        let (first, end) = self.range(now);
        let starts = (first..end).step_by(self.interval.unsigned_abs() as usize);
        let mut averages: Vec<Average> =
            starts.filter_map(|start| self.average(start, parts)).collect();
        averages.drain(..averages.len().saturating_sub(SHOWN));
        (!averages.is_empty()).then_some(Summary {
            start: first,
            end: now,
            timeslice_size_sec: self.interval,
            average_count: averages.len(),
            averages,
        })
    }

    fn average(self, start: i64, parts: &BTreeMap<i64, Part>) -> Option<Average> {
        let end = start + self.interval;
        let (mut count, mut sum) = (0, Sum::default());
        if let Some(part) = parts.get(&start) {
            count += part.count - part.edge_count;
            sum.add(&part.sum, 1);
            sum.add(&part.edge_sum, -1);
        }
        if let Some(next) = parts.get(&end) {
            count += next.edge_count;
            sum.add(&next.edge_sum, 1);
        }
        (count > 0).then(|| Average {
            start_sec: start,
            end_sec: end,
            interval_size_sec: self.interval,
            num_samples: count,
            avg: rounded(sum.over(count)),
        })
    }
}

/// To two decimals of what the float really is, ties to even, as Python rounds.
fn rounded(mean: f64) -> f64 {
    if mean.fract() == 0.0 { mean } else { format!("{mean:.2}").parse().unwrap_or(mean) }
}

/// An exact sum: units of which `10^scale` make one.
#[derive(Default)]
struct Sum {
    units: BigInt,
    scale: usize,
}

impl Sum {
    /// Adds a plain decimal so many times.
    fn add(&mut self, decimal: &str, times: i32) {
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let units: BigInt = format!("{whole}{fraction}").parse().unwrap_or_default();
        let scale = self.scale.max(fraction.len());
        let raise = |units: &BigInt, by: usize| units * BigInt::from(10).pow(by as u32);
        self.units =
            raise(&self.units, scale - self.scale) + raise(&units, scale - fraction.len()) * times;
        self.scale = scale;
    }

    /// The float that is nearest to the sum over a count.
    fn over(&self, count: i64) -> f64 {
        /// More digits than tell any two floats' middle from what lies next to it, but for what is
        /// left over, which one further digit stands for.
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

    fn part(count: i64, sum: &str, edge_count: i64, edge_sum: &str) -> Part {
        let (sum, edge_sum) = (sum.to_owned(), edge_sum.to_owned());
        Part { count, sum, edge_count, edge_sum }
    }

    fn shown(by: By, now: i64, parts: &[(i64, Part)]) -> Vec<(i64, i64, f64)> {
        let parts = parts.iter().map(|(start, part)| (NOON + start, part.clone())).collect();
        let summary = by.summary(NOON + now, &parts);
        let averages = summary.map(|summary| summary.averages).unwrap_or_default();
        averages.iter().map(|a| (a.start_sec - NOON, a.num_samples, a.avg)).collect()
    }

    #[test]
    fn there_is_one_more_bucket_between_whole_minutes() {
        let count = |by: By, now: i64| {
            let (first, end) = by.range(NOON + now);
            (first - NOON, (end - first) / by.interval)
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
        let on = [(0, part(1, "7", 1, "7"))];
        assert_eq!(shown(MINUTE, 30, &on), [(-60, 1, 7.0)]);
        assert_eq!(shown(MINUTE, 0, &on), [(-60, 1, 7.0)]);
        let both = [(-60, part(2, "3", 1, "1")), (0, part(3, "12", 1, "7"))];
        assert_eq!(shown(MINUTE, 30, &both), [(-120, 1, 1.0), (-60, 2, 4.5), (0, 2, 2.5)]);
        assert_eq!(shown(HOUR, 30, &on), [(-3600, 1, 7.0)]);
    }

    #[test]
    fn future_samples_count_up_to_the_end_of_the_last_bucket() {
        let now = 30;
        let within = (0, part(1, "1", 0, "0"));
        let on_the_end = (60, part(2, "5", 1, "2"));
        assert_eq!(shown(MINUTE, now, &[within, on_the_end.clone()]), [(0, 2, 1.5)]);
        assert_eq!(shown(MINUTE, 0, &[on_the_end]), []);
    }

    #[test]
    fn what_is_older_than_the_time_is_not_there() {
        let first = [(-3600, part(2, "3", 1, "1"))];
        assert_eq!(shown(MINUTE, 0, &first), [(-3600, 1, 2.0)]);
        assert_eq!(shown(MINUTE, 60, &first), []);
        assert_eq!(MINUTE.summary(NOON, &BTreeMap::new()), None);
    }

    #[test]
    fn the_newest_sixty_are_kept() {
        let all: Vec<_> = (0..=60).map(|n| (-3600 + n * 60, part(1, "1", 0, "0"))).collect();
        let shown = shown(MINUTE, 30, &all);
        assert_eq!((shown.len(), shown[0].0, shown[59].0), (60, -3540, 0));
    }

    #[test]
    fn means_are_rounded_as_the_float_is() {
        let mean = |sum: &str, count: i64| {
            let mut exact = Sum::default();
            exact.add(sum, 1);
            rounded(exact.over(count))
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
