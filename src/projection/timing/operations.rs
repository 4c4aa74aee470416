//! Operations: their steps, and how rows are made of them and taken apart again. The rows are the
//! only memory there is, so each holds all that its start and its end said.

use jiff::SignedDuration;

use super::pair::{Mark, Pair, pair};
use super::rows::{Operation, Stamp, Status};
use super::sides::{merge, split};
use crate::event::nova::{Format, Phase};

/// How far apart the two formats' notifications of one fact may be sent.
pub(super) const FORMATS_APART_MAX: SignedDuration = SignedDuration::from_secs(5);

/// What a notification says of an operation beside its phase: request, flavor, image, project.
pub(super) type Said = [Option<String>; 4];

/// What begins or ends an operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub by: Stamp,
    pub format: Format,
    pub phase: Phase,
    /// The host that reported it.
    pub host: Option<String>,
    pub said: Said,
    /// Why it failed; only where the phase is an error.
    pub error: Option<String>,
}

/// The operations of one name of one instance, of all their steps.
pub(super) fn fold(
    instance_id: &str,
    operation: &str,
    steps: Vec<Step>,
) -> impl Iterator<Item = Operation> {
    pair(once(steps), mark).into_iter().map(move |pair| row(instance_id, operation, pair))
}

fn mark(step: &Step) -> Mark<'_> {
    Mark {
        by: step.by,
        rank: step.phase as u8,
        is_start: step.phase == Phase::Start,
        lane: step.host.as_deref(),
        token: step.said[0].as_deref(),
        // A failure before a start is a failed attempt, and the start that of its retry.
        may_precede: step.phase == Phase::End,
    }
}

/// The steps without what the versioned format says again. Legacy steps are always kept, so one that
/// is left out once stays out whatever else arrives, and rows need not remember it.
fn once(steps: Vec<Step>) -> Vec<Step> {
    let (mut kept, versioned): (Vec<Step>, Vec<Step>) =
        steps.into_iter().partition(|step| step.format == Format::Legacy);
    kept.sort_by_key(|step| step.by);
    let legacy = kept.len();
    for step in versioned {
        let time = |other: &Step| step.by.0.duration_until(other.by.0);
        let first = kept[..legacy].partition_point(|other| time(other) < -FORMATS_APART_MAX);
        let near = kept[first..legacy].iter().take_while(|other| time(other) <= FORMATS_APART_MAX);
        if !near.into_iter().any(|other| is_same(&step, other)) {
            kept.push(step);
        }
    }
    kept
}

/// Whether two steps at the same time are the same fact.
fn is_same(a: &Step, b: &Step) -> bool {
    let same_request = a.said[0] == b.said[0] || a.said[0].is_none() || b.said[0].is_none();
    a.phase == b.phase && a.host == b.host && same_request
}

/// The row of a pair. It shows what the end says (a resize ends with the new flavor), and where the
/// end does not say, the start.
fn row(instance_id: &str, operation: &str, pair: Pair<Step>) -> Operation {
    let times = pair.times(|step| step.by);
    let Pair { start, end } = pair;
    let status = match (&start, &end) {
        (_, Some(Step { phase: Phase::Error, .. })) => Status::Failed,
        (Some(_), Some(_)) => Status::Complete,
        (None, Some(_)) => Status::StartMissing,
        (_, None) => Status::Open,
    };
    let (start_format, end_format) =
        (start.as_ref().map(|step| step.format), end.as_ref().map(|step| step.format));
    let host = start.as_ref().or(end.as_ref()).and_then(|step| step.host.clone());
    let (end_said, error) = end.map(|step| (step.said, step.error)).unzip();
    let (said, apart) = merge(start.map(|step| step.said), end_said);
    let [request_id, flavor, image, project_id] = said;
    Operation {
        instance_id: instance_id.to_owned(),
        operation: operation.to_owned(),
        at: times.by.0,
        operation_id: times.by.1,
        request_id,
        host,
        flavor,
        image,
        project_id,
        apart,
        started_at: times.started_at,
        start_id: times.start_id,
        start_format,
        ended_at: times.ended_at,
        end_id: times.end_id,
        end_format,
        duration_us: times.duration_us,
        status,
        error: error.flatten(),
        skewed: times.skewed,
    }
}

/// The steps a row was made of.
pub(super) fn take_apart(row: Operation) -> impl Iterator<Item = Step> {
    let (start_said, end_said) =
        split([row.request_id, row.flavor, row.image, row.project_id], row.apart);
    let start = row.started_at.zip(row.start_id).zip(row.start_format).map(|(by, format)| Step {
        by,
        format,
        phase: Phase::Start,
        host: row.host.clone(),
        said: start_said,
        error: None,
    });
    let end = row.ended_at.zip(row.end_id).zip(row.end_format).map(|(by, format)| Step {
        by,
        format,
        phase: if row.status == Status::Failed { Phase::Error } else { Phase::End },
        host: row.host,
        said: end_said,
        error: row.error,
    });
    start.into_iter().chain(end)
}
