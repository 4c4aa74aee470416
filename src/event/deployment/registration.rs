//! What an instance is registered with: its services, their parameters, and what it will provide.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Skipped, scalar};
use crate::event::fields::{Value as Field, id, object, raw_object};

/// What `instance.registered` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The instance.
    pub instance_id: String,
    /// The deployment it is part of.
    pub deployment_id: String,
    /// What it is to be, e.g. `mysql`.
    pub assembly: Option<String>,
    /// What is configured on it, each name once.
    pub services: Vec<Service>,
    /// Names of the parameters it will provide to others.
    pub provides: Vec<String>,
}

/// A service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, unique on its instance.
    pub name: String,
    /// What it is configured with, each name once.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, unique in its service.
    pub name: String,
    /// Where its value comes from.
    pub value: Value,
}

/// Where a parameter's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// It was given with the registration; `None` where none was.
    Given(Option<String>),
    /// Another instance, or the same, will say it.
    From {
        /// Which instance.
        instance_id: String,
        /// What of it.
        target: Target,
    },
}

/// What is waited for on an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// That it provides the parameter of this name.
    Parameter(String),
    /// That the configuration of the service of this name ends.
    Service(String),
}

raw_object! {
    /// A service, as it is on the wire.
    Written { name: Field = "name", parameters: Field = "parameters", }
}

raw_object! {
    /// A parameter, as it is on the wire.
    WrittenParameter { name: Field = "name", value: Field = "value", from: Field = "from", }
}

raw_object! {
    /// What a parameter refers to.
    From {
        instance_id: Field = "instance_id",
        parameter: Field = "parameter",
        service: Field = "service",
    }
}

/// The services of a list. Of one without a name nothing is known; of several of one name the first
/// counts.
pub(super) fn services(value: Field<'_>, skipped: &mut Skipped) -> Vec<Service> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for raw in skipped.list(value) {
        let written: Written = object(raw).unwrap_or_default();
        match written.name.id() {
            Some(name) if seen.insert(name.clone()) => {
                let parameters = parameters(written.parameters, skipped);
                found.push(Service { name: name.into_owned(), parameters });
            }
            _ => skipped.0 += 1,
        }
    }
    found
}

/// The parameters of a list, likewise.
fn parameters(value: Field<'_>, skipped: &mut Skipped) -> Vec<Parameter> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for raw in skipped.list(value) {
        match parameter(raw) {
            Some(parameter) if seen.insert(parameter.name.clone()) => found.push(parameter),
            _ => skipped.0 += 1,
        }
    }
    found
}

/// A parameter; `None` where it has no name, or a value that is none.
fn parameter(raw: &RawValue) -> Option<Parameter> {
    let written: WrittenParameter = object(raw).ok()?;
    let name = written.name.id()?.into_owned();
    let value = match (written.value.raw(), written.from.get()) {
        (_, Some(from)) => reference(from)?,
        (Some(value), None) if value.get() != "null" => Value::Given(Some(scalar(value)?)),
        _ => Value::Given(None),
    };
    Some(Parameter { name, value })
}

fn reference(raw: &RawValue) -> Option<Value> {
    let from: From = object(raw).ok()?;
    let text = |field: Field<'_>| field.raw().and_then(id).map(Cow::into_owned);
    let target = match (text(from.parameter), text(from.service)) {
        (Some(parameter), _) => Target::Parameter(parameter),
        (None, Some(service)) => Target::Service(service),
        (None, None) => return None,
    };
    Some(Value::From { instance_id: text(from.instance_id)?, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    raw_object! {
        /// A list in its place.
        Holder { list: Field = "list", }
    }

    fn read(list: &str) -> (Vec<Service>, u64) {
        let text = format!(r#"{{"list": {list}}}"#);
        let holder: Holder = serde_json::from_str(&text).unwrap();
        let mut skipped = Skipped(0);
        (services(holder.list, &mut skipped), skipped.0)
    }

    fn one_parameter(written: &str) -> (Vec<Parameter>, u64) {
        let (services, skipped) = read(&format!(r#"[{{"name": "s", "parameters": [{written}]}}]"#));
        (services.into_iter().next().unwrap().parameters, skipped)
    }

    #[test]
    fn parameters_are_given_or_come_from_others() {
        let from = |target| Value::From { instance_id: "i".to_owned(), target };
        for (written, value) in [
            (r#"{"name": "p", "value": 5}"#, Value::Given(Some("5".to_owned()))),
            (r#"{"name": "p", "value": ""}"#, Value::Given(Some(String::new()))),
            (r#"{"name": "p"}"#, Value::Given(None)),
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
            assert_eq!(one_parameter(written), (vec![parameter], 0), "{written}");
        }
    }

    #[test]
    fn long_lists_are_read_in_a_moment() {
        let list = |item: fn(u32) -> String| (0..200_000).map(item).collect::<Vec<_>>().join(",");
        let (services, skipped) =
            read(&format!("[{}]", list(|nth| format!(r#"{{"name": {nth}}}"#))));
        assert_eq!((services.len(), skipped), (200_000, 0));
        let (parameters, skipped) = one_parameter(&list(|nth| format!(r#"{{"name": {nth}}}"#)));
        assert_eq!((parameters.len(), skipped), (200_000, 0));
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_the_rest_stays() {
        for written in [
            "7",
            r#"{"value": 5}"#,
            r#"{"name": "p", "value": [5]}"#,
            r#"{"name": "p", "from": {"parameter": "ip"}}"#,
            r#"{"name": "p", "from": {"instance_id": "i"}}"#,
            r#"{"name": "p", "from": "i"}"#,
        ] {
            assert_eq!(one_parameter(written), (vec![], 1), "{written}");
        }
        let (services, skipped) =
            read(r#"[{"name": "a", "parameters": 5}, {}, null, {"name": "a"}, {"name": "b"}]"#);
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!((names, skipped), (vec!["a", "b"], 4));
        assert_eq!(read("null"), (vec![], 0));
        assert_eq!(read("{\"a\": 1}"), (vec![], 1));
    }
}
