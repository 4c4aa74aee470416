//! The meters of a default cloud, with the types and units of today's Ceilometer. Another meter is
//! another line in [`METERS`].

use super::{
    Moment,
    population::{Container, Image, Instance, Kind, Resource, Volume},
    quantity::Quantity,
};

/// One meter.
pub(crate) struct Meter {
    /// `counter_name`.
    pub(crate) name: &'static str,
    /// `counter_type`.
    pub(crate) sort: &'static str,
    /// `counter_unit`; `""` where it has none.
    pub(crate) unit: &'static str,
    /// What it measures, and how much that is.
    of: Of,
}

type Measure<T> = fn(&mut Moment<'_>, &T) -> Quantity;

enum Of {
    /// An instance, in whatever state.
    Instance(Measure<Instance>),
    /// An instance that runs: of the others the hypervisor knows nothing.
    Running(Measure<Instance>),
    /// Each disk of an instance that runs.
    Disk(Measure<Instance>),
    /// The port of an instance that runs.
    Port(Measure<Instance>),
    Volume(Measure<Volume>),
    Image(Measure<Image>),
    FloatingIp(Measure<()>),
    Router(Measure<()>),
    Label(Measure<()>),
    Container(Measure<Container>),
}

/// What of a resource a sample is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Disk(u8),
    Port,
}

impl Part {
    /// Names the part's random numbers.
    pub(crate) fn number(self) -> u64 {
        match self {
            Part::Whole => 0,
            Part::Port => 1,
            Part::Disk(disk) => 2 + u64::from(disk),
        }
    }
}

const GAUGE: &str = "gauge";
const DELTA: &str = "delta";
const CUMULATIVE: &str = "cumulative";

/// Status ids of Neutron's resources, and power states of libvirt's.
const STATUS_ACTIVE: i64 = 1;
const STATUS_DOWN: i64 = 3;
const POWER_RUNNING: i64 = 1;
const POWER_SHUTOFF: i64 = 5;

pub(crate) const METERS: [Meter; 23] = [
    meter("vcpus", GAUGE, "vcpu", Of::Instance(|m, it| Quantity::int(m.flavor(it).vcpus))),
    meter("memory", GAUGE, "MiB", Of::Instance(|m, it| Quantity::int(m.flavor(it).memory_mb))),
    meter("disk.root.size", GAUGE, "GiB", {
        Of::Instance(|m, it| Quantity::int(m.flavor(it).root_gb))
    }),
    meter("disk.ephemeral.size", GAUGE, "GiB", {
        Of::Instance(|m, it| Quantity::int(m.flavor(it).ephemeral_gb))
    }),
    meter("power.state", GAUGE, "", {
        Of::Instance(|m, _| Quantity::Int(if m.is_up() { POWER_RUNNING } else { POWER_SHUTOFF }))
    }),
    meter("cpu", CUMULATIVE, "ns", {
        Of::Running(|m, it| m.counter(1_000_000_000 * u64::from(m.flavor(it).vcpus)))
    }),
    meter("cpu_util", GAUGE, "%", Of::Running(cpu_util)),
    meter("memory.usage", GAUGE, "MiB", Of::Running(memory_usage)),
    meter("disk.device.read.bytes", CUMULATIVE, "B", Of::Disk(|m, _| m.counter(20_000_000))),
    meter("disk.device.read.requests", CUMULATIVE, "request", Of::Disk(|m, _| m.counter(400))),
    meter("disk.device.write.bytes", CUMULATIVE, "B", Of::Disk(|m, _| m.counter(5_000_000))),
    meter("disk.device.write.requests", CUMULATIVE, "request", Of::Disk(|m, _| m.counter(150))),
    meter("network.incoming.bytes", CUMULATIVE, "B", Of::Port(|m, _| m.counter(3_000_000))),
    meter("network.incoming.packets", CUMULATIVE, "packet", Of::Port(|m, _| m.counter(3_000))),
    meter("network.outgoing.bytes", CUMULATIVE, "B", Of::Port(|m, _| m.counter(1_000_000))),
    meter("network.outgoing.packets", CUMULATIVE, "packet", Of::Port(|m, _| m.counter(2_000))),
    meter("volume.size", GAUGE, "GiB", Of::Volume(|_, it| Quantity::int(it.size_gb))),
    meter("image.size", GAUGE, "B", Of::Image(|_, it| Quantity::int(it.bytes))),
    meter("ip.floating", GAUGE, "ip", {
        Of::FloatingIp(|m, ()| Quantity::Int(if m.is_up() { STATUS_ACTIVE } else { STATUS_DOWN }))
    }),
    meter("router", GAUGE, "router", Of::Router(|_, ()| Quantity::Int(1))),
    meter("bandwidth", DELTA, "B", Of::Label(|m, ()| Quantity::int(m.increase(1_000_000)))),
    meter("storage.containers.objects", GAUGE, "object", {
        Of::Container(|m, it| Quantity::int(objects(m, it)))
    }),
    meter("storage.containers.objects.size", GAUGE, "B", {
        Of::Container(|m, it| Quantity::int(objects(m, it) * u64::from(it.object_bytes)))
    }),
];

