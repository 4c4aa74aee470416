//! The metrics that hosts publish about themselves, as `stackledger agent` does: ten metrics of every host at
//! every tick. A value is a function of its indexes alone, so that a plan stores only the indexes.

mod metrics;
#[cfg(test)]
mod tests;

use super::{
    options::{MonitoringOptions, Options},
    rng::Rng,
    time::{Micros, SECOND},
};

pub(crate) use metrics::{METRICS, Metric};

/// The first step of the paths of random numbers for hosts. The second step is their use: for a name (0), a
/// time (1), a metric's character (2), a value (3) or a message's id (4).
pub(crate) const HOSTS_PATH: u64 = u64::MAX - 2;

/// The largest delay of a sample after its tick: well within the shortest interval.
const DELAY_MAX: Micros = 80_000;

/// All samples of hosts of a plan.
#[derive(Clone, Debug)]
pub(crate) struct HostSamples {
    seed: u64,
    /// Names, with a suffix that depends on the seed: samples of different seeds must not be summed.
    pub(crate) hosts: Vec<String>,
    /// Number of samples of each host.
    pub(crate) ticks: u32,
    interval: Micros,
}

/// One sample of one host, by its indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostSample {
    /// Index into [`HostSamples::hosts`].
    pub(crate) host: u32,
    pub(crate) tick: u32,
}

impl HostSamples {
    pub(crate) fn new(options: &Options) -> HostSamples {
        let MonitoringOptions { hosts, interval_s } = options.monitoring;
        let interval = Micros::from(interval_s.max(1)) * SECOND;
        let duration = Micros::try_from(options.duration.as_micros()).unwrap_or(Micros::MAX);
        let ticks = (duration / interval).clamp(1, u32::MAX.into()) as u32;
        let suffix = Rng::new(options.seed, &[HOSTS_PATH, 0]).hex32();
        let name = |number| format!("compute-{number:02}.{}", &suffix[..8]);
        HostSamples { seed: options.seed, hosts: (1..=hosts).map(name).collect(), ticks, interval }
    }

    /// Returns every sample, tick by tick.
    pub(crate) fn samples(&self) -> impl Iterator<Item = HostSample> {
        let hosts = self.hosts.len() as u32;
        (0..self.ticks).flat_map(move |tick| (0..hosts).map(move |host| HostSample { host, tick }))
    }

    /// Returns the time of a sample: a little after its tick, and in a few cases exactly at it.
    pub(crate) fn at(&self, sample: HostSample) -> Micros {
        let path = [HOSTS_PATH, 1, sample.host.into(), sample.tick.into()];
        let mut rng = Rng::new(self.seed, &path);
        let delay = if rng.chance(4) { 0 } else { rng.below(DELAY_MAX as u64) as Micros };
        Micros::from(sample.tick) * self.interval + delay
    }

    /// Returns the value of a metric in a sample, in the metric's smallest steps.
    pub(crate) fn value(&self, metric: usize, sample: HostSample) -> i64 {
        let (host, tick) = (u64::from(sample.host), u64::from(sample.tick));
        let character = Rng::new(self.seed, &[HOSTS_PATH, 2, host, metric as u64]);
        let now = Rng::new(self.seed, &[HOSTS_PATH, 3, host, metric as u64, tick]);
        let second = Micros::from(sample.tick) * self.interval / SECOND;
        METRICS[metric].value(character, now, second)
    }

    /// Returns the end of the last tick, if there are hosts.
    pub(crate) fn end(&self) -> Option<Micros> {
        (!self.hosts.is_empty()).then(|| Micros::from(self.ticks) * self.interval)
    }
}
