//! One look at one thing: what a measurement may depend on.

use super::{
    Quantity,
    population::{Instance, Rhythm},
};
use crate::simulate::{
    cloud::{Cloud, Flavor},
    rng::Rng,
    scenario::Micros,
};

const SECOND: u128 = 1_000_000;

/// The cloud, the time, and numbers to draw.
pub(super) struct Moment<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) cycle: u32,
    /// From one cycle to the next.
    pub(super) interval: Micros,
    pub(super) rhythm: Rhythm,
    /// Numbers of the resource, the same for all of its meters and moments.
    pub(super) resource: Rng,
    /// Numbers of one meter of the resource, the same at every moment.
    pub(super) steady: Rng,
    /// Numbers of this moment alone.
    pub(super) now: Rng,
}

impl Moment<'_> {
    pub(super) fn is_up(&self) -> bool {
        self.rhythm.is_up(self.cycle)
    }

    pub(super) fn flavor(&self, it: &Instance) -> &Flavor {
        &self.cloud.flavors[it.flavor]
    }

    /// A counter that began with 0 when the resource last started, and grows by at most so much a
    /// second. In closed form, so that no sample depends on the one before it.
    pub(super) fn counter(&mut self, per_second_max: u64) -> Quantity {
        let pace = self.per_cycle(per_second_max);
        let ahead = self.now.below(pace);
        Quantity::int(pace * u64::from(self.rhythm.age(self.cycle)) + ahead)
    }

    /// What one cycle adds, at most so much a second.
    pub(super) fn increase(&mut self, per_second_max: u64) -> u64 {
        let pace = self.per_cycle(per_second_max);
        self.now.below(pace)
    }

    /// This meter's own pace.
    fn per_cycle(&mut self, per_second_max: u64) -> u64 {
        let per_second = u128::from(self.steady.between(1, per_second_max.max(1)));
        let pace = per_second * self.interval.unsigned_abs() as u128 / SECOND;
        // So that 64 bits hold it after the longest time without a restart, whatever the interval.
        u64::try_from(pace).unwrap_or(u64::MAX).clamp(1, 1 << 50)
    }
}
