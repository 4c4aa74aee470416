//! The meters of a default cloud, with the types and units of present releases of Ceilometer. A further
//! meter is a further line in [`METERS`].

use super::{
    Moment,
    population::{Container, Image, Instance, Kind, Resource, Volume},
    quantity::Quantity,
};

/// A meter.
pub(crate) struct Meter {
    /// `counter_name`.
    pub(crate) name: &'static str,
    /// `counter_type`.
    pub(crate) meter_type: &'static str,
    /// `counter_unit`; `""` if it has none.
    pub(crate) unit: &'static str,
    /// The kind of resource that it measures, with the function that computes the volume.
    measurement: Measurement,
}

/// Computes the volume of a sample.
type Measure<T> = fn(&mut Moment<'_>, &T) -> Quantity;

/// The kind of resource that a meter measures.
enum Measurement {
    /// An instance, whatever its state.
    Instance(Measure<Instance>),
    /// A running instance. The hypervisor has no values for others.
    Running(Measure<Instance>),
    /// Each disk of a running instance.
    Disk(Measure<Instance>),
    /// The port of a running instance.
    Port(Measure<Instance>),
    Volume(Measure<Volume>),
    Image(Measure<Image>),
    FloatingIp(Measure<()>),
    Router(Measure<()>),
    Label(Measure<()>),
    Container(Measure<Container>),
}

/// The part of a resource that a sample measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Disk(u8),
    Port,
}

impl Part {
    /// Returns the number of the part in the paths of its random numbers.
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

/// Status ids that Ceilometer gives to Neutron's resources.
const STATUS_ACTIVE: i64 = 1;
const STATUS_DOWN: i64 = 3;
/// Power states of libvirt.
const POWER_RUNNING: i64 = 1;
const POWER_SHUTOFF: i64 = 5;

pub(crate) const METERS: [Meter; 23] = [
    meter(
        "vcpus",
        GAUGE,
        "vcpu",
        Measurement::Instance(|m, instance| Quantity::int(m.flavor(instance).vcpus)),
    ),
    meter(
        "memory",
        GAUGE,
        "MiB",
        Measurement::Instance(|m, instance| Quantity::int(m.flavor(instance).memory_mb)),
    ),
    meter("disk.root.size", GAUGE, "GiB", {
        Measurement::Instance(|m, instance| Quantity::int(m.flavor(instance).root_gb))
    }),
    meter("disk.ephemeral.size", GAUGE, "GiB", {
        Measurement::Instance(|m, instance| Quantity::int(m.flavor(instance).ephemeral_gb))
    }),
    meter("power.state", GAUGE, "", {
        Measurement::Instance(|m, _| {
            Quantity::Int(if m.is_up() { POWER_RUNNING } else { POWER_SHUTOFF })
        })
    }),
    meter("cpu", CUMULATIVE, "ns", {
        Measurement::Running(|m, instance| {
            m.counter(1_000_000_000 * u64::from(m.flavor(instance).vcpus))
        })
    }),
    meter("cpu_util", GAUGE, "%", Measurement::Running(cpu_util)),
    meter("memory.usage", GAUGE, "MiB", Measurement::Running(memory_usage)),
    meter(
        "disk.device.read.bytes",
        CUMULATIVE,
        "B",
        Measurement::Disk(|m, _| m.counter(20_000_000)),
    ),
    meter(
        "disk.device.read.requests",
        CUMULATIVE,
        "request",
        Measurement::Disk(|m, _| m.counter(400)),
    ),
    meter(
        "disk.device.write.bytes",
        CUMULATIVE,
        "B",
        Measurement::Disk(|m, _| m.counter(5_000_000)),
    ),
    meter(
        "disk.device.write.requests",
        CUMULATIVE,
        "request",
        Measurement::Disk(|m, _| m.counter(150)),
    ),
    meter(
        "network.incoming.bytes",
        CUMULATIVE,
        "B",
        Measurement::Port(|m, _| m.counter(3_000_000)),
    ),
    meter(
        "network.incoming.packets",
        CUMULATIVE,
        "packet",
        Measurement::Port(|m, _| m.counter(3_000)),
    ),
    meter(
        "network.outgoing.bytes",
        CUMULATIVE,
        "B",
        Measurement::Port(|m, _| m.counter(1_000_000)),
    ),
    meter(
        "network.outgoing.packets",
        CUMULATIVE,
        "packet",
        Measurement::Port(|m, _| m.counter(2_000)),
    ),
    meter(
        "volume.size",
        GAUGE,
        "GiB",
        Measurement::Volume(|_, volume| Quantity::int(volume.size_gb)),
    ),
    meter("image.size", GAUGE, "B", Measurement::Image(|_, image| Quantity::int(image.bytes))),
    meter("ip.floating", GAUGE, "ip", {
        Measurement::FloatingIp(|m, ()| {
            Quantity::Int(if m.is_up() { STATUS_ACTIVE } else { STATUS_DOWN })
        })
    }),
    meter("router", GAUGE, "router", Measurement::Router(|_, ()| Quantity::Int(1))),
    meter(
        "bandwidth",
        DELTA,
        "B",
        Measurement::Label(|m, ()| Quantity::int(m.increase(1_000_000))),
    ),
    meter("storage.containers.objects", GAUGE, "object", {
        Measurement::Container(|m, container| Quantity::int(objects(m, container)))
    }),
    meter("storage.containers.objects.size", GAUGE, "B", {
        Measurement::Container(|m, container| {
            Quantity::int(objects(m, container) * u64::from(container.object_bytes))
        })
    }),
];

const fn meter(
    name: &'static str,
    meter_type: &'static str,
    unit: &'static str,
    measurement: Measurement,
) -> Meter {
    Meter { name, meter_type, unit, measurement }
}

impl Meter {
    /// Returns the parts of a resource that it measures. Each has a resource id of its own.
    pub(super) fn parts(&self, kind: &Kind) -> Vec<Part> {
        match (&self.measurement, kind) {
            (Measurement::Instance(_) | Measurement::Running(_), Kind::Instance(_))
            | (Measurement::Volume(_), Kind::Volume(_))
            | (Measurement::Image(_), Kind::Image(_))
            | (Measurement::FloatingIp(_), Kind::FloatingIp { .. })
            | (Measurement::Router(_), Kind::Router)
            | (Measurement::Label(_), Kind::Label)
            | (Measurement::Container(_), Kind::Container(_)) => vec![Part::Whole],
            (Measurement::Disk(_), Kind::Instance(instance)) => {
                (0..instance.disks).map(Part::Disk).collect()
            }
            (Measurement::Port(_), Kind::Instance(_)) => vec![Part::Port],
            _ => Vec::new(),
        }
    }

