//! What the simulated cloud is made of: projects, hosts, flavors, images.

use uuid::Uuid;

use super::rng::Rng;

/// The things instances share. Small runs get a small cloud, so that things are still shared.
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
    /// Belongs to a cell that was switched to `notification_format = versioned`.
    pub(crate) versioned: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Flavor {
    pub(crate) name: &'static str,
    /// `instance_type_id`: the row in Nova's database.
    pub(crate) row: u32,
    /// `flavorid`: what the API calls it.
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

const IMAGES: [(&str, &str); 5] = [
    ("ubuntu-24.04", "ubuntu"),
    ("debian-12", "debian"),
    ("centos-9-stream", "centos"),
    ("cirros", "cirros"),
    ("windows-2022 (日本語)", "windows"),
];

impl Cloud {
    /// A cloud for so many things, instances or others; of so many projects, if that is said.
    pub(crate) fn new(seed: u64, things: u32, projects: Option<u32>) -> Cloud {
        let mut rng = Rng::new(seed, &[u64::from(u32::MAX)]);
        let share = |most: u32, least: u32| (things / 2).clamp(least, most);
        let projects = projects.map_or(share(50, 2), |projects| projects.max(1));
        Cloud {
            projects: (0..projects).map(|n| project(&mut rng, n)).collect(),
            // Three is the fewest on which every attempt of a build can go to another host.
            hosts: (1..=share(40, 3)).map(|n| format!("compute-{n:02}")).collect(),
            flavors: FLAVORS.iter().enumerate().map(|(n, of)| flavor(&mut rng, n, of)).collect(),
            images: IMAGES.map(|(name, os)| Image { id: rng.uuid(), name, os }).to_vec(),
        }
    }
}

fn project(rng: &mut Rng, n: u32) -> Project {
    Project {
        id: rng.hex32(),
        name: if n.is_multiple_of(3) { format!("projekt-č{n}") } else { format!("project-{n}") },
        user_id: rng.hex32(),
        user_name: format!("user-{n}"),
        versioned: n % 7 == 1,
    }
}

fn flavor(
    rng: &mut Rng,
    n: usize,
    &(name, vcpus, memory_mb, root_gb, ephemeral_gb): &(&'static str, u32, u32, u32, u32),
) -> Flavor {
    let row = n as u32 + 1;
    // Nova's own flavors have short ids, those of operators have UUIDs.
    let id = if n < 4 { row.to_string() } else { rng.uuid().to_string() };
    Flavor { name, row, id, vcpus, memory_mb, root_gb, ephemeral_gb }
}
