//! From what is concluded to what JSON says.

use std::collections::HashMap;

use super::view;
use crate::event::deployment::{ParameterValue, Phase, Target};
use crate::http::seconds;
use crate::projection::deployment::{
    Asked, Attempt, Cycle, Deployment, Run, Service, StackState, Status, Step, World,
    critical_path, cycles, phases,
};
use crate::projection::timing::routes::Nova;

/// What Nova tells of instances, by id.
pub(super) type ByInstance = HashMap<String, Nova>;

/// A deployment; `former` are those of its id that were deleted.
pub(super) fn deployment(
    world: &World<'_>,
    asked: Asked,
    current: &Deployment,
    former: &[Deployment],
    nova: &mut ByInstance,
) -> view::Deployment {
    let instances = &current.instances;
    let phases = phases(current);
    let cycles = cycles(world, instances);
    view::Deployment {
        deployment_id: current.deployment_id.clone(),
        name: current.name.clone(),
        project_id: current.project_id.clone(),
        generation: current.number,
        status: current.status().map(Status::as_str),
        state: asked.state(current.state(), current.last_at).as_str(),
        declared_at: current.declared_at,
        registered_at: current.registered_at(),
        completed_at: current.completed_at(),
        deleted_at: current.deleted_at,
        first_at: current.first_at,
        last_at: current.last_at,
        expected: current.expected.clone(),
        missing: current.missing().map(str::to_owned).collect(),
        stack: current.stack.as_ref().map(stack),
        instances: instances.iter().map(|one| instance(world, asked, one, &cycles, nova)).collect(),
        unresolved: instances.iter().flat_map(|one| unresolved(world, asked, one)).collect(),
        cycles: cycles.iter().map(cycle).collect(),
        critical_path: path(&critical_path(world, current)),
        phases: view::Phases {
            registration_s: seconds(phases.registration_us),
            contact_wait_s: seconds(phases.contact_wait_us),
            dependency_wait_s: seconds(phases.dependency_wait_us),
            configuration_s: seconds(phases.configuration_us),
        },
        former: former.iter().map(former_deployment).collect(),
    }
}

/// An instance; `cycles` are those of its deployment.
pub(super) fn instance(
    world: &World<'_>,
    asked: Asked,
    attempt: &Attempt,
    cycles: &[Cycle],
    nova: &mut ByInstance,
) -> view::Instance {
    let story = world.story(&attempt.instance_id).iter();
    let is_in = |cycle: &&Cycle| cycle.services.iter().any(|(id, _)| *id == attempt.instance_id);
    let provided = attempt.provided.iter().filter_map(|(name, values)| {
        let (at, value) = values.last()?;
        Some(view::Provided { name: name.clone(), value: value.clone(), at: *at })
    });
    view::Instance {
        instance_id: attempt.instance_id.clone(),
        deployment_id: attempt.deployment_id.clone(),
        assembly: attempt.assembly.clone(),
        attempt: attempt.number,
        status: attempt.status().map(Status::as_str),
        state: asked.state(attempt.state(), attempt.last_at).as_str(),
        registered_at: attempt.registered_at,
        first_contacted_at: attempt.contacted.map(|(first, _)| first),
        last_contacted_at: attempt.contacted.map(|(_, last)| last),
        completed_at: attempt.completed_at(),
        abandoned_at: attempt.abandoned.as_ref().map(|abandoned| abandoned.at),
        abandoned_reason: attempt.abandoned.as_ref().and_then(|said| said.reason.clone()),
        last_at: attempt.last_at,
        services: attempt.services.iter().map(|one| service(world, asked, attempt, one)).collect(),
        provided: provided.collect(),
        pending: attempt.pending().map(str::to_owned).collect(),
        cycles: cycles.iter().filter(is_in).map(cycle).collect(),
        nova: nova.remove(&attempt.instance_id),
        former: story
            .filter(|former| former.number < attempt.number)
            .map(former_instance)
            .collect(),
    }
}

/// A service of an instance.
pub(super) fn service(
    world: &World<'_>,
    asked: Asked,
    attempt: &Attempt,
    service: &Service,
) -> view::Service {
    let parameters: Vec<view::Parameter> = service
        .parameters
        .iter()
        .map(|parameter| match &parameter.value {
            ParameterValue::Given(value) => view::Parameter {
                name: parameter.name.clone(),
                value: value.clone(),
                from: None,
                resolved: true,
                resolved_at: Some(attempt.registered_at),
                waits_for: None,
                blocked_by_failure: false,
            },
            ParameterValue::From { instance_id, target } => {
                let resolved = world.resolve(service, instance_id, target);
                view::Parameter {
                    name: parameter.name.clone(),
                    from: Some(reference(instance_id, target)),
                    resolved: resolved.is_some(),
                    resolved_at: resolved.as_ref().map(|resolved| resolved.at),
                    waits_for: match resolved {
                        Some(_) => None,
                        None => Some(waits_for(world, asked, instance_id, target)),
                    },
                    blocked_by_failure: resolved.as_ref().is_some_and(|resolved| resolved.failed),
                    value: resolved.map(|resolved| resolved.value),
                }
            }
        })
        .collect();
    view::Service {
        instance_id: attempt.instance_id.clone(),
        service: service.name.clone(),
        declared: service.declared,
        status: service.status().as_str(),
        configuration_started_at: service.started_at(),
        configuration_ended_at: service.ended_at(),
        code: service.code().map(str::to_owned),
        start_missing: service.started_at().is_none() && service.ended_at().is_some(),
        blocked_by_failure: parameters.iter().any(|parameter| parameter.blocked_by_failure),
        attempts: service.runs.iter().map(run).collect(),
        parameters,
    }
}

