//! From facts to truth.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{BuildStatus, BuildTruth, InstanceTruth, OperationTruth, RecipeTruth, TimingTruth};
use crate::simulate::{
    cloud::Cloud,
    scenario::{Detail, Fact, Formats, Instance, Micros, Outcome, Phase, Report, What, fault_of},
    wire::instant,
};

/// The truth of every instance, and the timings over all of them.
pub(crate) fn fold(
    cloud: &Cloud,
    base: Timestamp,
    instances: &[Instance],
) -> (Vec<InstanceTruth>, Vec<TimingTruth>) {
    let mut all = BTreeMap::new();
    let truths = instances.iter().map(|it| instance(cloud, base, it, &mut all)).collect();
    (truths, all.into_iter().map(|(name, timing)| timing.into_truth(name)).collect())
}

/// One operation over all instances, while they are counted.
#[derive(Default)]
struct Timing {
    counts: OperationTruth,
    durations: Vec<Micros>,
}

type Timings = BTreeMap<&'static str, Timing>;

fn instance(cloud: &Cloud, base: Timestamp, it: &Instance, all: &mut Timings) -> InstanceTruth {
    let told_by_nova = |fact: &&Fact| !matches!(fact.what, What::Reported(_));
    let newest = it.facts.iter().rfind(told_by_nova).expect("every plot lets Nova say something");
    let is = &newest.snapshot;
    InstanceTruth {
        instance_id: it.id.to_string(),
        name: it.name.clone(),
        project_id: cloud.projects[it.project].id.clone(),
        format: match it.formats {
            Formats::Legacy => "unversioned",
            Formats::Versioned => "versioned",
            Formats::Both => "both",
        }
        .to_owned(),
        host: is.host.map(|host| cloud.hosts[host].clone()),
        flavor: cloud.flavors[is.flavor].name.to_owned(),
        image: cloud.images[it.image].id.to_string(),
        state: is.state.to_owned(),
        deleted_at: is.deleted_at.map(|at| {
            Timestamp::from_second(instant(base, at).as_second()).expect("it was one before")
        }),
        build: build(base, it),
        operations: operations(&it.facts, all),
        recipes: recipes(base, &it.facts),
    }
}

/// What is known of a build while its facts are read.
#[derive(Default)]
struct Build {
    is_versioned: bool,
    announced: bool,
    started: Option<Micros>,
    bootstrap_started: Option<Micros>,
    attempts: u32,
    attempt_started: Option<Micros>,
    spawn: Option<Micros>,
    created: Option<Micros>,
    error: Option<(Micros, String)>,
    build_ended: Option<(Micros, Option<Outcome>)>,
}

fn build(base: Timestamp, it: &Instance) -> BuildTruth {
    let mut build = Build { is_versioned: it.formats == Formats::Versioned, ..Build::default() };
    for fact in &it.facts {
        build.read(fact);
    }
    build.into_truth(base)
}

impl Build {
    fn read(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.what {
            What::Operation { name: "create", phase: Phase::Start, .. } => {
                self.started.get_or_insert(at);
                self.attempts += 1;
                // What went before is not final after all.
                (self.attempt_started, self.spawn, self.error) = (Some(at), None, None);
            }
            What::Operation { name: "create", detail, .. } => {
                if self.attempts == 0 {
                    self.attempts = 1;
                }
                self.spawn = self.attempt_started.take().map(|start| at - start);
                match fault_of(detail) {
                    // Havana's end names no class, only the reason.
                    Some(fault)
                        if matches!(fact.what, What::Operation { phase: Phase::End, .. }) =>
                    {
                        self.error = Some((at, fault.message.clone()));
                    }
                    Some(fault) => self.error = Some((at, fault.to_string())),
                    None => (self.created, self.error) = (Some(at), None),
                }
            }
            What::Operation { name: "delete", phase: Phase::End, .. } => {
                if self.created.is_none() && self.error.is_none() {
                    self.error = Some((at, "deleted while building".to_owned()));
                }
            }
            // The legacy message has the reason alone.
            What::NoValidHost(fault) if !self.is_versioned => {
                self.error = Some((at, fault.message.clone()));
            }
            What::NoValidHost(fault) => self.error = Some((at, fault.to_string())),
            What::Reported(Report::BuildStarted) => {
                self.started.get_or_insert(at);
                self.announced = true;
            }
            What::Reported(Report::BootstrapStarted) => {
                self.bootstrap_started.get_or_insert(at);
                self.announced = true;
            }
            What::Reported(Report::BuildEnded { outcome }) => {
                self.build_ended = Some((at, *outcome));
            }
            What::Operation { .. } | What::Update { .. } | What::Exists | What::Reported(_) => {}
        }
    }

