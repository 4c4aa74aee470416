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
    let attempt = find_decisive_attempt(&creates);
    let starts = creates.iter().map(|create| create.started_at);
    let ttm_start = instance.ttm_start_time.as_deref().and_then(time::parse);
    let announcements = [instance.announced_at, instance.ttm_first_at, ttm_start];
    let started_at = starts.chain(announcements).flatten().min();
    let bootstrap_started_at = instance.bootstrap_at.or_else(|| find_bootstrap_call(instance));

    let verdict = judge(instance, &creates, attempt, bootstrap_started_at);
    let (status, ended_at, error) = match verdict {
        None => (None, None, None),
        Some(Verdict::Unfinished(status)) => (Some(status), None, None),
        Some(Verdict::Complete(at)) => (Some(BuildStatus::Complete), Some(at), None),
        Some(Verdict::Failed(failure)) => {
            (Some(BuildStatus::Failed), Some(failure.at), failure.error)
        }
    };
    let wait = started_at.zip(ended_at).map(|(start, end)| measure_duration(start, end));
    Build {
        status,
        started_at,
        bootstrap_started_at,
        ended_at,
        duration_us: wait.map(|(us, _)| us),
        spawn_us: attempt.and_then(|attempt| attempt.duration_us),
        attempts: i32::try_from(creates.len()).unwrap_or(i32::MAX),
        error,
        skewed: wait.is_some_and(|(_, skewed)| skewed)
            || attempt.is_some_and(|attempt| attempt.skewed),
    }
}

/// The state of a build.
enum Verdict {
    Unfinished(BuildStatus),
    Complete(Timestamp),
    Failed(Failure),
}

/// A failure to build.
struct Failure {
    at: Timestamp,
    error: Option<String>,
}

/// Judges the state of the build; `None` if nothing indicates that there is one. A failure is final only
/// as long as nothing later contradicts it.
fn judge(
    instance: &Instance,
    creates: &[&Operation],
    attempt: Option<&Operation>,
    bootstrap_started_at: Option<Timestamp>,
) -> Option<Verdict> {
    let created_at = attempt.filter(|create| ended_well(create)).and_then(|create| create.ended_at);
    let failure = match created_at {
        Some(_) => None,
        None => find_creation_failure(instance, creates, attempt),
    };
    // TTM's builds are announced by its first call and end with its metrics. A report that a bootstrap
    // ended implies that there was one.
    let has_bootstrap = instance.announced_at.is_some()
        || instance.bootstrap_at.is_some()
        || instance.ended_at.is_some()
        || instance.ttm_first_at.is_some()
        || instance.ttm_end_at.is_some();
    // Nova reports "building" before any compute node has begun: a build that hangs there is stuck.
    let is_building = instance.state.as_deref() == Some("building");
    if attempt.is_none() && !has_bootstrap && failure.is_none() && !is_building {
        return None;
    }
    if let Some((at, outcome)) = find_bootstrap_end(instance)
        && failure.as_ref().is_none_or(|failure| at > failure.at)
    {
        return Some(match outcome {
            Some(Outcome::Failure) => Verdict::Failed(Failure { at, error: None }),
            _ => Verdict::Complete(at),
        });
    }
    if let Some(failure) = failure
        && bootstrap_started_at.is_none_or(|start| start <= failure.at)
    {
        return Some(Verdict::Failed(failure));
    }
    if let Some(at) = created_at
        && !has_bootstrap
    {
        return Some(Verdict::Complete(at));
    }
    let deletion = instance.deletion_ended_at.or(instance.deleted_at);
    if let Some(at) = deletion.or(instance.deletion_said_at) {
        let error = Some("deleted while building".to_owned());
        return Some(Verdict::Failed(Failure { at, error }));
    }
    let is_bootstrapping = created_at.is_some() || bootstrap_started_at.is_some();
    let status = if is_bootstrapping { BuildStatus::Bootstrapping } else { BuildStatus::Building };
    Some(Verdict::Unfinished(status))
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

/// Returns why the instance could not be created, if it could not: the last attempt failed, or no host was
/// found after it began, whichever is later; else the instance's state is `error`.
fn find_creation_failure(
    instance: &Instance,
    creates: &[&Operation],
    attempt: Option<&Operation>,
) -> Option<Failure> {
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
        Some(Failure { at: at.filter(is_later).min()?, error: None })
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
