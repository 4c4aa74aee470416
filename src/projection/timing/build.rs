//! How an instance's build stands, from all that is known of it.

use jiff::Timestamp;

use super::operations::FORMATS_APART_MAX;
use super::pair::duration;
use super::rows::{BuildStatus, Instance, Operation, Status};
use crate::event::nova::Format;
use crate::event::recipe::Outcome;
use crate::event::time;

/// The operation a build depends on.
pub(super) const CREATE: &str = "create";

/// The build of an instance: the columns that are derived, not heard.
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
    /// Puts a build into its columns.
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

/// The build of an instance, of whose operations at least the [`CREATE`] ones are given.
pub(super) fn derive(instance: &Instance, operations: &[Operation]) -> Build {
    let creates: Vec<&Operation> =
        operations.iter().filter(|operation| operation.operation == CREATE).collect();
    let attempt = decisive(&creates);
    let starts = creates.iter().map(|create| create.started_at);
    let ttm_start = instance.ttm_start_time.as_deref().and_then(time::parse);
    let announcements = [instance.announced_at, instance.ttm_first_at, ttm_start];
    let started_at = starts.chain(announcements).flatten().min();
    let bootstrap_started_at = instance.bootstrap_at.or_else(|| second_ttm_call(instance));

    let verdict = verdict(instance, &creates, attempt, bootstrap_started_at);
    let (status, ended_at, error) = match verdict {
        None => (None, None, None),
        Some(Verdict::Unfinished(status)) => (Some(status), None, None),
        Some(Verdict::Complete(at)) => (Some(BuildStatus::Complete), Some(at), None),
        Some(Verdict::Failed(failure)) => {
            (Some(BuildStatus::Failed), Some(failure.at), failure.error)
        }
    };
    let wait = started_at.zip(ended_at).map(|(start, end)| duration(start, end));
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

enum Verdict {
    Unfinished(BuildStatus),
    Complete(Timestamp),
    Failed(Failure),
}

struct Failure {
    at: Timestamp,
    error: Option<String>,
}

/// How the build stands; `None` when nothing was heard of one. A failure is final only when nothing
/// later speaks against it.
fn verdict(
    instance: &Instance,
    creates: &[&Operation],
    attempt: Option<&Operation>,
    bootstrap_started_at: Option<Timestamp>,
) -> Option<Verdict> {
    let created_at = attempt.filter(|create| ended_well(create)).and_then(|create| create.ended_at);
    let failure = if created_at.is_some() { None } else { failure(instance, creates, attempt) };
    // TTM's builds are announced by its first call and end with its metrics. Whatever says that a
    // bootstrap ended also says that there was one.
    let has_bootstrap = instance.announced_at.is_some()
        || instance.bootstrap_at.is_some()
        || instance.ended_at.is_some()
        || instance.ttm_first_at.is_some()
        || instance.ttm_end_at.is_some();
    // Nova says "building" before any compute node has begun: a build that hangs there is stuck.
    let is_building = instance.state.as_deref() == Some("building");
    if attempt.is_none() && !has_bootstrap && failure.is_none() && !is_building {
        return None;
    }
    if let Some((at, outcome)) = bootstrap_end(instance)
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

/// The attempt that counts: the one that succeeded, since nothing is created twice (whatever the
/// clocks of other hosts say), else the latest.
fn decisive<'a>(creates: &[&'a Operation]) -> Option<&'a Operation> {
    let by_start = |create: &&&Operation| (create.at, create.operation_id);
    let succeeded = creates.iter().filter(|create| ended_well(create));
    let latest = || creates.iter().max_by_key(by_start);
    succeeded.max_by_key(|create| (create.ended_at, create.end_id)).or_else(latest).copied()
}

fn ended_well(operation: &Operation) -> bool {
    matches!(operation.status, Status::Complete | Status::StartMissing)
}

/// Why the instance could not be created, if that is how it stands: the last attempt failed, or no
/// host was found after it began, whichever is later; or the instance is said to be in error.
fn failure(
    instance: &Instance,
    creates: &[&Operation],
    attempt: Option<&Operation>,
) -> Option<Failure> {
    let last_start = creates.iter().map(|create| create.at).max();
    let is_later = |at: &Timestamp| last_start.is_none_or(|start| *at > start);

    let failed = attempt
        .filter(|attempt| attempt.status == Status::Failed)
        .and_then(|attempt| Some(Failure { at: attempt.ended_at?, error: attempt.error.clone() }));
    let no_host = no_host(instance).filter(|failure| is_later(&failure.at));
    let in_error = || {
        if instance.state.as_deref() != Some("error") || instance.launched_at.is_some() {
            return None;
        }
        // It failed when that was first said, unless that was said of an earlier attempt.
        let at = [instance.error_said_at, instance.state_at()].into_iter().flatten();
        Some(Failure { at: at.filter(is_later).min()?, error: None })
    };
    [failed, no_host].into_iter().flatten().max_by_key(|failure| failure.at).or_else(in_error)
}

/// The latest failure to find a host; where both formats told it, as the legacy one did.
fn no_host(instance: &Instance) -> Option<Failure> {
    let told = |format: Format| {
        let at = instance.no_host_at[format as usize]?;
        Some(Failure { at, error: instance.no_host_error[format as usize].clone() })
    };
    match (told(Format::Legacy), told(Format::Versioned)) {
        (Some(legacy), Some(versioned)) => {
            let is_another = versioned.at.duration_since(legacy.at) > FORMATS_APART_MAX;
            Some(if is_another { versioned } else { legacy })
        }
        (legacy, versioned) => legacy.or(versioned),
    }
}

/// TTM's second and every later call of `time/now` is the bootstrap's.
fn second_ttm_call(instance: &Instance) -> Option<Timestamp> {
    instance.ttm_last_at.filter(|_| instance.ttm_last_id != instance.ttm_first_id)
}

/// When the bootstrap ended, and how: by `build.ended`, TTM's metrics, or the later of both.
fn bootstrap_end(instance: &Instance) -> Option<(Timestamp, Option<Outcome>)> {
    let ttm = instance.ttm_end_time.as_deref().and_then(time::parse);
    let at = instance.ended_at.max(ttm)?;
    Some((at, instance.ended_outcome))
}
