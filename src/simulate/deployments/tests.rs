//! The events of deployments follow their rules, and the truth follows from the events.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use serde_json::Value;

use crate::simulate::{DeploymentOptions, Options, Plan, plan, tests, truth::DeploymentTruth};

fn deployed(deploying: DeploymentOptions, seed: u64) -> Plan {
    plan(&Options {
        deploying,
        duplicates_percent: 0,
        shuffle_percent: 0,
        ..tests::options(0, seed)
    })
}

fn events(plan: &Plan) -> Vec<Value> {
    plan.messages().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

/// The reports of one instance.
#[derive(Default)]
struct InstanceReports<'a> {
    deployment: &'a str,
    registration: Value,
    provided: BTreeSet<&'a str>,
    codes: BTreeMap<&'a str, &'a str>,
    started: BTreeSet<&'a str>,
}

/// Collects the events by instance, and checks that none of them comes before one that it needs.
fn read(events: &[Value]) -> HashMap<&str, InstanceReports<'_>> {
    let mut reports: HashMap<&str, InstanceReports<'_>> = HashMap::new();
    for event in events {
        let (kind, data) = (text(event, "type"), &event["data"]);
        let Some(instance_id) = data["instance_id"].as_str() else {
            assert_eq!(kind, "deployment.declared");
            continue;
        };
        if kind == "instance.registered" {
            let (deployment, registration) = (text(data, "deployment_id"), data.clone());
            let new = InstanceReports { deployment, registration, ..InstanceReports::default() };
            assert!(reports.insert(instance_id, new).is_none(), "registered once");
            continue;
        }
        if kind == "service.configuration.started" {
            let service = text(data, "service");
            let waits = unresolved(&reports[instance_id], service, &reports);
            assert_eq!(waits, 0, "{service} starts before its parameters are known");
        }
        let instance = reports.get_mut(instance_id).expect("an instance is registered first");
        match kind {
            "instance.parameters.provided" => {
                let names = data["parameters"].as_object().unwrap().keys();
                instance.provided.extend(names.map(String::as_str));
            }
            "service.configuration.started" => {
                instance.started.insert(text(data, "service"));
            }
            "service.configuration.ended" => {
                assert!(instance.started.contains(text(data, "service")));
                instance.codes.insert(text(data, "service"), text(data, "code"));
            }
            "instance.contacted" | "instance.configuration.abandoned" => {}
            _ => panic!("{kind} is no kind of a deployment's event"),
        }
    }
    reports
}

fn services<'a>(instance: &'a InstanceReports<'_>) -> &'a [Value] {
    instance.registration["services"].as_array().unwrap()
}

/// Returns the number of a service's parameters whose values are unknown.
fn unresolved(
    instance: &InstanceReports<'_>,
    service: &str,
    reports: &HashMap<&str, InstanceReports<'_>>,
) -> usize {
    let service = services(instance).iter().find(|one| one["name"] == service).unwrap();
    let is_open = |parameter: &&Value| {
        let from = &parameter["from"];
        let other = from["instance_id"].as_str().map(|id| reports.get(id));
        match (other, from["parameter"].as_str(), from["service"].as_str()) {
            (None, ..) => false,
            (Some(Some(other)), Some(name), None) => !other.provided.contains(name),
            (Some(Some(other)), None, Some(name)) => !other.codes.contains_key(name),
            _ => true,
        }
    };
    service["parameters"].as_array().unwrap().iter().filter(is_open).count()
}

fn check(truth: &DeploymentTruth, reports: &HashMap<&str, InstanceReports<'_>>) {
    let members = reports.values().filter(|one| one.deployment == truth.deployment_id);
    assert_eq!(members.count(), truth.instances.len());
    let mut open = 0;
    for member in &truth.instances {
        let instance = &reports[member.instance_id.as_str()];
        assert_eq!(services(instance).len(), member.services.len());
        for service in &member.services {
            let status = match instance.codes.get(service.name.as_str()) {
                None => "incomplete",
                Some(&"0") => "success",
                Some(_) => "error",
            };
            assert_eq!(service.status, status);
            open += unresolved(instance, &service.name, reports);
        }
        // The worst status is also the first in the alphabet.
        let worst = member.services.iter().map(|service| &service.status).min();
        assert_eq!(Some(&member.status), worst);
    }
    assert_eq!(Some(&truth.status), truth.instances.iter().map(|one| &one.status).min());
    assert_eq!(truth.unresolved_parameters, open);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_truth_follows_from_the_events(
        deployments in 1u32..12,
        instances in 1u32..6,
        services in 1u32..5,
        seed: u64,
    ) {
        let plan = deployed(DeploymentOptions { deployments, instances, services }, seed);
        let events = events(&plan);
        let reports = read(&events);
        prop_assert_eq!(plan.truth().deployments.len(), deployments as usize);
        plan.truth().deployments.iter().for_each(|truth| check(truth, &reports));
        let times: BTreeSet<(&str, &str)> =
            events.iter().map(|event| (text(event, "source"), text(event, "time"))).collect();
        prop_assert_eq!(times.len(), events.len(), "no two events of a deployment share a time");
    }
}

#[test]
fn many_deployments_take_every_course() {
    let plan = deployed(DeploymentOptions { deployments: 300, ..DeploymentOptions::default() }, 1);
    let truths = || plan.truth().deployments.iter();
    let count = |status: &str| truths().filter(|truth| truth.status == status).count();
    let (success, error, incomplete) = (count("success"), count("error"), count("incomplete"));
    assert_eq!(success + error + incomplete, 300);
    assert!((150..260).contains(&success) && error > 10 && incomplete > 20, "{success} {error}");
    let untouched = |truth: &DeploymentTruth| {
        truth.unresolved_parameters > 0
            && truth
                .instances
                .iter()
                .flat_map(|one| &one.services)
                .all(|service| service.status == "incomplete")
    };
    assert!(truths().any(untouched), "a circular deployment cannot begin");
    let events = events(&plan);
    let kinds: BTreeSet<&str> = events.iter().map(|event| text(event, "type")).collect();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}

#[test]
fn instances_of_nova_are_members() {
    let deploying = DeploymentOptions { deployments: 3, ..DeploymentOptions::default() };
    let plan = plan(&Options { deploying, ..tests::options(10, 1) });
    let instances = plan.truth().instances.iter();
    let nova: BTreeSet<&String> = instances.map(|instance| &instance.instance_id).collect();
    let deployments = plan.truth().deployments.iter();
    let members = deployments.flat_map(|deployment| &deployment.instances);
    assert_eq!(members.filter(|member| nova.contains(&member.instance_id)).count(), 5);
}
