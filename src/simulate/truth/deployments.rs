//! The truth of deployments, from their facts.

use std::collections::BTreeSet;

use super::{DeploymentTruth, MemberTruth, ServiceTruth};
use crate::simulate::deployments::{Deployment, DeploymentFact, Source};

/// The statuses of a configuration, the worst first.
const STATUSES: [&str; 3] = ["error", "incomplete", "success"];

/// Returns the truth of every deployment.
pub(crate) fn fold_deployments(deployments: &[Deployment]) -> Vec<DeploymentTruth> {
    deployments.iter().map(fold_deployment).collect()
}

fn fold_deployment(deployment: &Deployment) -> DeploymentTruth {
    let marks: BTreeSet<Mark> =
        deployment.facts.iter().flat_map(|(_, fact)| marks_of(*fact)).collect();
    let has = |word, member, index| marks.contains(&(word, member, index));
    let mut unresolved_parameters = 0;
    let mut instances = Vec::new();
    let members = (0..).zip(&deployment.members);
    for (member, instance) in members.filter(|(member, _)| has("registered", *member, 0)) {
        let mut services = Vec::new();
        for (index, service) in (0..).zip(&instance.services) {
            let is_open = |source: &Source| match source {
                Source::Given(_) => false,
                Source::Parameter { member, name } => {
                    let provides = &deployment.members[usize::from(*member)].provides;
                    let index = provides.iter().position(|(own, _)| own == name);
                    !index.is_some_and(|index| has("provided", *member, index as u16))
                }
                Source::Service { member, service } => {
                    !has("success", *member, *service) && !has("error", *member, *service)
                }
            };
            let open = service.parameters.iter().filter(|(_, source)| is_open(source));
            unresolved_parameters += open.count();
            let ended = ["error", "success"].into_iter().find(|word| has(word, member, index));
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
        deployment_id: deployment.id.to_string(),
        name: deployment.name.clone(),
        status: worst(instances.iter().map(|instance| instance.status.as_str())),
        instances,
        unresolved_parameters,
    }
}

/// A lasting result of a fact: its name, the member, and the index of the parameter or the service.
type Mark = (&'static str, u16, u16);

fn marks_of(fact: DeploymentFact) -> Vec<Mark> {
    match fact {
        DeploymentFact::Registered { member } => vec![("registered", member, 0)],
        DeploymentFact::Provided { member, from, to } => {
            (from..to).map(|index| ("provided", member, index.into())).collect()
        }
        DeploymentFact::Ended { member, service, succeeded: true } => {
            vec![("success", member, service)]
        }
        DeploymentFact::Ended { member, service, succeeded: false } => {
            vec![("error", member, service)]
        }
        DeploymentFact::Declared
        | DeploymentFact::Contacted { .. }
        | DeploymentFact::Started { .. }
        | DeploymentFact::Abandoned { .. } => Vec::new(),
    }
}

fn worst<'a>(statuses: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = statuses.collect();
    STATUSES.into_iter().find(|status| all.contains(status)).unwrap_or_default().to_owned()
}
