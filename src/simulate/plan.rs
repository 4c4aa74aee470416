//! The plan: which messages, in which order, and what they amount to.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    cloud::Cloud,
    meters::{self, Measured, Metering, Route},
    rng::Rng,
    scenario::{self, Formats, Instance, Micros, What},
    truth::{self, MessageCounts, Truth},
    wire::{Message, Reading, Shape, Telling},
};

/// What a simulated cloud is made from; the same options give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// How many instances are built.
    pub instances: u32,
    /// What is metered besides.
    pub metering: Metering,
    /// How many projects there are. Where not given, as suits the number of things.
    pub projects: Option<u32>,
    /// The simulated time over which the builds begin, what follows them may take longer; and over
    /// which samples are taken.
    pub duration: Duration,
    /// Messages per second; 0 is as fast as possible.
    pub rate: u32,
    /// Names the cloud.
    pub seed: u64,
    /// How many in a hundred messages are published a second time, later.
    pub duplicates_percent: u8,
    /// How many in a hundred messages leave their place, by at most [`SHUFFLE_MAX`].
    pub shuffle_percent: u8,
    /// Everything happens before this instant.
    pub end: Timestamp,
}

/// How many places a message may move.
pub const SHUFFLE_MAX: u64 = 3_000;

/// Numbers that belong to no instance.
const WHOLE_CLOUD: u64 = u64::MAX;

/// All messages of a simulated cloud, and the truth they tell. Bodies are made when asked for, so
/// that a plan of millions of messages stays small.
#[derive(Clone, Debug)]
pub struct Plan {
    truth: Truth,
    cloud: Cloud,
    instances: Vec<Instance>,
    measured: Measured,
    base: Timestamp,
    order: Vec<Slot>,
}

/// One place in the order of publishing.
#[derive(Clone, Copy, Debug)]
struct Slot {
    told: Told,
    sent_again: bool,
}

/// What is published there, in which shape.
#[derive(Clone, Copy, Debug)]
enum Told {
    Fact { instance: u32, fact: u32, shape: Shape },
    Batch { batch: u32, route: Route },
}

/// Plans a cloud.
pub fn plan(options: &Options) -> Plan {
    let things = options.instances.max(meters::resources(options));
    let cloud = Cloud::new(options.seed, things, options.projects);
    let instances = instances(options, &cloud);
    let measured = Measured::new(options, &cloud);
    let base = base(options.end, &instances, &measured);
    let originals = originals(&instances, &measured, &options.metering.routes);
    let unique = originals.len() as u64;
    let families = ["instance", "meter", "recipe"].map(|family| {
        let count = originals.iter().filter(|slot| slot.told.family() == family).count();
        (family.to_owned(), count as u64)
    });
    let order = order(options, originals);
    let (instance_truths, timings) = truth::fold(&cloud, base, &instances);
    let (meters, metered_projects) = truth::meters(&cloud, base, &measured);
    let truth = Truth {
        options: options.clone(),
        messages: MessageCounts {
            published: order.len() as u64,
            unique,
            by_family: families.into(),
        },
        instances: instance_truths,
        timings,
        meters,
        metered_projects,
    };
    Plan { truth, cloud, instances, measured, base, order }
}

impl Plan {
    /// What the messages say.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// How many messages there are, duplicates included.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The messages in the order of publishing.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        self.order.iter().map(|slot| self.message(*slot))
    }

    /// Writes the bodies, one a line, as `stackledger import` reads them.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        for message in self.messages() {
            out.write_all(&message.body)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    fn message(&self, slot: Slot) -> Message {
        let (seed, base, sent_again) = (self.truth.options.seed, self.base, slot.sent_again);
        match slot.told {
            Told::Fact { instance, fact, shape } => Telling {
                cloud: &self.cloud,
                seed,
                base,
                instance: &self.instances[instance as usize],
                place: (instance, fact),
                shape,
                sent_again,
            }
            .message(),
            Told::Batch { batch, route } => Reading {
                cloud: &self.cloud,
                measured: &self.measured,
                seed,
                base,
                secret: &self.truth.options.metering.secret,
                batch,
                route,
                sent_again,
            }
            .message(),
        }
    }
}

