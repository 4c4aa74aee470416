//! Facts of made-up deployments.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::event::deployment::{
    DeploymentEvent, Parameter, ParameterValue, Phase, Registration, Service, Stack, Target,
};
use crate::projection::deployment::{Deployment, Deployments, Fact, SilenceLimit};

/// Returns the time of a second; all tests begin with second 0.
pub fn second(second: i64) -> Timestamp {
    "2026-11-19T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// Returns a limit of an hour, at that second.
pub fn limit_at(at: i64) -> SilenceLimit {
    SilenceLimit { at: second(at), abandoned_after: SignedDuration::from_hours(1) }
}

/// Creates a fact; equal events have equal ids.
pub fn fact(at: i64, event: DeploymentEvent) -> Fact {
    let text = format!("{at} {event:?}");
    Fact::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()), second(at), event)
}

pub fn declared(at: i64, instances: &[&str]) -> Fact {
    declared_as(at, "d", instances)
}

pub fn declared_as(at: i64, deployment: &str, instances: &[&str]) -> Fact {
    fact(
        at,
        DeploymentEvent::Declared {
            deployment_id: deployment.to_owned(),
            name: Some(format!("name of {deployment}")),
            instances: instances.iter().map(ToString::to_string).collect(),
        },
    )
}

pub fn deleted(at: i64) -> Fact {
    fact(at, DeploymentEvent::Deleted { deployment_id: "d".to_owned() })
}

/// Creates a service with parameters that refer to other instances.
pub fn service(name: &str, parameters: &[(&str, &str, Target)]) -> Service {
    let parameters = parameters.iter().map(|(name, from, target)| Parameter {
        name: (*name).to_owned(),
        value: ParameterValue::From { instance_id: (*from).to_owned(), target: target.clone() },
    });
    Service { name: name.to_owned(), parameters: parameters.collect() }
}

pub fn parameter(name: &str) -> Target {
    Target::Parameter(name.to_owned())
}

pub fn end_of(name: &str) -> Target {
    Target::Service(name.to_owned())
}

pub fn registered(at: i64, instance: &str, services: Vec<Service>, provides: &[&str]) -> Fact {
    registered_with(at, "d", instance, services, provides)
}

pub fn registered_with(
    at: i64,
    deployment: &str,
    instance: &str,
    services: Vec<Service>,
    provides: &[&str],
) -> Fact {
    fact(
        at,
        DeploymentEvent::Registered(Registration {
            instance_id: instance.to_owned(),
            deployment_id: deployment.to_owned(),
            assembly: Some(format!("assembly of {instance}")),
            services,
            provides: provides.iter().map(ToString::to_string).collect(),
        }),
    )
}

pub fn contacted(at: i64, instance: &str) -> Fact {
    fact(at, DeploymentEvent::Contacted { instance_id: instance.to_owned() })
}

pub fn provided(at: i64, instance: &str, name: &str, value: &str) -> Fact {
    let parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    fact(at, DeploymentEvent::Provided { instance_id: instance.to_owned(), parameters })
}

pub fn started(at: i64, instance: &str, service: &str) -> Fact {
    let (instance_id, service) = (instance.to_owned(), service.to_owned());
    fact(at, DeploymentEvent::Started { instance_id, service })
}

pub fn ended(at: i64, instance: &str, service: &str, code: &str) -> Fact {
    let (instance_id, service) = (instance.to_owned(), service.to_owned());
    fact(at, DeploymentEvent::Ended { instance_id, service, code: code.to_owned() })
}

pub fn abandoned(at: i64, instance: &str) -> Fact {
    fact(at, DeploymentEvent::Abandoned { instance_id: instance.to_owned(), reason: None })
}

pub fn stack(at: i64, operation: &str, phase: Phase) -> Fact {
    fact(
        at,
        DeploymentEvent::Stack(Stack {
            stack_id: "d".to_owned(),
            operation: operation.to_owned(),
            phase,
            name: Some("stack".to_owned()),
            project_id: Some("p".to_owned()),
            state: None,
            reason: None,
        }),
    )
}

/// Returns the last generation of the deployment `d`.
pub fn deployment(facts: &[Fact]) -> Deployment {
    Deployments::of(facts).generations("d").pop().unwrap()
}

/// Returns status and state of the deployment `d` at a second.
pub fn progress(facts: &[Fact], now: i64) -> (&'static str, &'static str) {
    let deployment = deployment(facts);
    let state = limit_at(now).state(deployment.state(), deployment.last_at);
    (deployment.status().map_or("", |status| status.as_str()), state.as_str())
}

/// Returns the mysql and wordpress of Audrey's own tests, with references to a parameter and to a service.
pub fn blog() -> Vec<Fact> {
    let of_mysql = [("mysql_ip", "m", parameter("ip")), ("mysql_service", "m", end_of("mysql"))];
    vec![
        declared(0, &["m", "w"]),
        registered(10, "m", vec![service("mysql", &[])], &["ip"]),
        registered(12, "w", vec![service("wordpress", &of_mysql)], &["host"]),
        contacted(20, "m"),
        contacted(25, "w"),
        provided(30, "m", "ip", "10.0.0.5"),
        provided(31, "w", "host", "blog"),
        started(40, "m", "mysql"),
        ended(50, "m", "mysql", "0"),
        started(55, "w", "wordpress"),
        ended(75, "w", "wordpress", "1"),
    ]
}
