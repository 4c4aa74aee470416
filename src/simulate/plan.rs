//! The plan: the messages of a simulated cloud in the order of publishing, and the truth about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    cloud::Cloud,
    deployments::{self, Deployment},
    hosts::{HostSample, HostSamples},
    meters::{self, Measurements},
    options::{Options, Route},
    rng::Rng,
    scenario::{self, FactKind, Instance, NotificationFormat},
    time::{Micros, SECOND, instant},
    truth::{self, MessageCounts, Truth},
    wire::{BatchMessage, DeploymentMessage, HostMessage, InstanceMessage, Message, Shape},
};

/// The largest distance by which a message leaves its place in the order, in messages.
pub const SHUFFLE_MAX: u64 = 3_000;

/// The first step of the paths of random numbers that belong to no instance.
const CLOUD_PATH: u64 = u64::MAX;

/// All messages of a simulated cloud, and the truth about them. Bodies are built when they are needed: a
/// message takes 16 bytes of the plan, and up to 150 more while the plan is made.
#[derive(Clone, Debug)]
pub struct Plan {
    truth: Truth,
    cloud: Cloud,
    instances: Vec<Instance>,
    measurements: Measurements,
    host_samples: HostSamples,
    deployments: Vec<Deployment>,
    base: Timestamp,
    order: Vec<Publication>,
}

/// One publishing of a message.
#[derive(Clone, Copy, Debug)]
struct Publication {
    content: Content,
    sent_again: bool,
}

// The documentation states this size.
const _: () = assert!(size_of::<Publication>() <= 16);

/// The content of a message, by its indexes in the plan, and its shape.
#[derive(Clone, Copy, Debug)]
enum Content {
    InstanceFact { instance: u32, fact: u32, shape: Shape },
    Batch { batch: u32, route: Route },
    HostSample(HostSample),
    DeploymentFact { deployment: u32, fact: u32 },
}

/// Plans a cloud.
pub fn plan(options: &Options) -> Plan {
    Draft::new(options).plan(options.clone())
}

/// Plans a cloud that begins at `start`, whatever end the options contain: for publishing in real time.
pub fn plan_from(options: &Options, start: Timestamp) -> Plan {
    let draft = Draft::new(options);
    let end = start.saturating_add(draft.length()).unwrap_or(Timestamp::MAX);
    draft.plan(Options { end, ..options.clone() })
}

/// The contents of a plan in the simulation's time, before the instant of its time 0 is known.
struct Draft {
    cloud: Cloud,
    instances: Vec<Instance>,
    measurements: Measurements,
    host_samples: HostSamples,
    deployments: Vec<Deployment>,
}

impl Draft {
    fn new(options: &Options) -> Draft {
        let size = options.instances.max(meters::resource_count(options));
        let cloud = Cloud::new(options.seed, size, options.projects);
        let instances = draw_instances(options, &cloud);
        Draft {
            deployments: deployments::draw_deployments(options, &instances),
            instances,
            measurements: Measurements::new(options, &cloud),
            host_samples: HostSamples::new(options),
            cloud,
        }
    }

    /// Returns the time from the simulation's time 0 to a little after its last fact or sample. It is
    /// rounded to whole seconds, so that a time on a whole second in the simulation is on one on the wire.
    fn length(&self) -> SignedDuration {
        let instances = self.instances.iter();
        let facts = instances.filter_map(|instance| instance.facts.last()).map(|fact| fact.at);
        let deployments = self.deployments.iter();
        let configured =
            deployments.filter_map(|deployment| deployment.facts.last()).map(|(at, _)| *at);
        let facts_end = facts.chain(configured).max();
        let last = facts_end.max(self.measurements.end()).max(self.host_samples.end());
        SignedDuration::from_secs(last.unwrap_or(0) / SECOND + 2)
    }

