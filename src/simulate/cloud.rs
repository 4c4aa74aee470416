//! The parts of the simulated cloud that instances share: projects, hosts, flavors, images.

use uuid::Uuid;

use super::rng::Rng;

/// The shared parts of a cloud. Small runs get few of them, so that they are still shared.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    pub(crate) projects: Vec<Project>,
    pub(crate) hosts: Vec<String>,
    pub(crate) flavors: Vec<Flavor>,
    pub(crate) images: Vec<Image>,
}

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    /// Whether the project belongs to a cell with `notification_format = versioned`.
    pub(crate) versioned: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Flavor {
    pub(crate) name: &'static str,
    /// `instance_type_id`: the id of the row in Nova's database.
    pub(crate) row: u32,
    /// `flavorid`: the id in the API.
    pub(crate) id: String,
    pub(crate) vcpus: u32,
    pub(crate) memory_mb: u32,
    pub(crate) root_gb: u32,
    pub(crate) ephemeral_gb: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    pub(crate) os: &'static str,
}

/// Name, vCPUs, MiB of memory, GiB of the root disk and of the ephemeral disk.
const FLAVORS: [(&str, u32, u32, u32, u32); 8] = [
    ("m1.tiny", 1, 512, 1, 0),
    ("m1.small", 1, 2048, 20, 0),
    ("m1.medium", 2, 4096, 40, 0),
    ("m1.large", 4, 8192, 80, 0),
    ("c5.xlarge", 8, 16384, 100, 200),
    ("r5.large", 2, 16384, 40, 0),
    ("g1.gpu", 8, 65536, 200, 400),
    ("Größe S / 2 vCPU", 2, 3072, 30, 0),
];

/// Name and distribution.
const IMAGES: [(&str, &str); 5] = [
    ("ubuntu-24.04", "ubuntu"),
    ("debian-12", "debian"),
    ("centos-9-stream", "centos"),
    ("cirros", "cirros"),
    ("windows-2022 (日本語)", "windows"),
];

impl Cloud {
    /// Creates a cloud for `size` instances or metered resources, with at least one project. By default the
    /// number of projects follows from the size.
    pub(crate) fn new(seed: u64, size: u32, projects: Option<u32>) -> Cloud {
        let mut rng = Rng::new(seed, &[u64::from(u32::MAX)]);
        let share = |most: u32, least: u32| (size / 2).clamp(least, most);
        let projects = projects.map_or(share(50, 2), |projects| projects.max(1));
        Cloud {
            projects: (0..projects).map(|n| draw_project(&mut rng, n)).collect(),
            // With fewer than three, the attempts of a build could not all go to different hosts.
            hosts: (1..=share(40, 3)).map(|n| format!("compute-{n:02}")).collect(),
            flavors: (0..)
                .zip(&FLAVORS)
                .map(|(n, flavor)| draw_flavor(&mut rng, n, flavor))
                .collect(),
            images: IMAGES.map(|(name, os)| Image { id: rng.uuid(), name, os }).to_vec(),
        }
    }
}

fn draw_project(rng: &mut Rng, n: u32) -> Project {
    Project {
        id: rng.hex32(),
        name: if n.is_multiple_of(3) { format!("projekt-č{n}") } else { format!("project-{n}") },
        user_id: rng.hex32(),
        user_name: format!("user-{n}"),
        versioned: n % 7 == 1,
    }
}

fn draw_flavor(
    rng: &mut Rng,
    n: u32,
    &(name, vcpus, memory_mb, root_gb, ephemeral_gb): &(&'static str, u32, u32, u32, u32),
) -> Flavor {
    let row = n + 1;
    // Nova's own flavors have short ids, an operator's flavors have UUIDs.
    let id = if n < 4 { row.to_string() } else { rng.uuid().to_string() };
    Flavor { name, row, id, vcpus, memory_mb, root_gb, ephemeral_gb }
}
