//! The metered resources. All of them exist from the first cycle to the last.

use uuid::Uuid;

use super::{METERS_PATH, Part};
use crate::simulate::{cloud::Cloud, rng::Rng, scenario::NAMES};

/// A metered resource of a project.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) id: Uuid,
    /// Its index in the population.
    pub(crate) number: u32,
    /// Index into [`Cloud::projects`].
    pub(crate) project: usize,
    pub(crate) kind: Kind,
    /// When it is up: an instance runs, a floating IP is attached.
    pub(crate) rhythm: Rhythm,
}

impl Resource {
    /// Returns the `resource_id` of samples about this part.
    pub(crate) fn resource_id(&self, cloud: &Cloud, part: Part) -> String {
        match (part, &self.kind) {
            (Part::Disk(disk), _) => format!("{}-{}", self.id, disk_name(disk)),
            (Part::Port, _) => format!("{}-{}-{}", self.domain(), self.id, self.tap()),
            (Part::Whole, Kind::Container(container)) => {
                format!("{}/{}", cloud.projects[self.project].id, container.name)
            }
            (Part::Whole, _) => self.id.to_string(),
        }
    }

    /// Returns an instance's name in libvirt.
    pub(crate) fn domain(&self) -> String {
        format!("instance-{:08x}", self.number + 1)
    }

    /// Returns the name of the device at an instance's port.
    pub(crate) fn tap(&self) -> String {
        let hex = self.id.simple().to_string();
        format!("tap{}-{}", &hex[..8], &hex[8..10])
    }
}

/// Returns `vda`, `vdb`, …
pub(crate) fn disk_name(disk: u8) -> String {
    format!("vd{}", char::from(b'a' + disk % 26))
}

/// The kind of a resource, with the values of that kind.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Instance(Instance),
    Volume(Volume),
    Image(Image),
    FloatingIp {
        address: String,
    },
    Router,
    /// A metering label of Neutron, whose traffic is counted.
    Label,
    Container(Container),
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    /// Index into [`Cloud::hosts`].
    pub(crate) host: usize,
    /// Index into [`Cloud::flavors`].
    pub(crate) flavor: usize,
    /// Index into [`Cloud::images`]; `None` if it was booted from a volume.
    pub(crate) image: Option<usize>,
    /// Number of disks: `vda`, `vdb`, …
    pub(crate) disks: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) size_gb: u32,
    /// Index into [`VOLUME_TYPES`].
    pub(crate) volume_type: usize,
    /// The server it is attached to.
    pub(crate) server: Option<Uuid>,
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) objects: u32,
    /// Mean size of an object.
    pub(crate) object_bytes: u32,
}

/// Names and ids of Cinder's default type and of two types of an operator.
pub(crate) const VOLUME_TYPES: [(&str, &str); 3] = [
    ("__DEFAULT__", "2c4ea8b1-0f0c-4d5b-9f0a-5a7f1b8f3c01"),
    ("ssd", "7d1b6a0e-53f4-4c8e-8a39-0f9a3f0f6c02"),
    ("hdd-replicated", "b8f2c9d4-1e6a-4f7b-a2c5-3d4e5f607103"),
];

/// The periods in which a resource is up. It is up most of the time, and at times down for some cycles; or it
/// restarts at once, which only shows in counters that start from 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// Number of cycles from one start to the next.
    period: u32,
    /// Number of these cycles in which it is down, before the next start.
    down: u32,
    /// Number of cycles since the last start when the simulation begins.
    phase: u32,
}

impl Rhythm {
    fn draw(rng: &mut Rng) -> Rhythm {
        let period = rng.between(24, 400) as u32;
        let down = if rng.chance(50) { rng.between(1, 12) as u32 } else { 0 };
        Rhythm { period, down, phase: rng.below(period.into()) as u32 }
    }

    /// Returns the number of cycles since the last start.
    pub(crate) fn age(self, cycle: u32) -> u32 {
        ((u64::from(cycle) + u64::from(self.phase)) % u64::from(self.period)) as u32
    }

    pub(crate) fn is_up(self, cycle: u32) -> bool {
        self.age(cycle) < self.period - self.down
    }
}

/// The name of a kind, without values.
#[derive(Clone, Copy)]
enum KindName {
    Instance,
    Volume,
    Image,
    FloatingIp,
    Router,
    Label,
    Container,
}

/// The kinds of a population's resources, repeated. Every kind is among the first nine, so that small
/// populations have all of them.
const MIX: [KindName; 20] = {
    use KindName::*;
    [
        Instance, Volume, Instance, FloatingIp, Router, Image, Container, Instance, Label, Volume,
        Instance, Instance, Volume, Instance, FloatingIp, Instance, Container, Instance, Volume,
        Instance,
    ]
};

/// Draws `count` resources of the cloud's projects.
pub(super) fn draw(cloud: &Cloud, seed: u64, count: u32) -> Vec<Resource> {
    (0..count).map(|number| draw_resource(cloud, seed, number)).collect()
}

fn draw_resource(cloud: &Cloud, seed: u64, number: u32) -> Resource {
    let mut rng = Rng::new(seed, &[METERS_PATH, 0, u64::from(number)]);
    Resource {
        id: rng.uuid(),
        number,
        project: rng.index(cloud.projects.len()),
        rhythm: Rhythm::draw(&mut rng),
        kind: match MIX[number as usize % MIX.len()] {
            KindName::Instance => Kind::Instance(Instance {
                name: format!("{}-m{number}", rng.pick(&NAMES)),
                host: rng.index(cloud.hosts.len()),
                flavor: rng.index(cloud.flavors.len()),
                image: rng.chance(80).then(|| rng.index(cloud.images.len())),
                disks: 1 + u8::from(rng.chance(25)),
            }),
            KindName::Volume => Kind::Volume(Volume {
                size_gb: *rng.pick(&[1, 5, 10, 20, 50, 100, 250, 1_000, 4_096]),
                volume_type: rng.index(VOLUME_TYPES.len()),
                server: rng.chance(70).then(|| rng.uuid()),
            }),
            KindName::Image => Kind::Image(Image {
                name: format!("snapshot of {}", rng.pick(&NAMES)),
                bytes: rng.between(12_716_032, 8_589_934_592),
            }),
            KindName::FloatingIp => {
                let octet = |rng: &mut Rng| rng.between(1, 254);
                Kind::FloatingIp {
                    address: format!("203.0.{}.{}", octet(&mut rng), octet(&mut rng)),
                }
            }
            KindName::Router => Kind::Router,
            KindName::Label => Kind::Label,
            KindName::Container => Kind::Container(Container {
                name: format!("{}-{number}", rng.pick(&["backups", "fotky-ž", "logs"])),
                objects: rng.between(1, 100_000) as u32,
                object_bytes: rng.between(200, 4_000_000) as u32,
            }),
        },
    }
}
