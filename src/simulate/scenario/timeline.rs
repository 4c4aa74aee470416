//! The pen the plots write with: one instance's clock, its state, and the facts so far.

use uuid::Uuid;

use super::{Cloud, Detail, Fact, Fault, Micros, Phase, Report, Rng, Snapshot, What};

/// The least time between two facts of one instance. Room for the second format's copy of a fact,
/// which is said a few ms later, so that no two messages of an instance share a timestamp.
pub(crate) const GAP_MIN: Micros = 10_000;

const SECOND: Micros = 1_000_000;

pub(super) struct Timeline<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) rng: Rng,
    pub(super) facts: Vec<Fact>,
    /// The instance as it is now; the plots change it between facts.
    pub(super) is: Snapshot,
    /// The API request being served.
    pub(super) request: Uuid,
    now: Micros,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(cloud: &'a Cloud, mut rng: Rng, begin: Micros) -> Timeline<'a> {
        let is = Snapshot {
            host: None,
            flavor: rng.index(cloud.flavors.len()),
            state: "building",
            task: "scheduling",
            launched_at: None,
            deleted_at: None,
        };
        let request = rng.uuid();
        Timeline { cloud, rng, facts: Vec::new(), is, request, now: begin }
    }

    /// Lets a log-normal time pass.
    pub(super) fn wait(&mut self, median_s: f64, sigma: f64) {
        self.now += self.rng.micros(median_s, sigma);
    }

    /// The moment of the next fact.
    pub(super) fn tick(&mut self) -> Micros {
        self.now += GAP_MIN + self.rng.below(1_000) as Micros;
        // Python leaves the fraction out when it is zero: a trap worth meeting more often than once
        // in a million.
        if self.rng.chance(2) {
            self.now += SECOND - self.now % SECOND;
        }
        self.now
    }

    /// A step of an operation, said by the compute service of the instance's host.
    pub(super) fn step(&mut self, name: &'static str, phase: Phase) {
        self.step_with(name, phase, Detail::None, None);
    }

    /// The operation failed.
    pub(super) fn fail(&mut self, name: &'static str, phase: Phase, fault: Fault) {
        self.step_with(name, phase, Detail::Fault(fault), None);
    }

    /// As [`Self::step`], but said by host `publisher`.
    pub(super) fn step_with(
        &mut self,
        name: &'static str,
        phase: Phase,
        detail: Detail,
        publisher: Option<usize>,
    ) {
        let host = publisher.or(self.is.host).map_or("api-01", |host| &self.cloud.hosts[host]);
        let publisher = host.to_owned();
        self.push("compute", publisher, What::Operation { name, phase, detail });
    }

    /// State and task become these, and the compute service says so.
    pub(super) fn update(&mut self, state: &'static str, task: &'static str) {
        let (old_state, old_task) = (self.is.state, self.is.task);
        (self.is.state, self.is.task) = (state, task);
        let host = self.is.host.map_or("api-01", |host| &self.cloud.hosts[host]);
        let publisher = host.to_owned();
        self.push("compute", publisher, What::Update { old_state, old_task });
    }

    /// Said by the conductor.
    pub(super) fn conduct(&mut self, what: What) {
        let service = match what {
            // In the legacy format the conductor uses this name for what it builds.
            What::NoValidHost(_) => "compute_task",
            _ => "conductor",
        };
        self.push(service, "control-01".to_owned(), what);
    }

    pub(super) fn bootstrap(&mut self, what: Report) {
        self.push("bootstrap", "bootstrap".to_owned(), What::Reported(what));
    }

    pub(super) fn push(&mut self, service: &'static str, publisher: String, what: What) {
        let at = self.tick();
        self.push_at(at, service, publisher, what);
    }

    /// As [`Self::push`], for what must know its own time: `at` is what [`Self::tick`] gave last.
    pub(super) fn push_at(
        &mut self,
        at: Micros,
        service: &'static str,
        publisher: String,
        what: What,
    ) {
        let (request, snapshot) = (self.request, self.is.clone());
        self.facts.push(Fact { at, request, service, publisher, snapshot, what });
    }
}
