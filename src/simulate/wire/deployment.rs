//! What the configuration of a deployment reports, as CloudEvents.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Message, cloudevent, instant};
use crate::simulate::{
    deployments::{DEPLOYED, Deployment, Member, Said, Service, Source},
    rng::Rng,
};

/// All that makes a message of an event.
pub(crate) struct Reporting<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) seed: u64,
    /// Where the simulation's time 0 lies.
    pub(crate) base: Timestamp,
    /// The deployment's number, and the event's within it: they name the id.
    pub(crate) place: (u32, u32),
}

impl Reporting<'_> {
    pub(crate) fn message(&self) -> Message {
        let (deployment, fact) = self.place;
        let (at, said) = self.deployment.facts[fact as usize];
        let path = [DEPLOYED, 1, deployment.into(), fact.into()];
        let id = Rng::new(self.seed, &path).uuid().to_string();
        let (kind, data) = self.data(said);
        let source = format!("config/{}", self.deployment.name);
        cloudevent::message(kind, id, &source, &cloudevent::time(instant(self.base, at)), &data)
    }

    fn data(&self, said: Said) -> (&'static str, Value) {
        let it = self.deployment;
        let id = |member: u16| &self.member(member).id;
        match said {
            Said::Declared => {
                let instances: Vec<_> = it.members.iter().map(|member| member.id).collect();
                let data = json!({"deployment_id": it.id, "name": it.name, "instances": instances});
                ("deployment.declared", data)
            }
            Said::Registered { member } => ("instance.registered", self.registration(member)),
            Said::Contacted { member } => {
                ("instance.contacted", json!({"instance_id": id(member)}))
            }
            Said::Provided { member, from, to } => {
                let provided = &self.member(member).provides[from.into()..to.into()];
                let values: Map<String, Value> = provided
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
                    .collect();
                let data = json!({"instance_id": id(member), "parameters": values});
                ("instance.parameters.provided", data)
            }
            Said::Started { member, service } => {
                let name = &self.service(member, service).name;
                let data = json!({"instance_id": id(member), "service": name});
                ("service.configuration.started", data)
            }
            Said::Ended { member, service, is_well } => {
                let name = &self.service(member, service).name;
                let code = if is_well { "0" } else { "1" };
                let data = json!({"instance_id": id(member), "service": name, "code": code});
                ("service.configuration.ended", data)
            }
            Said::Abandoned { member } => {
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

    fn member(&self, place: u16) -> &Member {
        &self.deployment.members[usize::from(place)]
    }

    fn service(&self, member: u16, place: u16) -> &Service {
        &self.member(member).services[usize::from(place)]
    }
}
