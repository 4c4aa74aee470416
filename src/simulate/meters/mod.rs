//! Ceilometer's samples of the simulated cloud. They measure resources that exist all the time, in cycles,
//! and not the instances of `scenario`, which exist for minutes.
//!
//! Every sample is a function of its indexes alone, so that a plan stores only how samples are batched.

mod catalogue;
mod moment;
mod population;
mod quantity;
#[cfg(test)]
mod tests;

use super::{
    cloud::Cloud,
    options::Options,
    rng::Rng,
    time::{Micros, SECOND},
};
use moment::Moment;

pub(crate) use catalogue::{METERS, Meter, Part};
pub(crate) use population::{Instance, Kind, Resource, VOLUME_TYPES, disk_name};
pub(crate) use quantity::Quantity;

/// The first step of the paths of random numbers for meters. The second step is their use: for a resource
/// (0), a time (1), a measurement (2 to 4), a message (5) or a sample's id (6).
pub(crate) const METERS_PATH: u64 = u64::MAX - 1;

/// Ceilometer's default interval. The default size of the population follows from it.
const INTERVAL_DEFAULT: Micros = 300 * SECOND;

/// The least time between two cycles. Because of it many samples of few resources take longer than the
/// duration in the options.
const INTERVAL_MIN: Micros = 1_000;

/// The approximate number of samples of a resource in one cycle.
const SAMPLES_PER_RESOURCE: u128 = 8;

/// The least number of resources that includes every kind.
const RESOURCES_OF_ALL_KINDS: u32 = 9;

/// A part of a resource that one meter measures.
#[derive(Clone, Copy, Debug)]
struct Series {
    /// Index into the population.
    resource: u32,
    part: Part,
}

/// Samples of one meter in one cycle that are in one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) cycle: u32,
    /// Index into [`METERS`].
    pub(crate) meter: u8,
    /// Index of the series of the first of them.
    first: u32,
    count: u32,
}

/// One sample, independent of its route.
pub(crate) struct Sample<'a> {
    pub(crate) meter: &'static Meter,
    pub(crate) resource: &'a Resource,
    pub(crate) part: Part,
    pub(crate) cycle: u32,
    pub(crate) at: Micros,
    pub(crate) quantity: Quantity,
}

/// All samples of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Measurements {
    seed: u64,
    population: Vec<Resource>,
    /// The series of each meter.
    series: Vec<Vec<Series>>,
    /// Cycle by cycle.
    pub(crate) batches: Vec<Batch>,
    /// Time from one cycle to the next.
    interval: Micros,
}

impl Measurements {
    pub(crate) fn new(options: &Options, cloud: &Cloud) -> Measurements {
        let population = population::draw(cloud, options.seed, resource_count(options));
        let series: Vec<_> = METERS.iter().map(|meter| series_of(meter, &population)).collect();
        let mut measurements = Measurements {
            seed: options.seed,
            population,
            series,
            batches: Vec::new(),
            interval: 0,
        };
        measurements.batches = measurements.cut_batches(
            options.metering.sample_count(),
            options.metering.samples_per_message.max(1),
        );
        let cycles = measurements.batches.last().map_or(1, |batch| Micros::from(batch.cycle) + 1);
        let duration = Micros::try_from(options.duration.as_micros()).unwrap_or(Micros::MAX);
        measurements.interval = (duration / cycles).max(INTERVAL_MIN);
        measurements
    }

    /// Cuts the cycles into batches of at most `size` samples, until there are `count` samples.
    fn cut_batches(&self, count: u32, size: u32) -> Vec<Batch> {
        let (mut batches, mut cycle, mut left) = (Vec::new(), 0, count as usize);
        // The loop ends: every population has an instance, which is sampled in every cycle.
        while left > 0 {
            for (meter, series) in (0..).zip(&self.series) {
                let sampled: Vec<u32> = (0..)
                    .zip(series)
                    .filter(|(_, series)| self.is_sampled(meter, cycle, **series))
                    .map(|(index, _)| index)
                    .take(left)
                    .collect();
                left -= sampled.len();
                batches.extend(sampled.chunks(size as usize).map(|indexes| Batch {
                    cycle,
                    meter,
                    first: indexes[0],
                    count: indexes.len() as u32,
                }));
            }
            cycle += 1;
        }
        batches
    }

