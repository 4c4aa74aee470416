//! Where the time went: the chain of configurations that took the longest, and the time per phase.

use jiff::Timestamp;

use super::attempt::{Attempt, Service};
use super::generation::Deployment;
use super::world::World;
use crate::event::deployment::{ParameterValue, Target};

/// A step of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it was done.
    pub instance_id: String,
    /// What was done: a service was configured, or a parameter provided.
    pub target: Target,
    /// When it could have begun: at the end of the step before, or the instance's registration.
    pub since: Timestamp,
    /// When it began; `None` where that was not told, and for parameters.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// The chain that ends with the configuration that ended last, from the registration of its first
/// instance on. Before each service stands what it had to wait for longest, if that came after its own
/// instance was registered. Empty as long as no configuration has ended.
pub fn critical_path(world: &World<'_>, deployment: &Deployment) -> Vec<Step> {
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
            && let Some(service) = attempt.services.iter().find(|service| service.name == *name)
        {
            let run = service.runs.iter().rev().find(|run| run.ended_at == Some(ended_at));
            step.started_at = run.and_then(|run| run.started_at);
            let began_at = step.started_at.unwrap_or(ended_at);
            if let Some((from, target, at)) = waited_for(world, service, began_at)
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

/// What a service got last of all that it waited for before it began, and when.
fn waited_for(
    world: &World<'_>,
    service: &Service,
    began_at: Timestamp,
) -> Option<(String, Target, Timestamp)> {
    let parameters = service.parameters.iter().filter_map(|parameter| match &parameter.value {
        ParameterValue::Given(_) => None,
        ParameterValue::From { instance_id, target } => {
            let at = world.resolve(service, instance_id, target)?.at;
            Some((at, instance_id, target))
        }
    });
    let (at, from, target) = parameters.filter(|(at, ..)| *at <= began_at).max()?;
    Some((from.clone(), target.clone(), at))
}

/// How long each phase took, in µs. Each moment from the first thing heard of the deployment to its
/// completion, or to the last thing heard of it, belongs to one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Not all of its instances were registered yet, and nothing was being configured.
    pub registration_us: i64,
    /// All were, and some had not been in contact.
    pub contact_wait_us: i64,
    /// All had been, and nothing was being configured.
    pub dependency_wait_us: i64,
    /// Something was being configured.
    pub configuration_us: i64,
}

/// The time per phase.
pub fn phases(deployment: &Deployment) -> Phases {
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
        // What lies between the last configuration and this one.
        let idle = |since: i64, until: i64| (from.min(until) - at.max(since)).max(0);
        phases.registration_us += idle(begin, registered);
        phases.contact_wait_us += idle(registered, contacted);
        phases.dependency_wait_us += idle(contacted, end);
        phases.configuration_us += (to - at.max(from)).max(0);
        at = at.max(to);
    }
    phases
}