    fn plan(self, options: Options) -> Plan {
        let end = Timestamp::from_second(options.end.as_second()).unwrap_or(options.end);
        let base = end.checked_sub(self.length()).unwrap_or(Timestamp::UNIX_EPOCH);
        let originals = self.originals(&options.metering.routes);
        let unique = originals.len() as u64;
        let mut by_family: BTreeMap<String, u64> =
            FAMILIES.map(|family| (family.to_owned(), 0)).into();
        for original in &originals {
            *by_family.entry(original.content.family().to_owned()).or_default() += 1;
        }
        let order = shuffle(&options, originals);
        let Draft { cloud, instances, measurements, host_samples, deployments } = self;
        let (instance_truths, timings) = truth::fold_instances(&cloud, base, &instances);
        let (meters, metered_projects) = truth::fold_meters(&cloud, base, &measurements);
        let (hosts, metrics) = truth::fold_hosts(base, &host_samples);
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
            deployments: truth::fold_deployments(&deployments),
        };
        Plan { truth, cloud, instances, measurements, host_samples, deployments, base, order }
    }

    /// Returns every message once, in time order.
    fn originals(&self, routes: &BTreeSet<Route>) -> Vec<Publication> {
        let mut timed: Vec<(Micros, Publication)> = Vec::new();
        let original = |at, content| (at, Publication { content, sent_again: false });
        for (index, instance) in (0..).zip(&self.instances) {
            for (number, fact) in (0..).zip(&instance.facts) {
                let content = |shape: &Shape| Content::InstanceFact {
                    instance: index,
                    fact: number,
                    shape: *shape,
                };
                let shapes = shapes_of(instance, &fact.kind).iter();
                timed.extend(shapes.map(|shape| original(fact.at, content(shape))));
            }
        }
        for (number, batch) in (0..).zip(&self.measurements.batches) {
            let at = self.measurements.at(batch);
            let content = |route: &Route| Content::Batch { batch: number, route: *route };
            timed.extend(routes.iter().map(|route| original(at, content(route))));
        }
        let hosts = &self.host_samples;
        let samples = hosts.samples();
        timed.extend(samples.map(|sample| original(hosts.at(sample), Content::HostSample(sample))));
        for (index, deployment) in (0..).zip(&self.deployments) {
            let content = |fact| Content::DeploymentFact { deployment: index, fact };
            let facts = (0..).zip(&deployment.facts);
            timed.extend(facts.map(|(fact, (at, _))| original(*at, content(fact))));
        }
        // Stable: the two formats of one fact keep their order, as do the routes of a batch.
        timed.sort_by_key(|(at, _)| *at);
        timed.into_iter().map(|(_, original)| original).collect()
    }
}

/// The families of the log to which a cloud's messages belong.
const FAMILIES: [&str; 5] = ["deployment", "instance", "meter", "perf", "recipe"];

/// Returns the shapes in which a fact is published.
fn shapes_of(instance: &Instance, kind: &FactKind) -> &'static [Shape] {
    match (kind, instance.format) {
        (FactKind::Report(_), _) => &[Shape::CloudEvent],
        (_, NotificationFormat::Legacy) => &[Shape::Legacy],
        (_, NotificationFormat::Versioned) => &[Shape::Versioned],
        (_, NotificationFormat::Both) => &[Shape::Legacy, Shape::Versioned],
    }
}