fn unresolved(world: &World<'_>, asked: Asked, attempt: &Attempt) -> Vec<view::Unresolved> {
    let waiting = world.unresolved(attempt).into_iter();
    waiting
        .map(|waiting| view::Unresolved {
            instance_id: waiting.instance_id.to_owned(),
            service: waiting.service.to_owned(),
            parameter: waiting.parameter.to_owned(),
            waits_for: waits_for(world, asked, waiting.from, waiting.target),
        })
        .collect()
}

fn waits_for(world: &World<'_>, asked: Asked, from: &str, target: &Target) -> view::WaitsFor {
    view::WaitsFor {
        reference: reference(from, target),
        state: world.state_of(asked, from, target),
    }
}

fn cycle(cycle: &Cycle) -> view::Cycle {
    let members = cycle.services.iter().map(|(instance_id, service)| view::Member {
        instance_id: instance_id.clone(),
        service: service.clone(),
    });
    view::Cycle { deadlock: cycle.deadlock, services: members.collect() }
}

fn reference(instance_id: &str, target: &Target) -> view::Reference {
    let (parameter, service) = match target {
        Target::Parameter(name) => (Some(name.clone()), None),
        Target::Service(name) => (None, Some(name.clone())),
    };
    view::Reference { instance_id: instance_id.to_owned(), parameter, service }
}

fn run(run: &Run) -> view::Run {
    let times = run.started_at.zip(run.ended_at);
    view::Run {
        started_at: run.started_at,
        ended_at: run.ended_at,
        duration_s: times.map(|(from, to)| seconds(to.as_microsecond() - from.as_microsecond())),
        code: run.code.clone(),
        start_missing: run.started_at.is_none(),
    }
}

fn stack(stack: &StackState) -> view::Stack {
    let (at, last) = &stack.last;
    view::Stack {
        operation: last.operation.clone(),
        phase: match last.phase {
            Phase::Start => "start",
            Phase::End => "end",
            Phase::Error => "error",
        },
        state: last.state.clone(),
        reason: last.reason.clone(),
        at: *at,
        status: stack.status.as_str(),
    }
}

fn path(steps: &[Step]) -> view::CriticalPath {
    let span = |from: jiff::Timestamp, to: jiff::Timestamp| {
        seconds(to.as_microsecond() - from.as_microsecond())
    };
    let ends = steps.first().zip(steps.last());
    view::CriticalPath {
        duration_s: ends.map_or(0.0, |(first, last)| span(first.since, last.ended_at)),
        steps: steps
            .iter()
            .map(|step| view::Step {
                what: reference(&step.instance_id, &step.target),
                since: step.since,
                started_at: step.started_at,
                ended_at: step.ended_at,
                waited_s: step.started_at.map(|at| span(step.since, at)),
                duration_s: span(step.since, step.ended_at),
            })
            .collect(),
    }
}

fn former_deployment(deployment: &Deployment) -> view::FormerDeployment {
    let instances = deployment.instances.iter();
    view::FormerDeployment {
        generation: deployment.number,
        status: deployment.status().map(Status::as_str),
        declared_at: deployment.declared_at,
        registered_at: deployment.registered_at(),
        completed_at: deployment.completed_at(),
        deleted_at: deployment.deleted_at,
        instances: instances.map(|attempt| attempt.instance_id.clone()).collect(),
    }
}

fn former_instance(attempt: &Attempt) -> view::FormerInstance {
    let services = attempt.services.iter().map(|service| view::FormerService {
        service: service.name.clone(),
        status: service.status().as_str(),
        attempts: service.runs.iter().map(run).collect(),
    });
    view::FormerInstance {
        attempt: attempt.number,
        deployment_id: attempt.deployment_id.clone(),
        status: attempt.status().map(Status::as_str),
        registered_at: attempt.registered_at,
        first_contacted_at: attempt.contacted.map(|(first, _)| first),
        last_contacted_at: attempt.contacted.map(|(_, last)| last),
        completed_at: attempt.completed_at(),
        services: services.collect(),
    }
}
