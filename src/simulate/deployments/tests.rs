//! Deployments do what their kind of system does, and the truth is what their events say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use serde_json::Value;

use crate::simulate::{Deploying, Options, Plan, plan, tests, truth::DeploymentTruth};

fn deployed(deploying: Deploying, seed: u64) -> Plan {
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

fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap()
}

/// What one instance has said, as a reader of the events sees it.
#[derive(Default)]
struct Seen<'a> {
    deployment: &'a str,
    registration: Value,
    provided: BTreeSet<&'a str>,
    codes: BTreeMap<&'a str, &'a str>,
    started: BTreeSet<&'a str>,
}

/// Goes through the events in order. What must not happen before something else does not.
fn read(events: &[Value]) -> HashMap<&str, Seen<'_>> {
    let mut seen: HashMap<&str, Seen<'_>> = HashMap::new();
    for event in events {
        let (kind, data) = (text(event, "type"), &event["data"]);
        let Some(instance_id) = data["instance_id"].as_str() else {
            assert_eq!(kind, "deployment.declared");
            continue;
        };
        if kind == "instance.registered" {
            let (deployment, registration) = (text(data, "deployment_id"), data.clone());
            let new = Seen { deployment, registration, ..Seen::default() };
            assert!(seen.insert(instance_id, new).is_none(), "registered once");
            continue;
        }
        if kind == "service.configuration.started" {
            let service = text(data, "service");
            let waits = unresolved(&seen[instance_id], service, &seen);
            assert_eq!(waits, 0, "{service} starts before it has what it needs");
        }
        let instance = seen.get_mut(instance_id).expect("it is registered first");
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
            _ => panic!("{kind} is no kind of a deployment's"),
        }
    }
    seen
}

fn services<'a>(instance: &'a Seen<'_>) -> &'a [Value] {
    instance.registration["services"].as_array().unwrap()
}

/// How many parameters of a service are not known.
fn unresolved(instance: &Seen<'_>, service: &str, seen: &HashMap<&str, Seen<'_>>) -> usize {
    let service = services(instance).iter().find(|one| one["name"] == service).unwrap();
    let is_open = |parameter: &&Value| {
        let from = &parameter["from"];
        let other = from["instance_id"].as_str().map(|id| seen.get(id));
        match (other, from["parameter"].as_str(), from["service"].as_str()) {
            (None, ..) => false,
            (Some(Some(other)), Some(name), None) => !other.provided.contains(name),
            (Some(Some(other)), None, Some(name)) => !other.codes.contains_key(name),
            _ => true,
        }
    };
    service["parameters"].as_array().unwrap().iter().filter(is_open).count()
}

fn check(truth: &DeploymentTruth, seen: &HashMap<&str, Seen<'_>>) {
    let members = seen.values().filter(|one| one.deployment == truth.deployment_id);
    assert_eq!(members.count(), truth.instances.len());
    let mut open = 0;
    for told in &truth.instances {
        let instance = &seen[told.instance_id.as_str()];
        assert_eq!(services(instance).len(), told.services.len());
        for service in &told.services {
            let status = match instance.codes.get(service.name.as_str()) {
                None => "incomplete",
                Some(&"0") => "success",
                Some(_) => "error",
            };
            assert_eq!(service.status, status);
            open += unresolved(instance, &service.name, seen);
        }
        // In the alphabet, too, the worst comes first.
        let worst = told.services.iter().map(|service| &service.status).min();
        assert_eq!(Some(&told.status), worst);
    }
    assert_eq!(Some(&truth.status), truth.instances.iter().map(|one| &one.status).min());
    assert_eq!(truth.unresolved_parameters, open);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_truth_is_what_the_events_say(
        deployments in 1u32..12,
        instances in 1u32..6,
        services in 1u32..5,
        seed: u64,
    ) {
        let plan = deployed(Deploying { deployments, instances, services }, seed);
        let events = events(&plan);
        let seen = read(&events);
        prop_assert_eq!(plan.truth().deployments.len(), deployments as usize);
        plan.truth().deployments.iter().for_each(|truth| check(truth, &seen));
        let times: BTreeSet<(&str, &str)> =
            events.iter().map(|event| (text(event, "source"), text(event, "time"))).collect();
        prop_assert_eq!(times.len(), events.len(), "no two events of a deployment share a time");
    }
}

#[test]
fn many_deployments_go_in_every_way() {
    let plan = deployed(Deploying { deployments: 300, ..Deploying::default() }, 1);
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
    assert!(truths().any(untouched), "in some nothing can begin, for it waits for itself");
    let events = events(&plan);
    let kinds: BTreeSet<&str> = events.iter().map(|event| text(event, "type")).collect();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}

#[test]
fn instances_of_nova_are_members() {
    let deploying = Deploying { deployments: 3, ..Deploying::default() };
    let plan = plan(&Options { deploying, ..tests::options(10, 1) });
    let nova: BTreeSet<&String> = plan.truth().instances.iter().map(|it| &it.instance_id).collect();
    let members = plan.truth().deployments.iter().flat_map(|it| &it.instances);
    assert_eq!(members.filter(|member| nova.contains(&member.instance_id)).count(), 5);
}
