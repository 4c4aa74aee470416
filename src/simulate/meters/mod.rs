//! What Ceilometer measures in the simulated cloud: resources that are always there, looked at in
//! cycles. They are others than the instances of `scenario`, whose lives are minutes.
//!
//! Every sample is a function of its place alone, so that a plan keeps only which samples travel
//! together.

mod catalogue;
mod moment;
mod population;
mod quantity;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{cloud::Cloud, options::Options, rng::Rng, scenario::Micros};
use moment::Moment;

pub(crate) use catalogue::{METERS, Meter, Part};
pub(crate) use population::{Instance, Kind, Resource, VOLUME_TYPES, disk_name};
pub(crate) use quantity::Quantity;

/// Numbers that belong to meters begin their path with it; next comes what draws them: a resource
/// (0), a time (1), a measurement (2 to 4), a message (5), a sample's id (6).
pub(crate) const METERED: u64 = u64::MAX - 1;

/// Ceilometer's own interval, from which the size of a population follows where none is given.
const INTERVAL_DEFAULT: Micros = 300 * SECOND;

/// The least time between two cycles; many samples of few resources take longer than asked for.
const INTERVAL_MIN: Micros = 1_000;

/// Roughly how many samples a resource gives in one cycle.
const SAMPLES_PER_RESOURCE: u128 = 8;

/// So many resources have every kind among them.
const KINDS_MIN: u32 = 9;

const SECOND: Micros = 1_000_000;

/// What is metered, and how it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metering {
    /// How many distinct samples there are.
    pub samples: u32,
    /// How many of them travel together at most; Ceilometer's own default is 50.
    pub samples_per_message: u32,
    /// By which ways each of them is published. Without any there are no samples.
    pub routes: BTreeSet<Route>,
    /// How many resources are metered: instances, volumes, images, floating IPs, routers, labels,
    /// containers. Where not given, as many as an interval of five minutes takes.
    pub resources: Option<u32>,
    /// Signs the samples; when empty they have no signature. Not among what the truth repeats.
    #[serde(skip)]
    pub secret: String,
}

impl Default for Metering {
    /// No samples.
    fn default() -> Metering {
        Metering {
            samples: 0,
            samples_per_message: 50,
            routes: BTreeSet::from([Route::Polling]),
            resources: None,
            secret: String::new(),
        }
    }
}

impl Metering {
    /// How many samples there will be.
    fn wanted(&self) -> u32 {
        if self.routes.is_empty() { 0 } else { self.samples }
    }
}

/// How samples get to the broker. A cloud with several has every fact several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// What the polling agents send to the notification agents: `telemetry.polling`.
    Polling,
    /// What a `notifier://` publisher sends on: `metering`, under ids of its own.
    Notifier,
    /// What an `rpc://` publisher casts to the collector of old, under the notifier's ids.
    Rpc,
}

impl FromStr for Route {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Route, Self::Err> {
        match name {
            "polling" => Ok(Route::Polling),
            "notifier" => Ok(Route::Notifier),
            "rpc" => Ok(Route::Rpc),
            _ => Err("polling, notifier or rpc is expected"),
        }
    }
}

/// What of which resource one meter looks at.
#[derive(Clone, Copy, Debug)]
struct Series {
    /// Index into the population.
    resource: u32,
    part: Part,
}

/// Samples of one meter in one cycle that travel together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) cycle: u32,
    /// Index into [`METERS`].
    pub(crate) meter: u8,
    /// The series that gives the first of them.
    first: u32,
    count: u32,
}

/// One sample, whichever way it travels.
pub(crate) struct Sample<'a> {
    pub(crate) meter: &'static Meter,
    pub(crate) resource: &'a Resource,
    pub(crate) part: Part,
    pub(crate) cycle: u32,
    /// Since the simulation's time 0.
    pub(crate) at: Micros,
    pub(crate) quantity: Quantity,
}