    /// Whether there is a sample in this cycle, of a resource with parts to measure.
    pub(super) fn is_sampled(&self, resource: &Resource, cycle: u32) -> bool {
        match self.measurement {
            Measurement::Running(_) | Measurement::Disk(_) | Measurement::Port(_) => {
                resource.rhythm.is_up(cycle)
            }
            _ => true,
        }
    }

    /// Computes the volume. Returns `None` if the meter does not measure this kind of resource.
    pub(super) fn measure(&self, moment: &mut Moment<'_>, kind: &Kind) -> Option<Quantity> {
        Some(match (&self.measurement, kind) {
            (
                Measurement::Instance(measure)
                | Measurement::Running(measure)
                | Measurement::Disk(measure)
                | Measurement::Port(measure),
                Kind::Instance(instance),
            ) => measure(moment, instance),
            (Measurement::Volume(measure), Kind::Volume(volume)) => measure(moment, volume),
            (Measurement::Image(measure), Kind::Image(image)) => measure(moment, image),
            (Measurement::FloatingIp(measure), Kind::FloatingIp { .. }) => measure(moment, &()),
            (Measurement::Router(measure), Kind::Router) => measure(moment, &()),
            (Measurement::Label(measure), Kind::Label) => measure(moment, &()),
            (Measurement::Container(measure), Kind::Container(container)) => {
                measure(moment, container)
            }
            _ => return None,
        })
    }

    /// Whether its samples come from notifications of the service, not from polling.
    pub(crate) fn is_notified(&self) -> bool {
        matches!(self.measurement, Measurement::Router(_) | Measurement::Label(_))
    }
}

/// Returns a percentage with all digits of a float, which is nearly 0 for an idle instance.
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

/// Returns libvirt's number of KiB, divided by 1024.
fn memory_usage(moment: &mut Moment<'_>, instance: &Instance) -> Quantity {
    let per_mille = moment.steady.between(150, 800) + moment.now.below(150);
    let kib = u64::from(moment.flavor(instance).memory_mb) * 1024 * per_mille / 1000;
    // 1/1024 = 0.0009765625
    Quantity::Float { digits: kib as i64 * 9_765_625, scale: 10 }
}

/// Returns the number of objects, which only grows.
fn objects(moment: &mut Moment<'_>, container: &Container) -> u64 {
    u64::from(container.objects) + u64::from(moment.cycle) * moment.resource.below(4)
}
