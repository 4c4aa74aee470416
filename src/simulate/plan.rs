//! The plan: which messages, in which order, and what they amount to.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    cloud::Cloud,
    deployments::{self, Deployment},
    hosts::{Look, Monitored},
    meters::{self, Measured, Route},
    options::Options,
    rng::Rng,
    scenario::{self, Formats, Instance, Micros, What},
    truth::{self, MessageCounts, Truth},
    wire::{Message, Reading, Reporting, Sampling, Shape, Telling, instant},
};

/// How many places a message may move.
pub const SHUFFLE_MAX: u64 = 3_000;

/// Numbers that belong to no instance.
const WHOLE_CLOUD: u64 = u64::MAX;

/// All messages of a simulated cloud, and the truth they tell. Bodies are made when asked for: a
/// message takes 16 bytes of the plan, and up to 150 more while that is made.
#[derive(Clone, Debug)]
pub struct Plan {
    truth: Truth,
    cloud: Cloud,
    instances: Vec<Instance>,
    measured: Measured,
    monitored: Monitored,
    deployments: Vec<Deployment>,
    base: Timestamp,
    order: Vec<Slot>,
}

/// One place in the order of publishing.
#[derive(Clone, Copy, Debug)]
struct Slot {
    told: Told,
    sent_again: bool,
}

// The documentation says so.
const _: () = assert!(size_of::<Slot>() <= 16);

/// What is published there, in which shape.
#[derive(Clone, Copy, Debug)]
enum Told {
    Fact { instance: u32, fact: u32, shape: Shape },
    Batch { batch: u32, route: Route },
    Sampled(Look),
    Deployed { deployment: u32, fact: u32 },
}

/// Plans a cloud.
pub fn plan(options: &Options) -> Plan {
    Draft::new(options).plan(options.clone())
}

/// Plans a cloud that begins at `start`, whatever end the options name: for being played as it
/// happens.
pub fn plan_from(options: &Options, start: Timestamp) -> Plan {
    let draft = Draft::new(options);
    let end = start.saturating_add(draft.length()).unwrap_or(Timestamp::MAX);
    draft.plan(Options { end, ..options.clone() })
}

/// What happens, before it is known when.
struct Draft {
    cloud: Cloud,
    instances: Vec<Instance>,
    measured: Measured,
    monitored: Monitored,
    deployments: Vec<Deployment>,
}

impl Draft {
    fn new(options: &Options) -> Draft {
        let things = options.instances.max(meters::resources(options));
        let cloud = Cloud::new(options.seed, things, options.projects);
        let instances = instances(options, &cloud);
        Draft {
            deployments: deployments::deployments(options, &instances),
            instances,
            measured: Measured::new(options, &cloud),
            monitored: Monitored::new(options),
            cloud,
        }
    }

    /// From the simulation's time 0 to a little after the last of it: whole seconds, so that what is
    /// on a whole second in the simulation is so on the wire.
    fn length(&self) -> SignedDuration {
        let facts = self.instances.iter().filter_map(|it| it.facts.last()).map(|fact| fact.at);
        let deployed = self.deployments.iter().filter_map(|it| it.facts.last()).map(|(at, _)| *at);
        let last = facts.chain(deployed).max().max(self.measured.end()).max(self.monitored.end());
        SignedDuration::from_secs(last.unwrap_or(0) / 1_000_000 + 2)
    }

    fn plan(self, options: Options) -> Plan {
        let end = Timestamp::from_second(options.end.as_second()).unwrap_or(options.end);
        let base = end.checked_sub(self.length()).unwrap_or(Timestamp::UNIX_EPOCH);
        let originals = self.originals(&options.metering.routes);
        let unique = originals.len() as u64;
        let mut by_family: BTreeMap<String, u64> =
            FAMILIES.map(|family| (family.to_owned(), 0)).into();
        for slot in &originals {
            *by_family.entry(slot.told.family().to_owned()).or_default() += 1;
        }
        let order = order(&options, originals);
        let Draft { cloud, instances, measured, monitored, deployments } = self;
        let (instance_truths, timings) = truth::fold(&cloud, base, &instances);
        let (meters, metered_projects) = truth::meters(&cloud, base, &measured);
        let (hosts, metrics) = truth::hosts(base, &monitored);
        let published = order.len() as u64;
        let truth = Truth {
            messages: MessageCounts { published, unique, by_family },
            options,
            instances: instance_truths,
            timings,
            meters,
            metered_projects,
            hosts,
            metrics,
            deployments: truth::deployments(&deployments),
        };
        Plan { truth, cloud, instances, measured, monitored, deployments, base, order }
    }

