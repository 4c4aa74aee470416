//! Payloads of family `deployment`: `deployment.*`, `instance.*` and `service.*` CloudEvents, and
//! Heat's notifications about stacks, which are deployments too.
//!
//! What a part of a payload says badly is skipped and counted; the rest of it counts.

mod heat;
mod registration;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fields::{Value, raw_object, string};
use super::{PayloadFault, json};

pub use heat::{Phase, Stack};
pub use registration::{Parameter, Registration, Service, Target, Value as ParameterValue};

/// What an event of family `deployment` says. Texts that are `""` or `null` are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of `data`, by the same names")]
pub enum DeploymentEvent {
    Declared {
        deployment_id: String,
        name: Option<String>,
        /// Ids of the instances that are to come, each once.
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
        /// `0` is success; `""` where none was said, which is none.
        code: String,
    },
    Abandoned {
        instance_id: String,
        reason: Option<String>,
    },
    /// Something that Heat did with a stack.
    Stack(Stack),
}

/// An event, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it says.
    pub event: DeploymentEvent,
    /// How many of its parts could not be read.
    pub skipped: u64,
}

impl DeploymentEvent {
    /// The instance it is about; `None` where it is about a deployment as a whole.
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

    /// What it is, in one word.
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

/// Reads the payload of an event of family `deployment`. `None` for a kind that is not known.
///
/// # Errors
///
/// When a field is missing or unusable without which the event means nothing.
pub fn decode(kind: &str, body: &[u8]) -> Result<Option<Read>, PayloadFault> {
    json::read(body, |text| match kind.strip_prefix("orchestration.stack.") {
        Some(what) => heat::read(what, text),
        None => read(kind, text),
    })
}

raw_object! {
    /// What is wanted of a CloudEvent.
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

fn read(kind: &str, text: &str) -> Result<Option<Read>, PayloadFault> {
    let unreadable = PayloadFault::unreadable("data");
    let event: CloudEvent = serde_json::from_str(text).map_err(&unreadable)?;
    let data: Data = event.data.object().map_err(&unreadable)?;
    let mut skipped = Skipped(0);
    let deployment_id = || data.deployment_id.required("data.deployment_id");
    let instance_id = || data.instance_id.required("data.instance_id");
    let service = || data.service.required("data.service");
    let event = match kind {
        "deployment.declared" => DeploymentEvent::Declared {
            deployment_id: deployment_id()?,
            name: skipped.text(data.name),
            instances: skipped.names(data.instances),
        },
        "deployment.deleted" => DeploymentEvent::Deleted { deployment_id: deployment_id()? },
        "instance.registered" => DeploymentEvent::Registered(Registration {
            instance_id: instance_id()?,
            deployment_id: deployment_id()?,
            assembly: skipped.text(data.assembly),
            services: registration::services(data.services, &mut skipped),
            provides: skipped.names(data.provides),
        }),
        "instance.contacted" => DeploymentEvent::Contacted { instance_id: instance_id()? },
        "instance.parameters.provided" => DeploymentEvent::Provided {
            instance_id: instance_id()?,
            parameters: parameters(data.parameters, &mut skipped),
        },
        "service.configuration.started" => {
            DeploymentEvent::Started { instance_id: instance_id()?, service: service()? }
        }
        "service.configuration.ended" => DeploymentEvent::Ended {
            instance_id: instance_id()?,
            service: service()?,
            code: skipped.code(data.code),
        },
        "instance.configuration.abandoned" => DeploymentEvent::Abandoned {
            instance_id: instance_id()?,
            reason: skipped.text(data.reason),
        },
        _ => return Ok(None),
    };
    Ok(Some(Read { event, skipped: skipped.0 }))
}

/// The values that were provided, by name. An empty one is as if it was not.
fn parameters(value: Value<'_>, skipped: &mut Skipped) -> BTreeMap<String, String> {
    let Some(raw) = value.get() else { return BTreeMap::new() };
    let Ok(pairs) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()) else {
        skipped.0 += 1;
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for (name, raw) in pairs {
        match scalar(raw) {
            Some(value) if !name.is_empty() && !value.is_empty() => {
                found.insert(name.replace('\0', "\u{fffd}"), value);
            }
            Some(_) => {}
            None if raw.get() == "null" => {}
            None => skipped.0 += 1,
        }
    }
    found
}

/// A string, a number or a truth value as its text, the empty one included. `None` for all else.
fn scalar(raw: &RawValue) -> Option<String> {
    let written = raw.get();
    let is_plain = matches!(written, "true" | "false")
        || written.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_plain {
        return Some(written.to_owned());
    }
    string(raw).map(|text| text.replace('\0', "\u{fffd}"))
}

/// How many parts of an event could not be read.
struct Skipped(u64);

impl Skipped {
    /// A text that may be missing; what is neither text nor number is skipped.
    fn text(&mut self, value: Value<'_>) -> Option<String> {
        let text = value.id().map(Cow::into_owned);
        if text.is_none() && value.get().is_some() {
            self.0 += 1;
        }
        text
    }

    /// A return code. One that is missing is the empty one.
    fn code(&mut self, value: Value<'_>) -> String {
        let code = value.raw().and_then(scalar);
        if code.is_none() {
            self.0 += 1;
        }
        code.unwrap_or_default()
    }

    /// The names of a list that may be missing, each once, in order.
    fn names(&mut self, value: Value<'_>) -> Vec<String> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for raw in self.list(value) {
            match super::fields::id(raw) {
                Some(name) if seen.insert(name.clone()) => found.push(name.into_owned()),
                Some(_) => {}
                None => self.0 += 1,
            }
        }
        found
    }

    /// The elements of a list that may be missing.
    fn list<'a>(&mut self, value: Value<'a>) -> Vec<&'a RawValue> {
        let Some(raw) = value.get() else { return Vec::new() };
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            self.0 += 1;
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(kind: &str, data: &str) -> Result<Option<Read>, PayloadFault> {
        decode(kind, format!(r#"{{"type": "{kind}", "data": {data}}}"#).as_bytes())
    }

    fn said(kind: &str, data: &str) -> (DeploymentEvent, u64) {
        let read = decoded(kind, data).unwrap().unwrap();
        (read.event, read.skipped)
    }

    #[test]
    fn what_says_nothing_is_an_error_and_unknown_kinds_are_none() {
        let error = |kind, data| decoded(kind, data).unwrap_err().to_string();
        assert_eq!(error("deployment.declared", "{}"), "data.deployment_id is missing");
        assert_eq!(error("instance.contacted", "[]"), "data.instance_id is missing");
        assert_eq!(
            error("service.configuration.ended", r#"{"instance_id": "i", "service": {}}"#),
            "data.service is not a string"
        );
        assert_eq!(decoded("service.paused", "{}").unwrap(), None);
    }

    #[test]
    fn a_code_is_read_as_its_text() {
        for (written, code, skipped) in [
            ("0", "0", 0),
            ("\"0\"", "0", 0),
            ("-1", "-1", 0),
            ("\"\"", "", 0),
            ("null", "", 1),
            ("{}", "", 1),
        ] {
            let data = format!(r#"{{"instance_id": 7, "service": "s", "code": {written}}}"#);
            let event = DeploymentEvent::Ended {
                instance_id: "7".to_owned(),
                service: "s".to_owned(),
                code: code.to_owned(),
            };
            assert_eq!(said("service.configuration.ended", &data), (event, skipped), "{written}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_does_not_touch_the_rest() {
        let data = r#"{"deployment_id": "d", "name": [1], "instances": ["a", 2, null, "a", {}]}"#;
        let event = DeploymentEvent::Declared {
            deployment_id: "d".to_owned(),
            name: None,
            instances: vec!["a".to_owned(), "2".to_owned()],
        };
        assert_eq!(said("deployment.declared", data), (event, 3));
    }

    #[test]
    fn a_long_list_is_read_in_a_moment() {
        let names: Vec<String> = (0..200_000).map(|nth| format!("i-{nth}")).collect();
        let twice = serde_json::to_string(&[names.clone(), names.clone()].concat()).unwrap();
        let data = format!(r#"{{"deployment_id": "d", "instances": {twice}}}"#);
        let (event, skipped) = said("deployment.declared", &data);
        let DeploymentEvent::Declared { instances, .. } = event else { panic!("{event:?}") };
        assert!(instances == names && skipped == 0);
    }

    #[test]
    fn provided_values_are_texts_and_empty_ones_are_none() {
        let data = r#"{"instance_id": "i", "parameters":
            {"ip": "10.0.0.1", "port": 3306, "up": true, "none": null, "empty": "", "list": [1],
             "nul": "a\u0000b"}}"#;
        let (event, skipped) = said("instance.parameters.provided", data);
        let DeploymentEvent::Provided { parameters, .. } = event else { panic!("{event:?}") };
        let pairs: Vec<_> = parameters.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(pairs, ["ip=10.0.0.1", "nul=a\u{fffd}b", "port=3306", "up=true"]);
        assert_eq!(skipped, 1);
    }
}