const fn meter(name: &'static str, sort: &'static str, unit: &'static str, of: Of) -> Meter {
    Meter { name, sort, unit, of }
}

impl Meter {
    /// What of a resource this is measured of, each under a resource id of its own.
    pub(super) fn parts(&self, kind: &Kind) -> Vec<Part> {
        match (&self.of, kind) {
            (Of::Instance(_) | Of::Running(_), Kind::Instance(_))
            | (Of::Volume(_), Kind::Volume(_))
            | (Of::Image(_), Kind::Image(_))
            | (Of::FloatingIp(_), Kind::FloatingIp { .. })
            | (Of::Router(_), Kind::Router)
            | (Of::Label(_), Kind::Label)
            | (Of::Container(_), Kind::Container(_)) => vec![Part::Whole],
            (Of::Disk(_), Kind::Instance(it)) => (0..it.disks).map(Part::Disk).collect(),
            (Of::Port(_), Kind::Instance(_)) => vec![Part::Port],
            _ => Vec::new(),
        }
    }

    /// Whether there is a sample in this cycle, of a resource that has parts at all.
    pub(super) fn is_sampled(&self, resource: &Resource, cycle: u32) -> bool {
        match self.of {
            Of::Running(_) | Of::Disk(_) | Of::Port(_) => resource.rhythm.is_up(cycle),
            _ => true,
        }
    }

    /// How much it is. None where the resource has nothing of the kind.
    pub(super) fn measure(&self, moment: &mut Moment<'_>, kind: &Kind) -> Option<Quantity> {
        Some(match (&self.of, kind) {
            (
                Of::Instance(measure)
                | Of::Running(measure)
                | Of::Disk(measure)
                | Of::Port(measure),
                Kind::Instance(it),
            ) => measure(moment, it),
            (Of::Volume(measure), Kind::Volume(it)) => measure(moment, it),
            (Of::Image(measure), Kind::Image(it)) => measure(moment, it),
            (Of::FloatingIp(measure), Kind::FloatingIp { .. }) => measure(moment, &()),
            (Of::Router(measure), Kind::Router) => measure(moment, &()),
            (Of::Label(measure), Kind::Label) => measure(moment, &()),
            (Of::Container(measure), Kind::Container(it)) => measure(moment, it),
            _ => return None,
        })
    }

    /// Whether it comes from a notification of the service's, not from asking it.
    pub(crate) fn is_notified(&self) -> bool {
        matches!(self.of, Of::Router(_) | Of::Label(_))
    }
}

/// Percent, to the last digit of a float; next to nothing when idle.
fn cpu_util(moment: &mut Moment<'_>, _: &Instance) -> Quantity {
    const SCALE: u32 = 12;
    let idle = 10_i64.pow(SCALE - 4) as u64;
    let digits = if moment.now.chance(6) {
        moment.now.below(idle)
    } else {
        moment.now.below(idle * 1_000_000)
    };
    Quantity::Float { digits: digits as i64, scale: SCALE }
}

/// What libvirt counts in KiB, divided by 1024.
fn memory_usage(moment: &mut Moment<'_>, it: &Instance) -> Quantity {
    let per_mille = moment.steady.between(150, 800) + moment.now.below(150);
    let kib = u64::from(moment.flavor(it).memory_mb) * 1024 * per_mille / 1000;
    // 1/1024 = 0.0009765625
    Quantity::Float { digits: kib as i64 * 9_765_625, scale: 10 }
}

/// Objects come, none go.
fn objects(moment: &mut Moment<'_>, it: &Container) -> u64 {
    u64::from(it.objects) + u64::from(moment.cycle) * moment.resource.below(4)
}