    /// Every message once, in the order of time.
    fn originals(&self, routes: &BTreeSet<Route>) -> Vec<Slot> {
        let mut slots: Vec<(Micros, Slot)> = Vec::new();
        let once = |at, told| (at, Slot { told, sent_again: false });
        for (instance, it) in (0..).zip(&self.instances) {
            for (number, fact) in (0..).zip(&it.facts) {
                let told = |shape: &Shape| Told::Fact { instance, fact: number, shape: *shape };
                slots.extend(shapes(it, &fact.what).iter().map(|shape| once(fact.at, told(shape))));
            }
        }
        for (number, batch) in (0..).zip(&self.measured.batches) {
            let at = self.measured.at(batch);
            let told = |route: &Route| Told::Batch { batch: number, route: *route };
            slots.extend(routes.iter().map(|route| once(at, told(route))));
        }
        let monitored = &self.monitored;
        slots.extend(monitored.looks().map(|look| once(monitored.at(look), Told::Sampled(look))));
        for (deployment, it) in (0..).zip(&self.deployments) {
            let told = |fact| Told::Deployed { deployment, fact };
            slots.extend((0..).zip(&it.facts).map(|(fact, (at, _))| once(*at, told(fact))));
        }
        // Stable: the two formats of one fact keep their order, as do the routes of a batch.
        slots.sort_by_key(|(at, _)| *at);
        slots.into_iter().map(|(_, slot)| slot).collect()
    }
}

/// The families of the log that a cloud has messages of.
const FAMILIES: [&str; 5] = ["deployment", "instance", "meter", "perf", "recipe"];

/// In which shapes a fact is told.
fn shapes(it: &Instance, what: &What) -> &'static [Shape] {
    match (what, it.formats) {
        (What::Reported(_), _) => &[Shape::CloudEvent],
        (_, Formats::Legacy) => &[Shape::Legacy],
        (_, Formats::Versioned) => &[Shape::Versioned],
        (_, Formats::Both) => &[Shape::Legacy, Shape::Versioned],
    }
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

    /// The messages in the order of publishing, and when each would be sent by a sender that is not
    /// late.
    pub(super) fn timed_messages(&self) -> impl Iterator<Item = (Timestamp, Message)> {
        let timed = |slot: &Slot| (instant(self.base, self.at(slot.told)), self.message(*slot));
        self.order.iter().map(timed)
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
            Told::Sampled(look) => {
                Sampling { monitored: &self.monitored, seed, base, look }.message()
            }
            Told::Deployed { deployment, fact } => Reporting {
                deployment: &self.deployments[deployment as usize],
                seed,
                base,
                place: (deployment, fact),
            }
            .message(),
        }
    }

    fn at(&self, told: Told) -> Micros {
        match told {
            Told::Fact { instance, fact, .. } => {
                self.instances[instance as usize].facts[fact as usize].at
            }
            Told::Batch { batch, .. } => self.measured.at(&self.measured.batches[batch as usize]),
            Told::Sampled(look) => self.monitored.at(look),
            Told::Deployed { deployment, fact } => {
                self.deployments[deployment as usize].facts[fact as usize].0
            }
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
            Told::Sampled(_) => "perf",
            Told::Deployed { .. } => "deployment",
        }
    }

    /// Whether oslo.messaging sends it, and hence with another `_unique_id` when it is sent again.
    fn is_oslo(self) -> bool {
        matches!(self.family(), "instance" | "meter")
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
            let sent_again = rng.chance(33) && slot.told.is_oslo();
            keyed.push((key + 1 + rng.below(SHUFFLE_MAX), Slot { sent_again, ..slot }));
        }
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, slot)| slot).collect()
}
