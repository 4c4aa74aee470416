//! Builds: the state of an instance's build, derived from the instance's row and its operations.

use jiff::Timestamp;

use super::operations::FORMATS_APART_MAX;
use super::pair::measure_duration;
use super::rows::{BuildStatus, Instance, Operation, OperationStatus};
use crate::event::nova::Format;
use crate::event::recipe::Outcome;
use crate::event::time;

/// The name of the operation that a build depends on.
pub(super) const CREATE: &str = "create";

/// The build of an instance: the derived columns of its row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Build {
    pub status: Option<BuildStatus>,
    pub started_at: Option<Timestamp>,
    pub bootstrap_started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Whether it ended, and only later messages show that it did.
    pub end_inferred: bool,
    pub duration_us: Option<i64>,
    pub spawn_us: Option<i64>,
    pub attempts: i32,
    pub error: Option<String>,
    pub skewed: bool,
}

impl Instance {
    /// Sets the columns of the build.
    pub fn set_build(&mut self, build: Build) {
        self.build_status = build.status;
        self.build_started_at = build.started_at;
        self.bootstrap_started_at = build.bootstrap_started_at;
        self.build_ended_at = build.ended_at;
        self.build_end_inferred = build.end_inferred;
        self.build_duration_us = build.duration_us;
        self.spawn_us = build.spawn_us;
        self.attempts = build.attempts;
        self.build_error = build.error;
        self.skewed = build.skewed;
    }
}

/// Derives the build of an instance. `operations` must contain all its [`CREATE`] operations.
pub(super) fn derive(instance: &Instance, operations: &[Operation]) -> Build {
    let creates: Vec<&Operation> =
        operations.iter().filter(|operation| operation.operation == CREATE).collect();
    let starts = creates.iter().map(|create| create.started_at);
    let ttm_start = instance.ttm_start_time.as_deref().and_then(time::parse);
    let announcements = [instance.announced_at, instance.ttm_first_at, ttm_start];
    let started_at = starts.chain(announcements).flatten().min();
    let bootstrap_started_at = instance.bootstrap_at.or_else(|| find_bootstrap_call(instance));

    let attempt = find_decisive_attempt(&creates);
    let failure = find_creation_failure(instance, &creates, attempt);
    let creation = find_creation(instance, attempt, failure.is_some());
    let is_inferred = creation.as_ref().is_some_and(|creation| creation.is_inferred);
    let (spawn_us, is_spawn_skewed) = match (&creation, attempt) {
        (Some(Creation { at, is_inferred: true }), _) => measure_spawn(&creates, *at).unzip(),
        (_, Some(attempt)) => (attempt.duration_us, Some(attempt.skewed)),
        (_, None) => (None, None),
    };

    let verdict = judge(instance, attempt, creation, failure, bootstrap_started_at);
    let (status, ended_at, end_inferred, error) = match verdict {
        None => (None, None, false, None),
        Some(Verdict::Unfinished(status)) => (Some(status), None, false, None),
        Some(Verdict::Bootstrapped(at)) => (Some(BuildStatus::Complete), Some(at), false, None),
        Some(Verdict::Created(at)) => (Some(BuildStatus::Complete), at, is_inferred, None),
        Some(Verdict::Failed(failure)) => {
            (Some(BuildStatus::Failed), Some(failure.at), false, failure.error)
        }
    };
    let wait = started_at.zip(ended_at).map(|(start, end)| measure_duration(start, end));
    Build {
        status,
        started_at,
        bootstrap_started_at,
        ended_at,
        end_inferred,
        duration_us: wait.map(|(us, _)| us),
        spawn_us,
        attempts: i32::try_from(creates.len()).unwrap_or(i32::MAX),
        error,
        skewed: wait.is_some_and(|(_, skewed)| skewed) || is_spawn_skewed.unwrap_or(false),
    }
}

/// The state of a build.
enum Verdict {
    Unfinished(BuildStatus),
    /// It is complete, because it was created; with the time, if that is known.
    Created(Option<Timestamp>),
    /// It is complete, because its bootstrap has ended.
    Bootstrapped(Timestamp),
    Failed(Failure),
}

/// The good end of a creation.
struct Creation {
    /// `None` if it was lost and no message has the time of the launch.
    at: Option<Timestamp>,
    /// Whether it was lost, and a later message shows that the instance was launched.
    is_inferred: bool,
}

/// A failure to build.
struct Failure {
    at: Timestamp,
    error: Option<String>,
}

/// Judges the state of the build; `None` if nothing indicates that there is one. A failure is final only
/// as long as nothing contradicts it.
fn judge(
    instance: &Instance,
    attempt: Option<&Operation>,
    creation: Option<Creation>,
    failure: Option<Failure>,
    bootstrap_started_at: Option<Timestamp>,
) -> Option<Verdict> {
    // TTM's builds are announced by its first call and end with its metrics. A report that a bootstrap
    // ended implies that there was one.
    let has_bootstrap = instance.announced_at.is_some()
        || instance.bootstrap_at.is_some()
        || instance.ended_at.is_some()
        || instance.ttm_first_at.is_some()
        || instance.ttm_start_at.is_some()
        || instance.ttm_end_at.is_some();
    // Nova reports "building" before any compute node has begun: a build that hangs there is stuck.
    let was_building = instance.building_reported_at.is_some();
    if attempt.is_none() && !has_bootstrap && failure.is_none() && !was_building {
        return None;
    }
    let failure = failure.filter(|_| creation.is_none());
    if let Some((at, outcome)) = find_bootstrap_end(instance)
        && failure.as_ref().is_none_or(|failure| at > failure.at)
    {
        return Some(match outcome {
            Some(Outcome::Failure) => Verdict::Failed(Failure { at, error: None }),
            _ => Verdict::Bootstrapped(at),
        });
    }
    if let Some(failure) = failure
        && bootstrap_started_at.is_none_or(|start| start <= failure.at)
    {
        return Some(Verdict::Failed(failure));
    }
    if let Some(creation) = &creation
        && !has_bootstrap
    {
        return Some(Verdict::Created(creation.at));
    }
    let deletion = instance.deletion_ended_at.or(instance.deleted_at);
    if let Some(at) = deletion.or(instance.deletion_said_at) {
        let error = Some("deleted while building".to_owned());
        return Some(Verdict::Failed(Failure { at, error }));
    }
    let is_bootstrapping = creation.is_some() || bootstrap_started_at.is_some();
    let status = if is_bootstrapping { BuildStatus::Bootstrapping } else { BuildStatus::Building };
    Some(Verdict::Unfinished(status))
}

