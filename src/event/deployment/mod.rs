//! Payloads of family `deployment`: `deployment.*`, `instance.*` and `service.*` CloudEvents, and
//! Heat's notifications about stacks, which are deployments too.
//!
//! A part of a payload that cannot be read is skipped and counted; the rest is used.

mod heat;
mod parts;
mod registration;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fields::{Value, raw_object};
use super::{PayloadFault, json};
use parts::PartReader;

pub use heat::{Phase, Stack};
pub use registration::{Parameter, ParameterValue, Registration, Service, Target};

/// An event of family `deployment`. Texts that are `""` or `null` are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of `data`, by the same names")]
pub enum DeploymentEvent {
    Declared {
        deployment_id: String,
        name: Option<String>,
        /// Ids of the expected instances, each once.
        instances: Vec<String>,
    },
    Deleted {
        deployment_id: String,
    },
    Registered(Registration),
    Contacted {
        instance_id: String,
    },
    Provided {
        instance_id: String,
        /// By name; empty values are left out.
        parameters: BTreeMap<String, String>,
    },
    Started {
        instance_id: String,
        service: String,
    },
    Ended {
        instance_id: String,
        service: String,
        /// The return code: `0` is success; `""`, which is no success, where the event has none.
        code: String,
    },
    Abandoned {
        instance_id: String,
        reason: Option<String>,
    },
    /// A step of Heat's operation on a stack.
    Stack(Stack),
}

/// An event, and how much of its payload was not readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The event, from the readable parts.
    pub event: DeploymentEvent,
    /// The number of parts that could not be read.
    pub skipped: u64,
}

impl DeploymentEvent {
    /// The instance it is about; `None` if it is about a deployment as a whole.
    pub fn instance_id(&self) -> Option<&str> {
        match self {
            Self::Declared { .. } | Self::Deleted { .. } | Self::Stack(_) => None,
            Self::Registered(registration) => Some(&registration.instance_id),
            Self::Contacted { instance_id }
            | Self::Provided { instance_id, .. }
            | Self::Started { instance_id, .. }
            | Self::Ended { instance_id, .. }
            | Self::Abandoned { instance_id, .. } => Some(instance_id),
        }
    }

    /// The deployment it names.
    pub fn deployment_id(&self) -> Option<&str> {
        match self {
            Self::Declared { deployment_id, .. } | Self::Deleted { deployment_id } => {
                Some(deployment_id)
            }
            Self::Registered(registration) => Some(&registration.deployment_id),
            Self::Stack(stack) => Some(&stack.stack_id),
            _ => None,
        }
    }

    /// The variant's name, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Declared { .. } => "declared",
            Self::Deleted { .. } => "deleted",
            Self::Registered(_) => "registered",
            Self::Contacted { .. } => "contacted",
            Self::Provided { .. } => "provided",
            Self::Started { .. } => "started",
            Self::Ended { .. } => "ended",
            Self::Abandoned { .. } => "abandoned",
            Self::Stack(_) => "stack",
        }
    }
}

/// What the kinds of Heat's notifications begin with.
pub const HEAT: &str = "orchestration.stack.";

/// Reads the payload of an event of family `deployment`. `None` for an unknown kind.
///
/// # Errors
///
/// When a field without which the event means nothing is missing or unusable.
pub fn decode(kind: &str, body: &[u8]) -> Result<Option<Reading>, PayloadFault> {
    json::read(body, |text| match kind.strip_prefix(HEAT) {
        Some(step) => heat::read(step, text),
        None => read(kind, text),
    })
}

raw_object! {
    /// The members of a CloudEvent that are read.
    CloudEvent { data: Value = "data", }
}

raw_object! {
    /// The fields of every kind's `data`.
    Data {
        deployment_id: Value = "deployment_id",
        name: Value = "name",
        instances: Value = "instances",
        instance_id: Value = "instance_id",
        assembly: Value = "assembly",
        services: Value = "services",
        provides: Value = "provides",
        parameters: Value = "parameters",
        service: Value = "service",
        code: Value = "code",
        reason: Value = "reason",
    }
}

