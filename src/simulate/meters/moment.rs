//! The values that a measurement may depend on: one resource at one moment.

use super::{
    Quantity,
    population::{Instance, Rhythm},
};
use crate::simulate::{
    cloud::{Cloud, Flavor},
    rng::Rng,
    time::{Micros, SECOND},
};

/// The cloud, the cycle, and random numbers.
pub(super) struct Moment<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) cycle: u32,
    /// Time from one cycle to the next.
    pub(super) interval: Micros,
    pub(super) rhythm: Rhythm,
    /// Random numbers of the resource, the same for all of its meters and moments.
    pub(super) resource: Rng,
    /// Random numbers of one meter of the resource, the same at every moment.
    pub(super) steady: Rng,
    /// Random numbers of this moment alone.
    pub(super) now: Rng,
}

impl Moment<'_> {
    pub(super) fn is_up(&self) -> bool {
        self.rhythm.is_up(self.cycle)
    }

    pub(super) fn flavor(&self, instance: &Instance) -> &Flavor {
        &self.cloud.flavors[instance.flavor]
    }

    /// Returns a counter that was 0 when the resource last started, and grows by at most `per_second_max`
    /// per second. It is computed in closed form, so that no sample depends on an earlier one.
    pub(super) fn counter(&mut self, per_second_max: u64) -> Quantity {
        let per_cycle = self.per_cycle(per_second_max);
        let within_cycle = self.now.below(per_cycle);
        Quantity::int(per_cycle * u64::from(self.rhythm.age(self.cycle)) + within_cycle)
    }

    /// Returns the increase of one cycle, at most `per_second_max` per second.
    pub(super) fn increase(&mut self, per_second_max: u64) -> u64 {
        let per_cycle = self.per_cycle(per_second_max);
        self.now.below(per_cycle)
    }

    /// Returns this meter's own largest increase per cycle.
    fn per_cycle(&mut self, per_second_max: u64) -> u64 {
        let per_second = u128::from(self.steady.between(1, per_second_max.max(1)));
        let per_cycle = per_second * u128::from(self.interval.unsigned_abs()) / SECOND as u128;
        // The counter fits into 64 bits after the longest time without a restart, whatever the interval.
        u64::try_from(per_cycle).unwrap_or(u64::MAX).clamp(1, 1 << 50)
    }
}
