//! The registration of an instance: its services, their parameters, and the parameters that it
//! provides to others.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::parts::{PartReader, scalar};
use crate::event::fields::{Value, id, object, raw_object};

/// The payload of `instance.registered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The instance.
    pub instance_id: String,
    /// The deployment it is part of.
    pub deployment_id: String,
    /// The instance's role, e.g. `mysql`.
    pub assembly: Option<String>,
    /// The services that are configured on it, each name once.
    pub services: Vec<Service>,
    /// Names of the parameters that it will provide to others.
    pub provides: Vec<String>,
}

/// A service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, unique on its instance.
    pub name: String,
    /// The parameters it is configured with, each name once.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, unique in its service.
    pub name: String,
    /// Where its value comes from.
    pub value: ParameterValue,
}

/// The source of a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterValue {
    /// The registration itself; `None` if it gives no value.
    Given(Option<String>),
    /// A later event of another instance, or of the same.
    From {
        /// The instance.
        instance_id: String,
        /// The event of it that is waited for.
        target: Target,
    },
}

/// An event of an instance that a parameter waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The instance provides the parameter of this name.
    Parameter(String),
    /// The configuration of the service of this name ends.
    Service(String),
}

raw_object! {
    /// A service as on the wire.
    RawService { name: Value = "name", parameters: Value = "parameters", }
}

raw_object! {
    /// A parameter as on the wire.
    RawParameter { name: Value = "name", value: Value = "value", from: Value = "from", }
}

raw_object! {
    /// The `from` of a parameter.
    RawReference {
        instance_id: Value = "instance_id",
        parameter: Value = "parameter",
        service: Value = "service",
    }
}

/// Reads a list of services. A service without a name is skipped; of several with one name the first
/// counts.
pub(super) fn read_services(value: Value<'_>, parts: &mut PartReader) -> Vec<Service> {
    let (mut services, mut known) = (Vec::new(), HashSet::new());
    for raw in parts.list(value) {
        let service: RawService = object(raw).unwrap_or_default();
        match service.name.id() {
            Some(name) if known.insert(name.clone()) => {
                let parameters = read_parameters(service.parameters, parts);
                services.push(Service { name: name.into_owned(), parameters });
            }
            _ => parts.skip(),
        }
    }
    services
}

/// Reads a list of parameters, by the same rules.
fn read_parameters(value: Value<'_>, parts: &mut PartReader) -> Vec<Parameter> {
    let (mut parameters, mut known) = (Vec::new(), HashSet::new());
    for raw in parts.list(value) {
        match read_parameter(raw) {
            Some(parameter) if known.insert(parameter.name.clone()) => parameters.push(parameter),
            _ => parts.skip(),
        }
    }
    parameters
}

/// Reads a parameter. `None` if it has no name, or a value that is not a scalar or a reference.
fn read_parameter(raw: &RawValue) -> Option<Parameter> {
    let parameter: RawParameter = object(raw).ok()?;
    let name = parameter.name.id()?.into_owned();
    let value = match (parameter.value.raw(), parameter.from.get()) {
        (_, Some(from)) => read_reference(from)?,
        (Some(value), None) if value.get() != "null" => ParameterValue::Given(Some(scalar(value)?)),
        _ => ParameterValue::Given(None),
    };
    Some(Parameter { name, value })
}

/// Reads the `from` of a parameter. `None` if it names no instance, or neither a parameter nor a
/// service of it.
fn read_reference(raw: &RawValue) -> Option<ParameterValue> {
    let from: RawReference = object(raw).ok()?;
    let text = |field: Value<'_>| field.raw().and_then(id).map(Cow::into_owned);
    let target = match (text(from.parameter), text(from.service)) {
        (Some(parameter), _) => Target::Parameter(parameter),
        (None, Some(service)) => Target::Service(service),
        (None, None) => return None,
    };
    Some(ParameterValue::From { instance_id: text(from.instance_id)?, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    raw_object! {
        /// An object with the list to read.
        Holder { list: Value = "list", }
    }

    fn read(list: &str) -> (Vec<Service>, u64) {
        let text = format!(r#"{{"list": {list}}}"#);
        let holder: Holder = serde_json::from_str(&text).unwrap();
        let mut parts = PartReader::default();
        let services = read_services(holder.list, &mut parts);
        (services, parts.skipped)
    }

    fn read_one_parameter(json: &str) -> (Vec<Parameter>, u64) {
        let (services, skipped) = read(&format!(r#"[{{"name": "s", "parameters": [{json}]}}]"#));
        (services.into_iter().next().unwrap().parameters, skipped)
    }

    #[test]
    fn parameters_are_given_or_come_from_others() {
        let from = |target| ParameterValue::From { instance_id: "i".to_owned(), target };
        for (json, value) in [
            (r#"{"name": "p", "value": 5}"#, ParameterValue::Given(Some("5".to_owned()))),
            (r#"{"name": "p", "value": ""}"#, ParameterValue::Given(Some(String::new()))),
            (r#"{"name": "p"}"#, ParameterValue::Given(None)),
            (
                r#"{"name": "p", "from": {"instance_id": "i", "parameter": "ip"}}"#,
                from(Target::Parameter("ip".to_owned())),
            ),
            (
                r#"{"name": "p", "from": {"instance_id": "i", "service": "db"}}"#,
                from(Target::Service("db".to_owned())),
            ),
        ] {
            let parameter = Parameter { name: "p".to_owned(), value };
            assert_eq!(read_one_parameter(json), (vec![parameter], 0), "{json}");
        }
    }

    #[test]
    fn long_lists_are_read_in_a_moment() {
        let list = |item: fn(u32) -> String| (0..200_000).map(item).collect::<Vec<_>>().join(",");
        let (services, skipped) =
            read(&format!("[{}]", list(|nth| format!(r#"{{"name": {nth}}}"#))));
        assert_eq!((services.len(), skipped), (200_000, 0));
        let (parameters, skipped) =
            read_one_parameter(&list(|nth| format!(r#"{{"name": {nth}}}"#)));
        assert_eq!((parameters.len(), skipped), (200_000, 0));
    }

    #[test]
    fn unreadable_parts_are_counted_and_the_rest_stays() {
        for json in [
            "7",
            r#"{"value": 5}"#,
            r#"{"name": "p", "value": [5]}"#,
            r#"{"name": "p", "from": {"parameter": "ip"}}"#,
            r#"{"name": "p", "from": {"instance_id": "i"}}"#,
            r#"{"name": "p", "from": "i"}"#,
        ] {
            assert_eq!(read_one_parameter(json), (vec![], 1), "{json}");
        }
        let (services, skipped) =
            read(r#"[{"name": "a", "parameters": 5}, {}, null, {"name": "a"}, {"name": "b"}]"#);
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!((names, skipped), (vec!["a", "b"], 4));
        assert_eq!(read("null"), (vec![], 0));
        assert_eq!(read("{\"a\": 1}"), (vec![], 1));
    }
}