    fn into_truth(self, base: Timestamp) -> BuildTruth {
        let (status, ended) = match (&self.error, self.build_ended, self.created) {
            (Some((at, _)), ..) => (BuildStatus::Failed, Some(*at)),
            (_, Some((at, Some(Outcome::Failure))), _) => (BuildStatus::Failed, Some(at)),
            (_, Some((at, _)), _) => (BuildStatus::Complete, Some(at)),
            (_, None, Some(_)) if self.announced => (BuildStatus::Bootstrapping, None),
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

fn operations(facts: &[Fact], all: &mut Timings) -> BTreeMap<String, OperationTruth> {
    let mut counts: BTreeMap<&'static str, OperationTruth> = BTreeMap::new();
    // Attempts of one request follow one another, so that name and request say which one ends.
    let mut open: BTreeMap<(&'static str, Uuid), Micros> = BTreeMap::new();
    for fact in facts {
        let What::Operation { name, phase, detail } = &fact.what else { continue };
        let count = counts.entry(name).or_default();
        if *phase == Phase::Start {
            open.insert((name, fact.request), fact.at);
            count.open += 1;
            continue;
        }
        let started = open.remove(&(*name, fact.request));
        count.open -= u32::from(started.is_some());
        match (detail, started) {
            (Detail::Fault(_), _) => count.failed += 1,
            (_, None) => count.start_missing += 1,
            (_, Some(start)) => {
                count.complete += 1;
                all.entry(name).or_default().durations.push(fact.at - start);
            }
        }
    }
    for (name, count) in &counts {
        let sum = &mut all.entry(name).or_default().counts;
        sum.complete += count.complete;
        sum.failed += count.failed;
        sum.open += count.open;
        sum.start_missing += count.start_missing;
    }
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn recipes(base: Timestamp, facts: &[Fact]) -> Vec<RecipeTruth> {
    let mut recipes: Vec<RecipeTruth> = Vec::new();
    for fact in facts {
        match &fact.what {
            What::Reported(Report::RecipeStarted { recipe, run_id }) => {
                recipes.push(RecipeTruth {
                    recipe: (*recipe).to_owned(),
                    run_id: run_id.clone(),
                    started_at: instant(base, fact.at),
                    ended_at: None,
                    duration_s: None,
                    outcome: None,
                });
            }
            What::Reported(Report::RecipeEnded { recipe, run_id, outcome }) => {
                let same = |run: &&mut RecipeTruth| {
                    run.recipe == *recipe && run.run_id == *run_id && run.ended_at.is_none()
                };
                let run = recipes.iter_mut().rfind(same).expect("a recipe starts before it ends");
                let ended_at = instant(base, fact.at);
                let duration = ended_at.as_microsecond() - run.started_at.as_microsecond();
                run.ended_at = Some(ended_at);
                run.duration_s = Some(seconds(duration));
                run.outcome = outcome.map(|outcome| outcome.as_str().to_owned());
            }
            _ => {}
        }
    }
    recipes
}

impl Timing {
    fn into_truth(mut self, operation: &str) -> TimingTruth {
        self.durations.sort_unstable();
        let OperationTruth { complete, failed, open, start_missing } = self.counts;
        let sum: Micros = self.durations.iter().sum();
        let number = self.durations.len();
        TimingTruth {
            operation: operation.to_owned(),
            count: [complete, failed, open, start_missing].into_iter().map(u64::from).sum(),
            complete: complete.into(),
            failed: failed.into(),
            open: open.into(),
            start_missing: start_missing.into(),
            min_s: self.durations.first().copied().map(seconds),
            mean_s: (number > 0).then(|| seconds((sum as f64 / number as f64).round() as Micros)),
            max_s: self.durations.last().copied().map(seconds),
            p50_s: percentile(&self.durations, 0.5),
            p95_s: percentile(&self.durations, 0.95),
        }
    }
}

/// PostgreSQL's `percentile_cont`: linear between the two nearest of the sorted values.
pub(in crate::simulate) fn percentile(sorted: &[Micros], fraction: f64) -> Option<f64> {
    let place = fraction * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize] as f64, sorted[place.ceil() as usize] as f64);
    Some(seconds((low + (high - low) * place.fract()).round() as Micros))
}

fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}