/// All that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    seed: u64,
    population: Vec<Resource>,
    /// What each meter looks at.
    series: Vec<Vec<Series>>,
    /// Cycle by cycle.
    pub(crate) batches: Vec<Batch>,
    /// From one cycle to the next.
    interval: Micros,
}

impl Measured {
    pub(crate) fn new(options: &Options, cloud: &Cloud) -> Measured {
        let population = population::population(cloud, options.seed, resources(options));
        let series: Vec<_> = METERS.iter().map(|meter| series(meter, &population)).collect();
        let mut measured =
            Measured { seed: options.seed, population, series, batches: Vec::new(), interval: 0 };
        measured.batches =
            measured.cut(options.metering.wanted(), options.metering.samples_per_message.max(1));
        let cycles = measured.batches.last().map_or(1, |batch| Micros::from(batch.cycle) + 1);
        let duration = Micros::try_from(options.duration.as_micros()).unwrap_or(Micros::MAX);
        measured.interval = (duration / cycles).max(INTERVAL_MIN);
        measured
    }

    /// Cuts the cycles into batches, until there are as many samples as are wanted.
    fn cut(&self, wanted: u32, size: u32) -> Vec<Batch> {
        let (mut batches, mut cycle, mut left) = (Vec::new(), 0, wanted as usize);
        // A population has an instance, and an instance is sampled in every cycle: this ends.
        while left > 0 {
            for (meter, series) in (0..).zip(&self.series) {
                let sampled: Vec<u32> = (0..)
                    .zip(series)
                    .filter(|(_, series)| self.is_sampled(meter, cycle, **series))
                    .map(|(place, _)| place)
                    .take(left)
                    .collect();
                left -= sampled.len();
                batches.extend(sampled.chunks(size as usize).map(|places| Batch {
                    cycle,
                    meter,
                    first: places[0],
                    count: places.len() as u32,
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

    /// When the samples of a batch were taken.
    pub(crate) fn at(&self, batch: &Batch) -> Micros {
        let start = Micros::from(batch.cycle) * self.interval;
        // One meter after the other, all in the first half of the cycle.
        let lane = self.interval / (2 * METERS.len() as Micros);
        let path = [METERED, 1, batch.cycle.into(), batch.meter.into()];
        let mut rng = Rng::new(self.seed, &path);
        let at = start + lane * Micros::from(batch.meter) + rng.below(lane as u64) as Micros;
        // Python leaves the fraction out when it is zero.
        let whole = at - at % SECOND;
        if whole >= start && rng.chance(4) { whole } else { at }
    }

    /// When the last cycle is over.
    pub(crate) fn end(&self) -> Option<Micros> {
        self.batches.last().map(|batch| (Micros::from(batch.cycle) + 1) * self.interval)
    }

    /// The samples of a batch.
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
        let resource_path = [METERED, 2, number];
        let steady_path = [METERED, 3, number, meter, part.number()];
        let now_path = [METERED, 4, number, meter, part.number(), batch.cycle.into()];
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

/// How many resources are metered.
pub(crate) fn resources(options: &Options) -> u32 {
    let samples = u128::from(options.metering.wanted());
    if samples == 0 {
        return 0;
    }
    let cycles = (options.duration.as_micros() / INTERVAL_DEFAULT.unsigned_abs() as u128).max(1);
    let usual = samples / (cycles * SAMPLES_PER_RESOURCE);
    // At least one of every kind.
    let usual = u32::try_from(usual).unwrap_or(u32::MAX).max(KINDS_MIN);
    options.metering.resources.unwrap_or(usual).max(1)
}

fn series(meter: &Meter, population: &[Resource]) -> Vec<Series> {
    let of = |resource: &Resource| {
        let number = resource.number;
        meter.parts(&resource.kind).into_iter().map(move |part| Series { resource: number, part })
    };
    population.iter().flat_map(of).collect()
}