/// Reads a CloudEvent of this kind.
fn read(kind: &str, text: &str) -> Result<Option<Reading>, PayloadFault> {
    let unreadable = PayloadFault::unreadable("data");
    let event: CloudEvent = serde_json::from_str(text).map_err(&unreadable)?;
    let data: Data = event.data.object().map_err(&unreadable)?;
    let mut parts = PartReader::default();
    let deployment_id = || data.deployment_id.required("data.deployment_id");
    let instance_id = || data.instance_id.required("data.instance_id");
    let service = || data.service.required("data.service");
    let event = match kind {
        "deployment.declared" => DeploymentEvent::Declared {
            deployment_id: deployment_id()?,
            name: parts.text(data.name),
            instances: parts.names(data.instances),
        },
        "deployment.deleted" => DeploymentEvent::Deleted { deployment_id: deployment_id()? },
        "instance.registered" => DeploymentEvent::Registered(Registration {
            instance_id: instance_id()?,
            deployment_id: deployment_id()?,
            assembly: parts.text(data.assembly),
            services: registration::read_services(data.services, &mut parts),
            provides: parts.names(data.provides),
        }),
        "instance.contacted" => DeploymentEvent::Contacted { instance_id: instance_id()? },
        "instance.parameters.provided" => DeploymentEvent::Provided {
            instance_id: instance_id()?,
            parameters: parts.values(data.parameters),
        },
        "service.configuration.started" => {
            DeploymentEvent::Started { instance_id: instance_id()?, service: service()? }
        }
        "service.configuration.ended" => DeploymentEvent::Ended {
            instance_id: instance_id()?,
            service: service()?,
            code: parts.code(data.code),
        },
        "instance.configuration.abandoned" => DeploymentEvent::Abandoned {
            instance_id: instance_id()?,
            reason: parts.text(data.reason),
        },
        _ => return Ok(None),
    };
    Ok(Some(Reading { event, skipped: parts.skipped }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_data(kind: &str, data: &str) -> Result<Option<Reading>, PayloadFault> {
        decode(kind, format!(r#"{{"type": "{kind}", "data": {data}}}"#).as_bytes())
    }

    fn read_event(kind: &str, data: &str) -> (DeploymentEvent, u64) {
        let Reading { event, skipped } = decode_data(kind, data).unwrap().unwrap();
        (event, skipped)
    }

    #[test]
    fn a_missing_field_is_an_error_and_an_unknown_kind_is_none() {
        let error = |kind, data| decode_data(kind, data).unwrap_err().to_string();
        assert_eq!(error("deployment.declared", "{}"), "data.deployment_id is missing");
        assert_eq!(error("instance.contacted", "[]"), "data.instance_id is missing");
        assert_eq!(
            error("service.configuration.ended", r#"{"instance_id": "i", "service": {}}"#),
            "data.service is not a string"
        );
        assert_eq!(decode_data("service.paused", "{}").unwrap(), None);
    }

    #[test]
    fn a_code_is_read_as_its_text() {
        for (json, code, skipped) in [
            ("0", "0", 0),
            ("\"0\"", "0", 0),
            ("-1", "-1", 0),
            ("\"\"", "", 0),
            ("null", "", 1),
            ("{}", "", 1),
        ] {
            let data = format!(r#"{{"instance_id": 7, "service": "s", "code": {json}}}"#);
            let event = DeploymentEvent::Ended {
                instance_id: "7".to_owned(),
                service: "s".to_owned(),
                code: code.to_owned(),
            };
            assert_eq!(
                read_event("service.configuration.ended", &data),
                (event, skipped),
                "{json}"
            );
        }
    }

    #[test]
    fn a_wrong_element_of_a_list_does_not_touch_the_rest() {
        let data = r#"{"deployment_id": "d", "name": [1], "instances": ["a", 2, null, "a", {}]}"#;
        let event = DeploymentEvent::Declared {
            deployment_id: "d".to_owned(),
            name: None,
            instances: vec!["a".to_owned(), "2".to_owned()],
        };
        assert_eq!(read_event("deployment.declared", data), (event, 3));
    }

    #[test]
    fn a_long_list_is_read_in_a_moment() {
        let names: Vec<String> = (0..200_000).map(|nth| format!("i-{nth}")).collect();
        let twice = serde_json::to_string(&[names.clone(), names.clone()].concat()).unwrap();
        let data = format!(r#"{{"deployment_id": "d", "instances": {twice}}}"#);
        let (event, skipped) = read_event("deployment.declared", &data);
        let DeploymentEvent::Declared { instances, .. } = event else { panic!("{event:?}") };
        assert!(instances == names && skipped == 0);
    }

    #[test]
    fn provided_values_are_texts_and_empty_ones_are_none() {
        let data = r#"{"instance_id": "i", "parameters":
            {"ip": "10.0.0.1", "port": 3306, "up": true, "none": null, "empty": "", "list": [1],
             "nul": "a\u0000b"}}"#;
        let (event, skipped) = read_event("instance.parameters.provided", data);
        let DeploymentEvent::Provided { parameters, .. } = event else { panic!("{event:?}") };
        let pairs: Vec<_> = parameters.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(pairs, ["ip=10.0.0.1", "nul=a\u{fffd}b", "port=3306", "up=true"]);
        assert_eq!(skipped, 1);
    }
}
