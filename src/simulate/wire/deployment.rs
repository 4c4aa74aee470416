//! The reports of a deployment's configuration, as CloudEvents.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Message, cloudevent};
use crate::simulate::{
    deployments::{DEPLOYMENTS_PATH, Deployment, DeploymentFact, Member, Service, Source},
    rng::Rng,
    time::instant,
};

/// The parts from which a message about a deployment is built.
pub(crate) struct DeploymentMessage<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) seed: u64,
    /// The instant of the simulation's time 0.
    pub(crate) base: Timestamp,
    /// The deployment's number and the number of the fact within it, which determine the message's id.
    pub(crate) number: (u32, u32),
}

impl DeploymentMessage<'_> {
    pub(crate) fn build(&self) -> Message {
        let (deployment, number) = self.number;
        let (at, fact) = self.deployment.facts[number as usize];
        let path = [DEPLOYMENTS_PATH, 1, deployment.into(), number.into()];
        let id = Rng::new(self.seed, &path).uuid().to_string();
        let (kind, data) = self.data(fact);
        let source = format!("config/{}", self.deployment.name);
        cloudevent::message(kind, id, &source, &cloudevent::time(instant(self.base, at)), &data)
    }

    /// Returns the event's type and its data.
    fn data(&self, fact: DeploymentFact) -> (&'static str, Value) {
        let Deployment { id: deployment_id, name, members, .. } = self.deployment;
        let id = |member: u16| &self.member(member).id;
        match fact {
            DeploymentFact::Declared => {
                let instances: Vec<_> = members.iter().map(|member| member.id).collect();
                let data = json!({
                    "deployment_id": deployment_id, "name": name, "instances": instances,
                });
                ("deployment.declared", data)
            }
            DeploymentFact::Registered { member } => {
                ("instance.registered", self.registration(member))
            }
            DeploymentFact::Contacted { member } => {
                ("instance.contacted", json!({"instance_id": id(member)}))
            }
            DeploymentFact::Provided { member, from, to } => {
                let provided = &self.member(member).provides[from.into()..to.into()];
                let values: Map<String, Value> = provided
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
                    .collect();
                let data = json!({"instance_id": id(member), "parameters": values});
                ("instance.parameters.provided", data)
            }
            DeploymentFact::Started { member, service } => {
                let name = &self.service(member, service).name;
                let data = json!({"instance_id": id(member), "service": name});
                ("service.configuration.started", data)
            }
            DeploymentFact::Ended { member, service, succeeded } => {
                let name = &self.service(member, service).name;
                let code = if succeeded { "0" } else { "1" };
                let data = json!({"instance_id": id(member), "service": name, "code": code});
                ("service.configuration.ended", data)
            }
            DeploymentFact::Abandoned { member } => {
                let reason = "no progress in 5 rounds";
                let data = json!({"instance_id": id(member), "reason": reason});
                ("instance.configuration.abandoned", data)
            }
        }
    }

    fn registration(&self, member: u16) -> Value {
        let instance = self.member(member);
        let services = instance.services.iter().map(|service| {
            let parameters = service.parameters.iter();
            let parameters: Vec<Value> =
                parameters.map(|(name, source)| self.parameter(name, source)).collect();
            json!({"name": service.name, "parameters": parameters})
        });
        let provides: Vec<&str> = instance.provides.iter().map(|(name, _)| *name).collect();
        json!({
            "instance_id": instance.id,
            "deployment_id": self.deployment.id,
            "assembly": instance.assembly,
            "services": services.collect::<Vec<_>>(),
            "provides": provides,
        })
    }

    fn parameter(&self, name: &str, source: &Source) -> Value {
        match source {
            Source::Given(value) => json!({"name": name, "value": value}),
            Source::Parameter { member, name: parameter } => {
                let from = json!({"instance_id": self.member(*member).id, "parameter": parameter});
                json!({"name": name, "from": from})
            }
            Source::Service { member, service } => {
                let service = &self.service(*member, *service).name;
                let from = json!({"instance_id": self.member(*member).id, "service": service});
                json!({"name": name, "from": from})
            }
        }
    }

    fn member(&self, index: u16) -> &Member {
        &self.deployment.members[usize::from(index)]
    }

    fn service(&self, member: u16, index: u16) -> &Service {
        &self.member(member).services[usize::from(index)]
    }
}