/// Returns the good end of the creation: of the attempt that succeeded or, if no such end is known, the launch
/// that later messages show.
fn find_creation(
    instance: &Instance,
    attempt: Option<&Operation>,
    has_failed: bool,
) -> Option<Creation> {
    if let Some(attempt) = attempt.filter(|attempt| ended_well(attempt)) {
        return Some(Creation { at: attempt.ended_at, is_inferred: false });
    }
    let was_launched =
        if has_failed { instance.was_launched_for_certain() } else { instance.was_launched() };
    was_launched.then(|| Creation { at: instance.launch_time(), is_inferred: true })
}

/// Returns the time in µs from the start of the attempt whose end was lost to the launch, and whether clocks
/// disagree. Of several such attempts the latest that began before the launch counts, else the first.
fn measure_spawn(creates: &[&Operation], launched_at: Option<Timestamp>) -> Option<(i64, bool)> {
    let launched_at = launched_at?;
    let is_open = |create: &&&Operation| create.status == OperationStatus::Open;
    let starts = || creates.iter().filter(is_open).filter_map(|create| create.started_at);
    let before = starts().filter(|start| *start <= launched_at).max();
    before.or_else(|| starts().min()).map(|start| measure_duration(start, launched_at))
}

/// Returns the attempt that counts: the successful one, because nothing is created twice (whatever the
/// clocks of other hosts show), else the latest.
fn find_decisive_attempt<'a>(creates: &[&'a Operation]) -> Option<&'a Operation> {
    let by_start = |create: &&&Operation| (create.at, create.operation_id);
    let succeeded = creates.iter().filter(|create| ended_well(create));
    let latest = || creates.iter().max_by_key(by_start);
    succeeded.max_by_key(|create| (create.ended_at, create.end_id)).or_else(latest).copied()
}

fn ended_well(operation: &Operation) -> bool {
    matches!(operation.status, OperationStatus::Complete | OperationStatus::StartMissing)
}

/// Returns why the instance could not be created, if that is reported: the last attempt failed, or no host was
/// found after it began, whichever is later; else the instance's state is `error`. `None` if an attempt
/// succeeded.
fn find_creation_failure(
    instance: &Instance,
    creates: &[&Operation],
    attempt: Option<&Operation>,
) -> Option<Failure> {
    if attempt.is_some_and(ended_well) {
        return None;
    }
    let last_start = creates.iter().map(|create| create.at).max();
    let is_later = |at: &Timestamp| last_start.is_none_or(|start| *at > start);

    let failed = attempt
        .filter(|attempt| attempt.status == OperationStatus::Failed)
        .and_then(|attempt| Some(Failure { at: attempt.ended_at?, error: attempt.error.clone() }));
    let no_host = find_no_host_failure(instance).filter(|failure| is_later(&failure.at));
    let in_error = || {
        if instance.state.as_deref() != Some("error") || instance.launched_at.is_some() {
            return None;
        }
        // It failed at the first report of that state, unless that report is about an earlier attempt.
        let at = [instance.error_said_at, instance.state_at()].into_iter().flatten();
        let at = at.filter(is_later).min()?;
        // If it ran before, the error is another operation's.
        let ran_before = instance.running_reported_at.is_some_and(|ran| ran <= at);
        (!ran_before).then_some(Failure { at, error: None })
    };
    [failed, no_host].into_iter().flatten().max_by_key(|failure| failure.at).or_else(in_error)
}

/// Returns the latest failure to find a host; if both formats report it, as the legacy one does.
fn find_no_host_failure(instance: &Instance) -> Option<Failure> {
    let reported = |format: Format| {
        let at = instance.no_host_at[format as usize]?;
        Some(Failure { at, error: instance.no_host_error[format as usize].clone() })
    };
    match (reported(Format::Legacy), reported(Format::Versioned)) {
        (Some(legacy), Some(versioned)) => {
            let is_another = versioned.at.duration_since(legacy.at) > FORMATS_APART_MAX;
            Some(if is_another { versioned } else { legacy })
        }
        (legacy, versioned) => legacy.or(versioned),
    }
}

/// Returns the time of the last call of `time/now` after the first one: these report the bootstrap's start.
fn find_bootstrap_call(instance: &Instance) -> Option<Timestamp> {
    instance.ttm_last_at.filter(|_| instance.ttm_last_id != instance.ttm_first_id)
}

/// Returns when the bootstrap ended, and its outcome: by `build.ended` or TTM's metrics, whichever is later.
fn find_bootstrap_end(instance: &Instance) -> Option<(Timestamp, Option<Outcome>)> {
    let ttm = instance.ttm_end_time.as_deref().and_then(time::parse);
    let at = instance.ended_at.max(ttm)?;
    Some((at, instance.ended_outcome))
}