impl Told {
    /// The family the log puts it in.
    fn family(self) -> &'static str {
        match self {
            Told::Fact { shape: Shape::CloudEvent, .. } => "recipe",
            Told::Fact { .. } => "instance",
            Told::Batch { .. } => "meter",
        }
    }
}

fn instances(options: &Options, cloud: &Cloud) -> Vec<Instance> {
    let mut rng = Rng::new(options.seed, &[WHOLE_CLOUD, 0]);
    let span = u64::try_from(options.duration.as_micros()).unwrap_or(u64::MAX);
    let mut begins: Vec<u64> = (0..options.instances).map(|_| rng.below(span)).collect();
    begins.sort_unstable();
    let told = |(index, begin): (usize, u64)| {
        scenario::instance(cloud, options.seed, index as u32, begin as Micros)
    };
    begins.into_iter().enumerate().map(told).collect()
}

/// Where time 0 lies: the last fact and the last cycle end up a little before `end`. A whole second,
/// so that what is on a whole second in the simulation is so on the wire.
fn base(end: Timestamp, instances: &[Instance], measured: &Measured) -> Timestamp {
    let facts = instances.iter().filter_map(|it| it.facts.last()).map(|fact| fact.at).max();
    let last = facts.max(measured.end());
    let back = SignedDuration::from_secs(last.unwrap_or(0) / 1_000_000 + 2);
    let end = Timestamp::from_second(end.as_second()).unwrap_or(end);
    end.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Every message once, in the order of time.
fn originals(instances: &[Instance], measured: &Measured, routes: &BTreeSet<Route>) -> Vec<Slot> {
    let mut slots: Vec<(Micros, Slot)> = Vec::new();
    for (index, it) in instances.iter().enumerate() {
        for (fact_index, fact) in it.facts.iter().enumerate() {
            let shapes: &[Shape] = match (&fact.what, it.formats) {
                (What::Reported(_), _) => &[Shape::CloudEvent],
                (_, Formats::Legacy) => &[Shape::Legacy],
                (_, Formats::Versioned) => &[Shape::Versioned],
                (_, Formats::Both) => &[Shape::Legacy, Shape::Versioned],
            };
            let (instance, fact_index) = (index as u32, fact_index as u32);
            slots.extend(shapes.iter().map(|shape| {
                let told = Told::Fact { instance, fact: fact_index, shape: *shape };
                (fact.at, Slot { told, sent_again: false })
            }));
        }
    }
    for (number, batch) in measured.batches.iter().enumerate() {
        let at = measured.at(batch);
        slots.extend(routes.iter().map(|route| {
            let told = Told::Batch { batch: number as u32, route: *route };
            (at, Slot { told, sent_again: false })
        }));
    }
    // Stable: the two formats of one fact keep their order, as do the routes of a batch.
    slots.sort_by_key(|(at, _)| *at);
    slots.into_iter().map(|(_, slot)| slot).collect()
}

/// Moves some messages, and publishes some again later.
fn order(options: &Options, originals: Vec<Slot>) -> Vec<Slot> {
    let mut rng = Rng::new(options.seed, &[WHOLE_CLOUD, 1]);
    let mut keyed: Vec<(u64, Slot)> = Vec::with_capacity(originals.len());
    for (place, slot) in originals.into_iter().enumerate() {
        // Places are counted from SHUFFLE_MAX, so that the first can move forward as well.
        let mut key = place as u64 + SHUFFLE_MAX;
        if rng.chance(options.shuffle_percent.into()) {
            key = key - SHUFFLE_MAX + rng.below(2 * SHUFFLE_MAX);
        }
        keyed.push((key, slot));
        if rng.chance(options.duplicates_percent.into()) {
            // A second run of the sender's driver has another `_unique_id`; a redelivery has not.
            let sent_again = rng.chance(33) && slot.told.family() != "recipe";
            keyed.push((key + 1 + rng.below(SHUFFLE_MAX), Slot { sent_again, ..slot }));
        }
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, slot)| slot).collect()
}
