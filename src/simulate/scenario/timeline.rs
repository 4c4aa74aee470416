//! The timeline of one instance, to which a scenario adds facts: its clock, its row, and the facts so far.

use uuid::Uuid;

use super::{
    fact::{Detail, Fact, FactKind, InstanceRow, Phase, Report},
    fault::Fault,
};
use crate::simulate::{
    cloud::Cloud,
    rng::Rng,
    time::{Micros, SECOND},
};

/// The least time between two facts of one instance. In the versioned format a fact is sent a few ms later
/// than in the legacy one, and no two messages of an instance may have the same timestamp.
const GAP_MIN: Micros = 10_000;

/// The timeline of one instance.
pub(super) struct Timeline<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) rng: Rng,
    pub(super) facts: Vec<Fact>,
    /// The instance's row at present, which scenarios change between facts.
    pub(super) row: InstanceRow,
    /// The API request that is served at present.
    pub(super) request: Uuid,
    now: Micros,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(cloud: &'a Cloud, mut rng: Rng, begin: Micros) -> Timeline<'a> {
        let row = InstanceRow {
            host: None,
            flavor: rng.index(cloud.flavors.len()),
            state: "building",
            task: "scheduling",
            launched_at: None,
            deleted_at: None,
        };
        let request = rng.uuid();
        Timeline { cloud, rng, facts: Vec::new(), row, request, now: begin }
    }

    /// Advances the clock by a log-normal time.
    pub(super) fn wait(&mut self, median_s: f64, sigma: f64) {
        self.now += self.rng.micros(median_s, sigma);
    }

    /// Advances the clock to the time of the next fact, which it returns.
    pub(super) fn tick(&mut self) -> Micros {
        self.now += GAP_MIN + self.rng.below(1_000) as Micros;
        // Python omits a fraction of zero: readers should meet that more often than once in a million.
        if self.rng.chance(2) {
            self.now += SECOND - self.now % SECOND;
        }
        self.now
    }

    /// Adds a step of an operation, published by the compute service of the instance's host.
    pub(super) fn step(&mut self, name: &'static str, phase: Phase) {
        self.step_with(name, phase, Detail::None, None);
    }

    /// Adds a step that reports a failure.
    pub(super) fn fail(&mut self, name: &'static str, phase: Phase, fault: Fault) {
        self.step_with(name, phase, Detail::Fault(fault), None);
    }

    /// As [`Self::step`], with further values, and published by host `publisher` if one is given.
    pub(super) fn step_with(
        &mut self,
        name: &'static str,
        phase: Phase,
        detail: Detail,
        publisher: Option<usize>,
    ) {
        let publisher = self.compute_host(publisher.or(self.row.host));
        self.push("compute", publisher, FactKind::Operation { name, phase, detail });
    }

    /// Changes state and task, and adds the update that the compute service publishes.
    pub(super) fn update(&mut self, state: &'static str, task: &'static str) {
        let (old_state, old_task) = (self.row.state, self.row.task);
        (self.row.state, self.row.task) = (state, task);
        let publisher = self.compute_host(self.row.host);
        self.push("compute", publisher, FactKind::Update { old_state, old_task });
    }

    /// Adds a fact that the conductor publishes.
    pub(super) fn conduct(&mut self, kind: FactKind) {
        let service = match kind {
            // In the legacy format the conductor uses this name for builds.
            FactKind::NoValidHost(_) => "compute_task",
            _ => "conductor",
        };
        self.push(service, "control-01".to_owned(), kind);
    }

    /// Adds a report of the bootstrap.
    pub(super) fn report(&mut self, report: Report) {
        self.push("bootstrap", "bootstrap".to_owned(), FactKind::Report(report));
    }

    /// Adds the periodic audit, published by the compute service of the instance's host.
    pub(super) fn audit(&mut self) {
        let publisher = self.compute_host(self.row.host);
        self.push("compute", publisher, FactKind::Exists);
    }

    /// Deletes the instance's row, and adds the step that ends the deletion at the same time.
    pub(super) fn delete_row(&mut self) {
        let at = self.tick();
        (self.row.state, self.row.task, self.row.deleted_at) = ("deleted", "", Some(at));
        let publisher = self.compute_host(self.row.host);
        let kind = FactKind::Operation { name: "delete", phase: Phase::End, detail: Detail::None };
        self.push_at(at, "compute", publisher, kind);
    }

    /// Returns the name of a host; without one the API server acts in its place.
    fn compute_host(&self, host: Option<usize>) -> String {
        host.map_or("api-01", |host| &self.cloud.hosts[host]).to_owned()
    }

    fn push(&mut self, service: &'static str, publisher: String, kind: FactKind) {
        let at = self.tick();
        self.push_at(at, service, publisher, kind);
    }

    fn push_at(&mut self, at: Micros, service: &'static str, publisher: String, kind: FactKind) {
        let (request, row) = (self.request, self.row.clone());
        self.facts.push(Fact { at, request, service, publisher, row, kind });
    }
}
