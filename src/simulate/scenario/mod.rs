//! The life of each simulated instance, as facts in time order. Messages and truth are both made from
//! these facts.

mod bootstrap;
mod build;
mod course;
mod fact;
mod fault;
mod operations;
mod timeline;

use uuid::Uuid;

use super::{cloud::Cloud, rng::Rng, time::Micros};
use course::BuildCourse;
use timeline::Timeline;

pub(crate) use fact::{Detail, Fact, FactKind, InstanceRow, Outcome, Phase, Report};
pub(crate) use fault::Fault;

/// An instance and its life.
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
    pub(crate) format: NotificationFormat,
    /// Whether its messages have no envelope of oslo's (driver `messaging`, format 1.0).
    pub(crate) bare: bool,
    /// When the API accepted it.
    pub(crate) created_at: Micros,
    /// In time order; the times are at least 10 ms apart.
    pub(crate) facts: Vec<Fact>,
}

/// `notification_format` of the cell that the instance lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotificationFormat {
    Legacy,
    Versioned,
    Both,
}

/// The names of users' servers.
pub(crate) const NAMES: [&str; 6] =
    ["web", "db", "jenkins-agent", "数据库", "o'brien", "naïve \"test\" 🚀"];

/// Draws the whole life of instance `index`, whose build begins at `begin`.
pub(crate) fn draw_instance(cloud: &Cloud, seed: u64, index: u32, begin: Micros) -> Instance {
    let mut rng = Rng::new(seed, &[u64::from(index)]);
    let project = rng.index(cloud.projects.len());
    let course = BuildCourse::draw(&mut rng);
    let format = match rng.below(100) {
        _ if course.is_legacy_only() => NotificationFormat::Legacy,
        0..8 => NotificationFormat::Both,
        _ if cloud.projects[project].versioned => NotificationFormat::Versioned,
        _ => NotificationFormat::Legacy,
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
        format,
        bare: rng.chance(10),
        created_at: begin,
        facts: Vec::new(),
    };
    let mut timeline = Timeline::new(cloud, rng, begin);
    build::simulate(&mut timeline, course);
    instance.facts = timeline.facts;
    instance
}
