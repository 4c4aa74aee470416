//! What happens in the simulated cloud, before any thought of how it is told: for each instance a
//! list of facts in time order. The messages and the truth are both made from it.

mod bootstrap;
mod build;
mod operations;
mod timeline;

use uuid::Uuid;

use super::{cloud::Cloud, rng::Rng};

/// Time since the beginning of the simulation, in µs.
pub(crate) type Micros = i64;

/// One instance and all that happened to it.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) hostname: String,
    pub(crate) reservation_id: String,
    /// Index into [`Cloud::projects`].
    pub(crate) project: usize,
    /// Index into [`Cloud::images`].
    pub(crate) image: usize,
    pub(crate) address: String,
    pub(crate) mac: String,
    pub(crate) formats: Formats,
    /// Its messages come without oslo's envelope (driver `messaging`, format 1.0).
    pub(crate) bare: bool,
    /// When the API accepted it.
    pub(crate) created_at: Micros,
    /// In time order; the times are at least [`timeline::GAP_MIN`] apart.
    pub(crate) facts: Vec<Fact>,
}

/// `notification_format` of the cell the instance lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Formats {
    Legacy,
    Versioned,
    Both,
}

/// Something that happened, with the instance as it was then.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) at: Micros,
    /// The API request that caused it.
    pub(crate) request: Uuid,
    /// Who says so, e.g. `compute`.
    pub(crate) service: &'static str,
    /// Where it was said: not always the instance's host.
    pub(crate) publisher: String,
    pub(crate) snapshot: Snapshot,
    pub(crate) what: What,
}

/// What Nova's database holds about the instance at that moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Index into [`Cloud::hosts`].
    pub(crate) host: Option<usize>,
    /// Index into [`Cloud::flavors`].
    pub(crate) flavor: usize,
    /// vm_state.
    pub(crate) state: &'static str,
    /// task_state, `""` when there is none.
    pub(crate) task: &'static str,
    pub(crate) launched_at: Option<Micros>,
    pub(crate) deleted_at: Option<Micros>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A step of an operation, by the versioned format's name.
    Operation { name: &'static str, phase: Phase, detail: Detail },
    /// State or task changed from these.
    Update { old_state: &'static str, old_task: &'static str },
    /// The periodic audit.
    Exists,
    /// The scheduler found no host.
    NoValidHost(Fault),
    /// Told by the bootstrap itself, not by Nova.
    Reported(Report),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Start,
    End,
    Error,
}

/// What a step of an operation tells beyond the instance.
#[derive(Clone, Debug)]
pub(crate) enum Detail {
    None,
    Fault(Fault),
    /// The flavor a resize leads to.
    NewFlavor(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) class: &'static str,
    pub(crate) message: String,
    pub(crate) code: u32,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Report {
    BuildStarted,
    BootstrapStarted,
    RecipeStarted { recipe: &'static str, run_id: Option<String> },
    RecipeEnded { recipe: &'static str, run_id: Option<String>, outcome: Option<Outcome> },
    BuildEnded { outcome: Option<Outcome> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
}

/// Why a create ended badly, if it did: some senders say so in an `end` that is none.
pub(crate) fn fault_of(detail: &Detail) -> Option<&Fault> {
    match detail {
        Detail::Fault(fault) => Some(fault),
        Detail::None | Detail::NewFlavor(_) => None,
    }
}

/// What users call their servers.
pub(crate) const NAMES: [&str; 6] =
    ["web", "db", "jenkins-agent", "数据库", "o'brien", "naïve \"test\" 🚀"];

/// The whole life of instance `index`, whose build begins at `begin`.
pub(crate) fn instance(cloud: &Cloud, seed: u64, index: u32, begin: Micros) -> Instance {
    let mut rng = Rng::new(seed, &[u64::from(index)]);
    let project = rng.index(cloud.projects.len());
    let plot = build::Plot::draw(&mut rng);
    let formats = match rng.below(100) {
        _ if plot.is_legacy_only() => Formats::Legacy,
        0..8 => Formats::Both,
        _ if cloud.projects[project].versioned => Formats::Versioned,
        _ => Formats::Legacy,
    };
    let octets = rng.next().to_be_bytes();
    let mut instance = Instance {
        id: rng.uuid(),
        name: format!("{}-{index}", rng.pick(&NAMES)),
        hostname: format!("vm-{index}"),
        reservation_id: format!("r-{}", &rng.hex32()[..8]),
        project,
        image: rng.index(cloud.images.len()),
        address: format!("10.{}.{}.{}", octets[0] % 16, octets[1], 2 + octets[2] % 250),
        mac: format!("fa:16:3e:{:02x}:{:02x}:{:02x}", octets[3], octets[4], octets[5]),
        formats,
        bare: rng.chance(10),
        created_at: begin,
        facts: Vec::new(),
    };
    let mut timeline = timeline::Timeline::new(cloud, rng, begin);
    build::tell(&mut timeline, plot);
    instance.facts = timeline.facts;
    instance
}
