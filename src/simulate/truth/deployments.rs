//! From what was said of deployments to how they stand.

use std::collections::BTreeSet;

use super::{DeploymentTruth, MemberTruth, ServiceTruth};
use crate::simulate::deployments::{Deployment, Said, Source};

/// How a configuration stands, the worst first.
const STATUSES: [&str; 3] = ["error", "incomplete", "success"];

/// Every deployment.
pub(crate) fn deployments(deployments: &[Deployment]) -> Vec<DeploymentTruth> {
    deployments.iter().map(deployment).collect()
}

fn deployment(it: &Deployment) -> DeploymentTruth {
    let said: BTreeSet<(&str, u16, u16)> =
        it.facts.iter().flat_map(|(_, said)| key(*said)).collect();
    let has = |word, member, place| said.contains(&(word, member, place));
    let mut unresolved_parameters = 0;
    let mut instances = Vec::new();
    for (member, instance) in
        (0..).zip(&it.members).filter(|(member, _)| has("registered", *member, 0))
    {
        let mut services = Vec::new();
        for (place, service) in (0..).zip(&instance.services) {
            let is_open = |source: &Source| match source {
                Source::Given(_) => false,
                Source::Parameter { member, name } => {
                    let provides = &it.members[usize::from(*member)].provides;
                    let place = provides.iter().position(|(own, _)| own == name);
                    !place.is_some_and(|place| has("provided", *member, place as u16))
                }
                Source::Service { member, service } => {
                    !has("success", *member, *service) && !has("error", *member, *service)
                }
            };
            let open = service.parameters.iter().filter(|(_, source)| is_open(source));
            unresolved_parameters += open.count();
            let ended = ["error", "success"].into_iter().find(|word| has(word, member, place));
            let status = ended.unwrap_or("incomplete").to_owned();
            services.push(ServiceTruth { name: service.name.clone(), status });
        }
        instances.push(MemberTruth {
            instance_id: instance.id.to_string(),
            assembly: instance.assembly.to_owned(),
            status: worst(services.iter().map(|service| service.status.as_str())),
            services,
        });
    }
    DeploymentTruth {
        deployment_id: it.id.to_string(),
        name: it.name.clone(),
        status: worst(instances.iter().map(|instance| instance.status.as_str())),
        instances,
        unresolved_parameters,
    }
}

/// What a fact says for good, by member and place.
fn key(said: Said) -> Vec<(&'static str, u16, u16)> {
    match said {
        Said::Registered { member } => vec![("registered", member, 0)],
        Said::Provided { member, from, to } => {
            (from..to).map(|place| ("provided", member, place.into())).collect()
        }
        Said::Ended { member, service, is_well: true } => vec![("success", member, service)],
        Said::Ended { member, service, is_well: false } => vec![("error", member, service)],
        Said::Declared | Said::Contacted { .. } | Said::Started { .. } | Said::Abandoned { .. } => {
            Vec::new()
        }
    }
}

fn worst<'a>(statuses: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = statuses.collect();
    STATUSES.into_iter().find(|status| all.contains(status)).unwrap_or_default().to_owned()
}