    fn is_sampled(&self, meter: u8, cycle: u32, series: Series) -> bool {
        let resource = &self.population[series.resource as usize];
        METERS[usize::from(meter)].is_sampled(resource, cycle)
    }

    /// Returns the time at which the samples of a batch were taken.
    pub(crate) fn at(&self, batch: &Batch) -> Micros {
        let start = Micros::from(batch.cycle) * self.interval;
        // The meters follow one another, all in the first half of the cycle.
        let lane = self.interval / (2 * METERS.len() as Micros);
        let path = [METERS_PATH, 1, batch.cycle.into(), batch.meter.into()];
        let mut rng = Rng::new(self.seed, &path);
        let at = start + lane * Micros::from(batch.meter) + rng.below(lane as u64) as Micros;
        // Python omits a fraction of zero, so some times are on a whole second.
        let whole = at - at % SECOND;
        if whole >= start && rng.chance(4) { whole } else { at }
    }

    /// Returns the end of the last cycle, if there are samples.
    pub(crate) fn end(&self) -> Option<Micros> {
        self.batches.last().map(|batch| (Micros::from(batch.cycle) + 1) * self.interval)
    }

    /// Computes the samples of a batch.
    pub(crate) fn samples<'a>(
        &'a self,
        cloud: &'a Cloud,
        batch: &'a Batch,
    ) -> impl Iterator<Item = Sample<'a>> {
        let meter = &METERS[usize::from(batch.meter)];
        let at = self.at(batch);
        self.series[usize::from(batch.meter)][batch.first as usize..]
            .iter()
            .filter(|series| self.is_sampled(batch.meter, batch.cycle, **series))
            .take(batch.count as usize)
            .filter_map(move |series| {
                let resource = &self.population[series.resource as usize];
                let mut moment = self.moment(cloud, batch, resource, series.part);
                let quantity = meter.measure(&mut moment, &resource.kind)?;
                let (part, cycle) = (series.part, batch.cycle);
                Some(Sample { meter, resource, part, cycle, at, quantity })
            })
    }

    fn moment<'a>(
        &self,
        cloud: &'a Cloud,
        batch: &Batch,
        resource: &Resource,
        part: Part,
    ) -> Moment<'a> {
        let (number, meter) = (u64::from(resource.number), u64::from(batch.meter));
        let resource_path = [METERS_PATH, 2, number];
        let steady_path = [METERS_PATH, 3, number, meter, part.number()];
        let now_path = [METERS_PATH, 4, number, meter, part.number(), batch.cycle.into()];
        Moment {
            cloud,
            cycle: batch.cycle,
            interval: self.interval,
            rhythm: resource.rhythm,
            resource: Rng::new(self.seed, &resource_path),
            steady: Rng::new(self.seed, &steady_path),
            now: Rng::new(self.seed, &now_path),
        }
    }
}

/// Returns the number of metered resources.
pub(crate) fn resource_count(options: &Options) -> u32 {
    let samples = u128::from(options.metering.sample_count());
    if samples == 0 {
        return 0;
    }
    let cycles = (options.duration.as_micros() / INTERVAL_DEFAULT.unsigned_abs() as u128).max(1);
    let default = samples / (cycles * SAMPLES_PER_RESOURCE);
    let default = u32::try_from(default).unwrap_or(u32::MAX).max(RESOURCES_OF_ALL_KINDS);
    options.metering.resources.unwrap_or(default).max(1)
}

/// Returns the series of a meter.
fn series_of(meter: &Meter, population: &[Resource]) -> Vec<Series> {
    let series = |resource: &Resource| {
        let number = resource.number;
        meter.parts(&resource.kind).into_iter().map(move |part| Series { resource: number, part })
    };
    population.iter().flat_map(series).collect()
}
