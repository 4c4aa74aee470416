//! Where the time went: the chain of configurations that ended last, and the time per phase.

use jiff::Timestamp;

use super::attempt::{Attempt, Service};
use super::deployments::Deployments;
use super::generation::Deployment;
use crate::event::deployment::{ParameterValue, Target};

/// A step of the critical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The instance on which it happened.
    pub instance_id: String,
    /// The service that was configured, or the parameter that was provided.
    pub target: Target,
    /// When it could have started: the end of the step before, or the registration of the instance.
    pub since: Timestamp,
    /// When it started; `None` if that was not reported, and for parameters.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// Finds the chain that leads to the configuration that ended last, from the registration of its first
/// instance on. The step before a service is the value it waited for longest, if that came after its
/// own instance was registered. Empty while no configuration has ended.
pub fn find_critical_path(deployments: &Deployments<'_>, deployment: &Deployment) -> Vec<Step> {
    let services = deployment
        .instances
        .iter()
        .flat_map(|attempt| attempt.services.iter().map(move |service| (attempt, service)));
    let ended = services.filter_map(|(a, s)| Some((s.ended_at()?, a, s)));
    let Some((_, attempt, service)) = ended.max_by_key(|(at, a, s)| (*at, &a.instance_id, &s.name))
    else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    let mut next = Some((attempt, Target::Service(service.name.clone()), service.ended_at()));
    while let Some((attempt, target, ended_at)) = next.take() {
        let Some(ended_at) = ended_at else { break };
        let mut step = Step {
            instance_id: attempt.instance_id.clone(),
            target,
            since: attempt.registered_at.min(ended_at),
            started_at: None,
            ended_at,
        };
        if let Target::Service(name) = &step.target
            && let Some(service) = attempt.find_service(name)
        {
            let run = service.runs.iter().rev().find(|run| run.ended_at == Some(ended_at));
            step.started_at = run.and_then(|run| run.started_at);
            let started_at = step.started_at.unwrap_or(ended_at);
            if let Some((from, target, at)) = last_awaited(deployments, service, started_at)
                && at > step.since
            {
                step.since = at;
                let is_new = |step: &Step| step.instance_id != from || step.target != target;
                next = deployment
                    .instances
                    .iter()
                    .find(|attempt| attempt.instance_id == from)
                    .filter(|_| steps.iter().chain([&step]).all(is_new))
                    .map(|attempt| (attempt, target, Some(at)));
            }
        }
        steps.push(step);
    }
    steps.reverse();
    steps
}

/// Returns the instance, target and time of the last value that a service waited for before it started.
fn last_awaited(
    deployments: &Deployments<'_>,
    service: &Service,
    started_at: Timestamp,
) -> Option<(String, Target, Timestamp)> {
    let parameters = service.parameters.iter().filter_map(|parameter| match &parameter.value {
        ParameterValue::Given(_) => None,
        ParameterValue::From { instance_id, target } => {
            let at = deployments.resolve(service, instance_id, target)?.at;
            Some((at, instance_id, target))
        }
    });
    let (at, from, target) = parameters.filter(|(at, ..)| *at <= started_at).max()?;
    Some((from.clone(), target.clone(), at))
}

/// The length of each phase, in µs. Each moment from the first event of the deployment to its completion,
/// or to its last event, belongs to one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Not all of its instances were registered yet, and nothing was being configured.
    pub registration_us: i64,
    /// All were registered, and some had not been in contact.
    pub contact_wait_us: i64,
    /// All had been in contact, and nothing was being configured.
    pub dependency_wait_us: i64,
    /// Something was being configured.
    pub configuration_us: i64,
}

/// Measures how long each phase took.
pub fn measure_phases(deployment: &Deployment) -> Phases {
    let begin = deployment.first_at.as_microsecond();
    let end = deployment.completed_at().unwrap_or(deployment.last_at).as_microsecond().max(begin);
    let within = |at: Timestamp| at.as_microsecond().clamp(begin, end);
    let registered = match deployment.missing().next() {
        None => within(deployment.registered_at()),
        Some(_) => end,
    };
    let contacts: Option<Vec<i64>> = deployment
        .instances
        .iter()
        .map(|attempt: &Attempt| attempt.contacted.map(|(first, _)| within(first)))
        .collect();
    let contacted = contacts.map_or(end, |all| all.into_iter().max().unwrap_or(registered));
    let contacted = contacted.max(registered);

    let mut runs: Vec<(i64, i64)> = deployment
        .instances
        .iter()
        .flat_map(|attempt| &attempt.services)
        .flat_map(|service| &service.runs)
        .filter_map(|run| Some((within(run.started_at?), run.ended_at.map_or(end, within))))
        .collect();
    runs.sort_unstable();

    let mut phases = Phases::default();
    let mut at = begin;
    for (from, to) in runs.into_iter().chain([(end, end)]) {
        // The time between the last configuration and this one.
        let idle = |since: i64, until: i64| (from.min(until) - at.max(since)).max(0);
        phases.registration_us += idle(begin, registered);
        phases.contact_wait_us += idle(registered, contacted);
        phases.dependency_wait_us += idle(contacted, end);
        phases.configuration_us += (to - at.max(from)).max(0);
        at = at.max(to);
    }
    phases
}
