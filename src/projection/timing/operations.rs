//! Operations: how rows are made of steps and taken apart into steps again. The rows are the projection's
//! only memory, so each keeps every value of its start and its end.

use jiff::SignedDuration;

use super::pair::{Mark, Pair, pair};
use super::rows::{FailedCall, KeyedRow, Operation, OperationStatus};
use super::sides::{merge, split};
use super::stamp::Stamp;
use crate::event::nova::{Format, Phase};

/// The longest time between the notifications of one fact in the two formats.
pub(super) const FORMATS_APART_MAX: SignedDuration = SignedDuration::from_secs(5);

/// The attributes of an operation that its start and its end may report differently: request, flavor,
/// image, project.
pub(super) type Attributes = [Option<String>; 4];

/// The start or the end of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub stamp: Stamp,
    pub format: Format,
    pub phase: Phase,
    /// The host that reported it.
    pub host: Option<String>,
    pub attributes: Attributes,
    /// The reason of a failure; only where the phase is an error.
    pub error: Option<String>,
}

impl Step {
    /// The end that a failed call is for an operation.
    fn of(call: &FailedCall) -> Step {
        Step {
            stamp: (call.at, call.event_id),
            // The versioned twin of the message names no instance.
            format: Format::Legacy,
            phase: Phase::Error,
            host: Some(call.host.clone()),
            attributes: [Some(call.request_id.clone()), None, None, None],
            error: call.error.clone(),
        }
    }

    fn request_id(&self) -> Option<&str> {
        self.attributes[0].as_deref()
    }

    /// Whether two steps of about the same time report the same fact.
    fn is_same(&self, other: &Step) -> bool {
        let same_request = match (self.request_id(), other.request_id()) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.phase == other.phase && self.host == other.host && same_request
    }
}

/// Creates the operations of one name and one instance from all their steps and the instance's failed calls,
/// which are in the order of time.
pub(super) fn fold(
    instance_id: &str,
    operation: &str,
    steps: Vec<Step>,
    failed_calls: &[FailedCall],
) -> Vec<Operation> {
    let mut pairs = pair(drop_versioned_copies(steps), mark);
    for pair in &mut pairs {
        if pair.end.is_none() {
            pair.end = pair.start.as_ref().and_then(|start| {
                let call = failed_calls.iter().find(|call| ends(call, operation, start))?;
                Some(Step::of(call))
            });
        }
    }
    pairs.into_iter().map(|pair| make_row(instance_id, operation, pair)).collect()
}

/// Returns the union of two sets of failed calls, in the order of time.
pub(super) fn add_calls(mut calls: Vec<FailedCall>, more: Vec<FailedCall>) -> Vec<FailedCall> {
    calls.extend(more);
    calls.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    calls.dedup_by(|a, b| a.key() == b.key());
    calls
}

/// Whether a failed call ends the operation that began with this start: the same process worked on the same
/// request. A call that fails before it has begun an operation, or after it has ended it, ends none.
fn ends(call: &FailedCall, operation: &str, start: &Step) -> bool {
    start.host.as_deref() == Some(call.host.as_str())
        && start.request_id() == Some(call.request_id.as_str())
        && call.at >= start.stamp.0
        && call.operations.iter().any(|name| name == operation)
}

/// Returns the steps that made a row. The end that a failed call gave it is none of them.
pub(super) fn unfold(
    row: Operation,
    failed_calls: &[FailedCall],
) -> impl Iterator<Item = Step> + use<> {
    let is_call = |stamp: Stamp| failed_calls.iter().any(|call| (call.at, call.event_id) == stamp);
    let has_end = !row.ended_at.zip(row.end_id).is_some_and(is_call);
    let (start_attributes, end_attributes) =
        split([row.request_id, row.flavor, row.image, row.project_id], row.apart);
    let start =
        row.started_at.zip(row.start_id).zip(row.start_format).map(|(stamp, format)| Step {
            stamp,
            format,
            phase: Phase::Start,
            host: row.host.clone(),
            attributes: start_attributes,
            error: None,
        });
    let end = row.ended_at.zip(row.end_id).zip(row.end_format).map(|(stamp, format)| Step {
        stamp,
        format,
        phase: if row.status == OperationStatus::Failed { Phase::Error } else { Phase::End },
        host: row.host,
        attributes: end_attributes,
        error: row.error,
    });
    start.into_iter().chain(end.filter(|_| has_end))
}

fn mark(step: &Step) -> Mark<'_> {
    Mark {
        stamp: step.stamp,
        rank: step.phase as u8,
        is_start: step.phase == Phase::Start,
        lane: step.host.as_deref(),
        token: step.request_id(),
        // A failure before a start is a failed attempt, and the start is its retry's.
        may_precede: step.phase == Phase::End,
    }
}

/// Drops versioned steps that repeat a legacy one. Legacy steps are always kept; a step that is dropped
/// once therefore stays dropped whatever else arrives, and rows need not remember it.
fn drop_versioned_copies(steps: Vec<Step>) -> Vec<Step> {
    let (mut kept, versioned): (Vec<Step>, Vec<Step>) =
        steps.into_iter().partition(|step| step.format == Format::Legacy);
    kept.sort_by_key(|step| step.stamp);
    let legacy = kept.len();
    for step in versioned {
        let time = |other: &Step| step.stamp.0.duration_until(other.stamp.0);
        let first = kept[..legacy].partition_point(|other| time(other) < -FORMATS_APART_MAX);
        let near = kept[first..legacy].iter().take_while(|other| time(other) <= FORMATS_APART_MAX);
        if !near.into_iter().any(|other| step.is_same(other)) {
            kept.push(step);
        }
    }
    kept
}

/// Creates the row of a pair. It shows the end's attributes (a resize ends with the new flavor), and the
/// start's where the end has none.
fn make_row(instance_id: &str, operation: &str, pair: Pair<Step>) -> Operation {
    let times = pair.times(|step| step.stamp);
    let Pair { start, end } = pair;
    let status = match (&start, &end) {
        (_, Some(Step { phase: Phase::Error, .. })) => OperationStatus::Failed,
        (Some(_), Some(_)) => OperationStatus::Complete,
        (None, Some(_)) => OperationStatus::StartMissing,
        (_, None) => OperationStatus::Open,
    };
    let (start_format, end_format) =
        (start.as_ref().map(|step| step.format), end.as_ref().map(|step| step.format));
    let host = start.as_ref().or(end.as_ref()).and_then(|step| step.host.clone());
    let (end_attributes, error) = end.map(|step| (step.attributes, step.error)).unzip();
    let (attributes, apart) = merge(start.map(|step| step.attributes), end_attributes);
    let [request_id, flavor, image, project_id] = attributes;
    Operation {
        instance_id: instance_id.to_owned(),
        operation: operation.to_owned(),
        at: times.stamp.0,
        operation_id: times.stamp.1,
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
