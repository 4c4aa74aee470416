//! The truth of a build, from the facts of its instance.

use jiff::Timestamp;

use super::{BuildStatus, BuildTruth};
use crate::simulate::{
    scenario::{Fact, FactKind, Instance, NotificationFormat, Outcome, Phase, Report},
    time::{Micros, instant, seconds},
};

/// The state of a build after some of its facts.
#[derive(Default)]
struct Build {
    is_versioned: bool,
    is_announced: bool,
    started: Option<Micros>,
    bootstrap_started: Option<Micros>,
    attempts: u32,
    attempt_started: Option<Micros>,
    spawn: Option<Micros>,
    created: Option<Micros>,
    error: Option<(Micros, String)>,
    build_ended: Option<(Micros, Option<Outcome>)>,
}

/// Returns the truth of an instance's build.
pub(super) fn fold_build(base: Timestamp, instance: &Instance) -> BuildTruth {
    let is_versioned = instance.format == NotificationFormat::Versioned;
    let mut build = Build { is_versioned, ..Build::default() };
    for fact in &instance.facts {
        build.apply(fact);
    }
    build.into_truth(base)
}

impl Build {
    fn apply(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.kind {
            FactKind::Operation { name: "create", phase: Phase::Start, .. } => {
                self.started.get_or_insert(at);
                self.attempts += 1;
                // Another attempt follows, so the failure before it is not final.
                (self.attempt_started, self.spawn, self.error) = (Some(at), None, None);
            }
            FactKind::Operation { name: "create", detail, .. } => {
                if self.attempts == 0 {
                    self.attempts = 1;
                }
                self.spawn = self.attempt_started.take().map(|start| at - start);
                match detail.fault() {
                    // Havana's end contains the reason without its class.
                    Some(fault)
                        if matches!(fact.kind, FactKind::Operation { phase: Phase::End, .. }) =>
                    {
                        self.error = Some((at, fault.message.clone()));
                    }
                    Some(fault) => self.error = Some((at, fault.to_string())),
                    None => (self.created, self.error) = (Some(at), None),
                }
            }
            FactKind::Operation { name: "delete", phase: Phase::End, .. } => {
                if self.created.is_none() && self.error.is_none() {
                    self.error = Some((at, "deleted while building".to_owned()));
                }
            }
            // The legacy message contains the reason without its class.
            FactKind::NoValidHost(fault) if !self.is_versioned => {
                self.error = Some((at, fault.message.clone()));
            }
            FactKind::NoValidHost(fault) => self.error = Some((at, fault.to_string())),
            FactKind::Report(Report::BuildStarted) => {
                self.started.get_or_insert(at);
                self.is_announced = true;
            }
            FactKind::Report(Report::BootstrapStarted) => {
                self.bootstrap_started.get_or_insert(at);
                self.is_announced = true;
            }
            FactKind::Report(Report::BuildEnded { outcome }) => {
                self.build_ended = Some((at, *outcome));
            }
            FactKind::Operation { .. }
            | FactKind::Update { .. }
            | FactKind::Exists
            | FactKind::Report(_) => {}
        }
    }

    fn into_truth(self, base: Timestamp) -> BuildTruth {
        let (status, ended) = match (&self.error, self.build_ended, self.created) {
            (Some((at, _)), ..) => (BuildStatus::Failed, Some(*at)),
            (_, Some((at, Some(Outcome::Failure))), _) => (BuildStatus::Failed, Some(at)),
            (_, Some((at, _)), _) => (BuildStatus::Complete, Some(at)),
            (_, None, Some(_)) if self.is_announced => (BuildStatus::Bootstrapping, None),
            (_, None, Some(at)) => (BuildStatus::Complete, Some(at)),
            _ if self.bootstrap_started.is_some() => (BuildStatus::Bootstrapping, None),
            _ => (BuildStatus::Building, None),
        };
        let duration = self.started.zip(ended).map(|(start, end)| (end - start).max(0));
        BuildTruth {
            status,
            started_at: self.started.map(|at| instant(base, at)),
            bootstrap_started_at: self.bootstrap_started.map(|at| instant(base, at)),
            ended_at: ended.map(|at| instant(base, at)),
            duration_s: duration.map(seconds),
            spawn_s: self.spawn.map(seconds),
            attempts: self.attempts,
            error: self.error.map(|(_, message)| message),
        }
    }
}