impl Plan {
    /// Returns the answers that the messages lead to.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Returns the number of messages, duplicates included.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Builds the messages in the order of publishing.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        self.order.iter().map(|publication| self.message(*publication))
    }

    /// Builds the messages in the order of publishing, each with the instant at which a sender without
    /// delay would send it.
    pub(super) fn timed_messages(&self) -> impl Iterator<Item = (Timestamp, Message)> {
        let timed = |publication: &Publication| {
            (instant(self.base, self.at(publication.content)), self.message(*publication))
        };
        self.order.iter().map(timed)
    }

    /// Writes the bodies, one per line, as `stackledger import` reads them.
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

    fn message(&self, publication: Publication) -> Message {
        let (seed, base) = (self.truth.options.seed, self.base);
        let sent_again = publication.sent_again;
        match publication.content {
            Content::InstanceFact { instance, fact, shape } => InstanceMessage {
                cloud: &self.cloud,
                seed,
                base,
                instance: &self.instances[instance as usize],
                number: (instance, fact),
                shape,
                sent_again,
            }
            .build(),
            Content::Batch { batch, route } => BatchMessage {
                cloud: &self.cloud,
                measurements: &self.measurements,
                seed,
                base,
                secret: &self.truth.options.metering.secret,
                batch,
                route,
                sent_again,
            }
            .build(),
            Content::HostSample(sample) => {
                HostMessage { host_samples: &self.host_samples, seed, base, sample }.build()
            }
            Content::DeploymentFact { deployment, fact } => DeploymentMessage {
                deployment: &self.deployments[deployment as usize],
                seed,
                base,
                number: (deployment, fact),
            }
            .build(),
        }
    }

    fn at(&self, content: Content) -> Micros {
        match content {
            Content::InstanceFact { instance, fact, .. } => {
                self.instances[instance as usize].facts[fact as usize].at
            }
            Content::Batch { batch, .. } => {
                self.measurements.at(&self.measurements.batches[batch as usize])
            }
            Content::HostSample(sample) => self.host_samples.at(sample),
            Content::DeploymentFact { deployment, fact } => {
                self.deployments[deployment as usize].facts[fact as usize].0
            }
        }
    }
}

impl Content {
    /// Returns the family of the log to which the message belongs.
    fn family(self) -> &'static str {
        match self {
            Content::InstanceFact { shape: Shape::CloudEvent, .. } => "recipe",
            Content::InstanceFact { .. } => "instance",
            Content::Batch { .. } => "meter",
            Content::HostSample(_) => "perf",
            Content::DeploymentFact { .. } => "deployment",
        }
    }

    /// Whether oslo.messaging sends the message, and hence with another `_unique_id` each time.
    fn is_oslo(self) -> bool {
        matches!(self.family(), "instance" | "meter")
    }
}

fn draw_instances(options: &Options, cloud: &Cloud) -> Vec<Instance> {
    let mut rng = Rng::new(options.seed, &[CLOUD_PATH, 0]);
    let span = u64::try_from(options.duration.as_micros()).unwrap_or(u64::MAX);
    let mut begins: Vec<u64> = (0..options.instances).map(|_| rng.below(span)).collect();
    begins.sort_unstable();
    let draw = |(index, begin): (usize, u64)| {
        scenario::draw_instance(cloud, options.seed, index as u32, begin as Micros)
    };
    begins.into_iter().enumerate().map(draw).collect()
}

/// Moves some messages, and repeats some later.
fn shuffle(options: &Options, originals: Vec<Publication>) -> Vec<Publication> {
    let mut rng = Rng::new(options.seed, &[CLOUD_PATH, 1]);
    let mut keyed: Vec<(u64, Publication)> = Vec::with_capacity(originals.len());
    for (index, original) in originals.into_iter().enumerate() {
        // Keys begin at SHUFFLE_MAX, so that the first message can move forward as well.
        let mut key = index as u64 + SHUFFLE_MAX;
        if rng.chance(options.shuffle_percent.into()) {
            key = key - SHUFFLE_MAX + rng.below(2 * SHUFFLE_MAX);
        }
        keyed.push((key, original));
        if rng.chance(options.duplicates_percent.into()) {
            // A second call of the sender's driver has another `_unique_id`; a redelivery has the same.
            let sent_again = rng.chance(33) && original.content.is_oslo();
            keyed.push((key + 1 + rng.below(SHUFFLE_MAX), Publication { sent_again, ..original }));
        }
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, publication)| publication).collect()
}
