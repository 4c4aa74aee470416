//! Turns deployments, instances and services into their JSON.

use super::load::NovaByInstance;
use super::view;
use crate::event::deployment::{ParameterValue, Phase, Target};
use crate::http::seconds;
use crate::projection::deployment::{
    Attempt, Cycle, Deployment, Deployments, Run, Service, SilenceLimit, StackState, Status, Step,
    find_critical_path, find_cycles, measure_phases,
};

/// Shows a deployment; `former` are its earlier generations. The instances of `nova` that belong to it are
/// moved into the answer.
pub(in crate::api) fn show_deployment(
    deployments: &Deployments<'_>,
    limit: SilenceLimit,
    deployment: &Deployment,
    former: &[Deployment],
    nova: &mut NovaByInstance,
) -> view::Deployment {
    let instances = &deployment.instances;
    let phases = measure_phases(deployment);
    let cycles = find_cycles(deployments, instances);
    view::Deployment {
        deployment_id: deployment.deployment_id.clone(),
        name: deployment.name.clone(),
        project_id: deployment.project_id.clone(),
        generation: deployment.number,
        status: deployment.status().map(Status::as_str),
        state: limit.state(deployment.state(), deployment.last_at).as_str(),
        declared_at: deployment.declared_at,
        registered_at: deployment.registered_at(),
        completed_at: deployment.completed_at(),
        deleted_at: deployment.deleted_at,
        first_at: deployment.first_at,
        last_at: deployment.last_at,
        expected: deployment.expected.clone(),
        missing: deployment.missing().map(str::to_owned).collect(),
        stack: deployment.stack.as_ref().map(show_stack),
        instances: instances
            .iter()
            .map(|one| show_instance(deployments, limit, one, &cycles, nova))
            .collect(),
        unresolved: instances
            .iter()
            .flat_map(|one| show_unresolved(deployments, limit, one))
            .collect(),
        cycles: cycles.iter().map(show_cycle).collect(),
        critical_path: show_path(&find_critical_path(deployments, deployment)),
        phases: view::Phases {
            registration_s: seconds(phases.registration_us),
            contact_wait_s: seconds(phases.contact_wait_us),
            dependency_wait_s: seconds(phases.dependency_wait_us),
            configuration_s: seconds(phases.configuration_us),
        },
        former: former.iter().map(show_former_deployment).collect(),
    }
}

/// Shows an instance; `cycles` are the cycles of its deployment.
pub(in crate::api) fn show_instance(
    deployments: &Deployments<'_>,
    limit: SilenceLimit,
    attempt: &Attempt,
    cycles: &[Cycle],
    nova: &mut NovaByInstance,
) -> view::Instance {
    let attempts = deployments.attempts_of(&attempt.instance_id).iter();
    let is_in = |cycle: &&Cycle| cycle.services.iter().any(|(id, _)| *id == attempt.instance_id);
    let provided = attempt.provided.iter().filter_map(|(name, values)| {
        let (at, value) = values.last()?;
        Some(view::ProvidedValue { name: name.clone(), value: value.clone(), at: *at })
    });
    view::Instance {
        instance_id: attempt.instance_id.clone(),
        deployment_id: attempt.deployment_id.clone(),
        assembly: attempt.assembly.clone(),
        attempt: attempt.number,
        status: attempt.status().map(Status::as_str),
        state: limit.state(attempt.state(), attempt.last_at).as_str(),
        registered_at: attempt.registered_at,
        first_contacted_at: attempt.contacted.map(|(first, _)| first),
        last_contacted_at: attempt.contacted.map(|(_, last)| last),
        completed_at: attempt.completed_at(),
        abandoned_at: attempt.abandoned.as_ref().map(|report| report.at),
        abandoned_reason: attempt.abandoned.as_ref().and_then(|report| report.reason.clone()),
        last_at: attempt.last_at,
        services: attempt
            .services
            .iter()
            .map(|one| show_service(deployments, limit, attempt, one))
            .collect(),
        provided: provided.collect(),
        pending: attempt.pending().map(str::to_owned).collect(),
        cycles: cycles.iter().filter(is_in).map(show_cycle).collect(),
        nova: nova.remove(&attempt.instance_id),
        former: attempts
            .filter(|former| former.number < attempt.number)
            .map(show_former_instance)
            .collect(),
    }
}

