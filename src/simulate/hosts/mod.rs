//! What the hosts of the simulated cloud say about themselves, as `stackledger agent` would: every
//! host at every tick, ten metrics each. A value is a function of its place alone, so nothing is
//! kept of a sample but which it is.

mod metrics;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{options::Options, rng::Rng, scenario::Micros};

pub(crate) use metrics::{METRICS, Metric};

/// Numbers that belong to hosts begin their path with it; next comes what draws them: a name (0), a
/// time (1), a metric's nature (2), a value (3), a message's id (4).
pub(crate) const MONITORED: u64 = u64::MAX - 2;

const SECOND: Micros = 1_000_000;

/// How long after its tick a sample is taken at most: well within the shortest interval.
const LAG_MAX: Micros = 80_000;

/// Which hosts say how they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitoring {
    /// How many hosts there are.
    pub hosts: u32,
    /// From one sample of a host to its next, in seconds.
    pub interval_s: u32,
}

impl Default for Monitoring {
    /// No hosts. Ten seconds: a host is 360 messages an hour.
    fn default() -> Monitoring {
        Monitoring { hosts: 0, interval_s: 10 }
    }
}

/// All that hosts say.
#[derive(Clone, Debug)]
pub(crate) struct Monitored {
    seed: u64,
    /// Told apart from those of other seeds by a suffix: their samples are not to be added up.
    pub(crate) hosts: Vec<String>,
    /// How often each of them is sampled.
    pub(crate) ticks: u32,
    interval: Micros,
}

/// One sample of one host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Index into [`Monitored::hosts`].
    pub(crate) host: u32,
    pub(crate) tick: u32,
}

impl Monitored {
    pub(crate) fn new(options: &Options) -> Monitored {
        let Monitoring { hosts, interval_s } = options.monitoring;
        let interval = Micros::from(interval_s.max(1)) * SECOND;
        let duration = Micros::try_from(options.duration.as_micros()).unwrap_or(Micros::MAX);
        let ticks = (duration / interval).clamp(1, u32::MAX.into()) as u32;
        let suffix = Rng::new(options.seed, &[MONITORED, 0]).hex32();
        let name = |number| format!("compute-{number:02}.{}", &suffix[..8]);
        Monitored { seed: options.seed, hosts: (1..=hosts).map(name).collect(), ticks, interval }
    }

    /// Every sample, tick by tick.
    pub(crate) fn looks(&self) -> impl Iterator<Item = Look> {
        let hosts = self.hosts.len() as u32;
        (0..self.ticks).flat_map(move |tick| (0..hosts).map(move |host| Look { host, tick }))
    }

    /// When a sample is taken: a little after its tick; now and then, on it.
    pub(crate) fn at(&self, look: Look) -> Micros {
        let mut rng = Rng::new(self.seed, &[MONITORED, 1, look.host.into(), look.tick.into()]);
        let lag = if rng.chance(4) { 0 } else { rng.below(LAG_MAX as u64) as Micros };
        Micros::from(look.tick) * self.interval + lag
    }

    /// How much a metric is then, in the metric's smallest steps.
    pub(crate) fn value(&self, metric: usize, look: Look) -> i64 {
        let (host, tick) = (u64::from(look.host), u64::from(look.tick));
        let nature = Rng::new(self.seed, &[MONITORED, 2, host, metric as u64]);
        let now = Rng::new(self.seed, &[MONITORED, 3, host, metric as u64, tick]);
        let second = Micros::from(look.tick) * self.interval / SECOND;
        METRICS[metric].value(nature, now, second)
    }

    /// When the last tick is over.
    pub(crate) fn end(&self) -> Option<Micros> {
        (!self.hosts.is_empty()).then(|| Micros::from(self.ticks) * self.interval)
    }
}