/// Shows a service of an instance.
pub(in crate::api) fn show_service(
    deployments: &Deployments<'_>,
    limit: SilenceLimit,
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
                let resolved = deployments.resolve(service, instance_id, target);
                view::Parameter {
                    name: parameter.name.clone(),
                    from: Some(show_reference(instance_id, target)),
                    resolved: resolved.is_some(),
                    resolved_at: resolved.as_ref().map(|resolved| resolved.at),
                    waits_for: match resolved {
                        Some(_) => None,
                        None => Some(show_awaited(deployments, limit, instance_id, target)),
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
        attempts: service.runs.iter().map(show_run).collect(),
        parameters,
    }
}

fn show_unresolved(
    deployments: &Deployments<'_>,
    limit: SilenceLimit,
    attempt: &Attempt,
) -> Vec<view::UnresolvedParameter> {
    let waiting = deployments.unresolved_parameters(attempt).into_iter();
    waiting
        .map(|waiting| view::UnresolvedParameter {
            instance_id: waiting.instance_id.to_owned(),
            service: waiting.service.to_owned(),
            parameter: waiting.parameter.to_owned(),
            waits_for: show_awaited(deployments, limit, waiting.from, waiting.target),
        })
        .collect()
}

fn show_awaited(
    deployments: &Deployments<'_>,
    limit: SilenceLimit,
    from: &str,
    target: &Target,
) -> view::AwaitedSource {
    view::AwaitedSource {
        reference: show_reference(from, target),
        state: deployments.state_of(limit, from, target),
    }
}

fn show_cycle(cycle: &Cycle) -> view::Cycle {
    let members = cycle.services.iter().map(|(instance_id, service)| view::Member {
        instance_id: instance_id.clone(),
        service: service.clone(),
    });
    view::Cycle { deadlock: cycle.deadlock, services: members.collect() }
}

fn show_reference(instance_id: &str, target: &Target) -> view::Reference {
    let (parameter, service) = match target {
        Target::Parameter(name) => (Some(name.clone()), None),
        Target::Service(name) => (None, Some(name.clone())),
    };
    view::Reference { instance_id: instance_id.to_owned(), parameter, service }
}

fn show_run(run: &Run) -> view::Run {
    let times = run.started_at.zip(run.ended_at);
    view::Run {
        started_at: run.started_at,
        ended_at: run.ended_at,
        duration_s: times.map(|(from, to)| seconds(to.as_microsecond() - from.as_microsecond())),
        code: run.code.clone(),
        start_missing: run.started_at.is_none(),
    }
}

fn show_stack(stack: &StackState) -> view::Stack {
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

fn show_path(steps: &[Step]) -> view::CriticalPath {
    let span = |from: jiff::Timestamp, to: jiff::Timestamp| {
        seconds(to.as_microsecond() - from.as_microsecond())
    };
    let ends = steps.first().zip(steps.last());
    view::CriticalPath {
        duration_s: ends.map_or(0.0, |(first, last)| span(first.since, last.ended_at)),
        steps: steps
            .iter()
            .map(|step| view::Step {
                reference: show_reference(&step.instance_id, &step.target),
                since: step.since,
                started_at: step.started_at,
                ended_at: step.ended_at,
                waited_s: step.started_at.map(|at| span(step.since, at)),
                duration_s: span(step.since, step.ended_at),
            })
            .collect(),
    }
}

fn show_former_deployment(deployment: &Deployment) -> view::FormerDeployment {
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

fn show_former_instance(attempt: &Attempt) -> view::FormerInstance {
    let services = attempt.services.iter().map(|service| view::FormerService {
        service: service.name.clone(),
        status: service.status().as_str(),
        attempts: service.runs.iter().map(show_run).collect(),
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
