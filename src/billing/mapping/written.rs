//! A mapping as it stands in the file (and in an issued order), and its check.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Filter, Mapping, Transformer};
use crate::billing::unit::Unit;

/// A mapping's keys, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/billing.md and `Mapping` say what each is")]
pub struct Written {
    pub meter: String,
    pub transformer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gap_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracked_states: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carry_over: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_types: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_values: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_keys: Option<Vec<String>>,
}

/// A key of a mapping is wrong: which mapping, which key, what is accepted.
#[derive(Debug, thiserror::Error)]
#[error("usage of the meter {meter:?}: {what}")]
pub struct Wrong {
    meter: String,
    what: String,
}

/// States in which an instance is billed, unless others are named.
const TRACKED_STATES: [&str; 5] = ["active", "building", "paused", "rescued", "resized"];
const IMAGE_KEYS: [&str; 2] = ["image_ref", "image_meta.base_image_ref"];
const NONE_VALUES: [&str; 1] = ["None"];
const SIZE_KEYS: [&str; 1] = ["root_gb"];

const MAX_GAP_S: u32 = 3600;
/// A month: beyond it a state is no state.
const MAX_GAP_S_LIMIT: u32 = 31 * 86_400;

/// Names that an order's resources have already.
const TAKEN_FIELDS: [&str; 3] = ["type", "services", "total_cost"];

const TRANSFORMERS: &str = "uptime, max, average, sum, cumulative, storagemax, networkservice, \
                            fromimage and count are accepted";

impl TryFrom<Written> for Mapping {
    type Error = Wrong;

    fn try_from(written: Written) -> Result<Self, Wrong> {
        let meter = written.meter.clone();
        check(written).map_err(|what| Wrong { meter, what })
    }
}

fn check(mut written: Written) -> Result<Mapping, String> {
    if written.meter.is_empty() {
        return Err("meter is empty; the name of a meter is expected".to_owned());
    }
    let transformer = transformer(&mut written)?;
    foreign_options(&written)?;
    let unit = unit(&transformer, written.unit, &written.transformer)?;
    for (key, value) in [("service", &written.service), ("type", &written.resource_type)] {
        if value.as_deref() == Some("") {
            return Err(format!("{key} is empty; a text is expected, or no such key"));
        }
    }
    let resource_id = written.resource_id.unwrap_or_else(|| "{}".to_owned());
    if resource_id.matches("{}").count() != 1 {
        return Err(format!(
            "resource_id = {resource_id:?}: a template is accepted that holds {{}} once, for the \
             samples' resource"
        ));
    }
    for (field, keys) in &written.metadata {
        if TAKEN_FIELDS.contains(&field.as_str()) {
            return Err(format!(
                "metadata.{field}: every resource of an order has a field of that name; another \
                 name is accepted"
            ));
        }
        if keys.is_empty() || keys.iter().any(String::is_empty) {
            return Err(format!(
                "metadata.{field}: a list of at least one key of the samples' metadata is accepted"
            ));
        }
    }
    if let Some(key) = written.filter.without_values() {
        return Err(format!("filter.{key}: a value or a list of at least one is accepted"));
    }
    Ok(Mapping {
        service: written.service.unwrap_or_else(|| written.meter.clone()),
        meter: written.meter,
        transformer,
        resource_type: written.resource_type,
        unit,
        resource_id,
        metadata: written.metadata,
        filter: written.filter,
        max_gap_s: max_gap_s(written.max_gap_s)?,
    })
}

/// Takes the transformer's own options out of what is written.
fn transformer(written: &mut Written) -> Result<Transformer, String> {
    let mut carry_over = || written.carry_over.take().unwrap_or(false);
    let texts = |given: &mut Option<Vec<String>>, key: &str, default: &[&str]| match given.take() {
        None => Ok(default.iter().map(|text| (*text).to_owned()).collect()),
        Some(given) if given.is_empty() || given.iter().any(String::is_empty) => {
            Err(format!("{key}: a list of at least one text is accepted, none of them empty"))
        }
        Some(given) => Ok(given),
    };
    Ok(match written.transformer.as_str() {
        "uptime" => Transformer::Uptime {
            tracked_states: texts(&mut written.tracked_states, "tracked_states", &TRACKED_STATES)?
                .iter()
                .map(|state| state.trim().to_lowercase())
                .collect(),
        },
        "max" => Transformer::Max { carry_over: carry_over() },
        "average" => Transformer::Average,
        "sum" => Transformer::Sum,
        "cumulative" => Transformer::Cumulative,
        "storagemax" => {
            let carry_over = carry_over();
            let volume_types = written.volume_types.take().unwrap_or_default();
            if let Some((volume_type, _)) = volume_types.iter().find(|(_, name)| name.is_empty()) {
                return Err(format!(
                    "volume_types.{volume_type}: the name of a service is expected"
                ));
            }
            Transformer::StorageMax { carry_over, volume_types }
        }
        "networkservice" => Transformer::NetworkService { carry_over: carry_over() },
        "fromimage" => Transformer::FromImage {
            carry_over: carry_over(),
            image_keys: texts(&mut written.image_keys, "image_keys", &IMAGE_KEYS)?,
            none_values: written
                .none_values
                .take()
                .unwrap_or_else(|| NONE_VALUES.map(str::to_owned).to_vec()),
            size_keys: texts(&mut written.size_keys, "size_keys", &SIZE_KEYS)?,
        },
        "count" => Transformer::Count { carry_over: carry_over() },
        other => return Err(format!("transformer = {other:?}: {TRANSFORMERS}")),
    })
}

/// Options that the transformer has not taken are another one's.
fn foreign_options(written: &Written) -> Result<(), String> {
    let of_several = "max, storagemax, networkservice, fromimage and count";
    let left = [
        ("tracked_states", written.tracked_states.is_some(), "uptime"),
        ("carry_over", written.carry_over.is_some(), of_several),
        ("volume_types", written.volume_types.is_some(), "storagemax"),
        ("image_keys", written.image_keys.is_some(), "fromimage"),
        ("none_values", written.none_values.is_some(), "fromimage"),
        ("size_keys", written.size_keys.is_some(), "fromimage"),
    ];
    match left.into_iter().find(|(_, is_left, _)| *is_left) {
        Some((key, _, whose)) => Err(format!(
            "{key} is an option of {whose}, not of {}; leave it out",
            written.transformer
        )),
        None => Ok(()),
    }
}

/// The unit of the volumes: where the transformer measures time, it says which.
fn unit(transformer: &Transformer, given: Option<String>, name: &str) -> Result<Unit, String> {
    let measured = match transformer {
        Transformer::Uptime { .. } => Some(Unit::Second),
        Transformer::NetworkService { .. } | Transformer::Count { .. } => Some(Unit::Hour),
        _ => None,
    };
    match (given.map(Unit::from), measured) {
        (None, Some(measured)) => Ok(measured),
        (None, None) => Err("unit is missing; second, hour, byte, gigabyte or any other text is \
                             accepted"
            .to_owned()),
        (Some(Unit::Other(text)), _) if text.trim().is_empty() => {
            Err("unit is empty; second, hour, byte, gigabyte or any other text is accepted"
                .to_owned())
        }
        (Some(given), Some(Unit::Second)) if given != Unit::Second => Err(format!(
            "unit = \"{given}\": {name} measures seconds, so second is accepted; a rate per hour \
             is converted"
        )),
        (Some(given @ (Unit::Second | Unit::Byte | Unit::Gigabyte)), Some(Unit::Hour)) => {
            Err(format!(
                "unit = \"{given}\": {name} measures hours, so hour or a text of your own is \
                 accepted"
            ))
        }
        (Some(given), _) => Ok(given),
    }
}

fn max_gap_s(given: Option<i64>) -> Result<u32, String> {
    let Some(given) = given else { return Ok(MAX_GAP_S) };
    let seconds = u32::try_from(given).ok().filter(|s| (1..=MAX_GAP_S_LIMIT).contains(s));
    seconds.ok_or_else(|| {
        format!("max_gap_s = {given}: a whole number from 1 to {MAX_GAP_S_LIMIT} is accepted")
    })
}

impl From<Mapping> for Written {
    /// With every option as it is applied, so that it means the same when defaults change.
    fn from(mapping: Mapping) -> Self {
        let mut written = Written {
            meter: mapping.meter,
            service: Some(mapping.service),
            resource_type: mapping.resource_type,
            unit: Some(mapping.unit.to_string()),
            resource_id: Some(mapping.resource_id),
            metadata: mapping.metadata,
            filter: mapping.filter,
            max_gap_s: Some(mapping.max_gap_s.into()),
            ..Written::default()
        };
        written.transformer = match mapping.transformer {
            Transformer::Uptime { tracked_states } => {
                written.tracked_states = Some(tracked_states.into_iter().collect());
                "uptime"
            }
            Transformer::Max { carry_over } => {
                written.carry_over = Some(carry_over);
                "max"
            }
            Transformer::Average => "average",
            Transformer::Sum => "sum",
            Transformer::Cumulative => "cumulative",
            Transformer::StorageMax { carry_over, volume_types } => {
                written.carry_over = Some(carry_over);
                written.volume_types = Some(volume_types);
                "storagemax"
            }
            Transformer::NetworkService { carry_over } => {
                written.carry_over = Some(carry_over);
                "networkservice"
            }
            Transformer::FromImage { carry_over, image_keys, none_values, size_keys } => {
                written.carry_over = Some(carry_over);
                written.image_keys = Some(image_keys);
                written.none_values = Some(none_values);
                written.size_keys = Some(size_keys);
                "fromimage"
            }
            Transformer::Count { carry_over } => {
                written.carry_over = Some(carry_over);
                "count"
            }
        }
        .to_owned();
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(text: &str) -> Result<Mapping, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        Mapping::try_from(written).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = mapping(&format!("meter = 'm'\n{text}")).unwrap_err();
        assert_eq!(error, format!("usage of the meter \"m\": {expected}"));
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let mapping = mapping("meter = 'vcpus'\ntransformer = 'uptime'").unwrap();
        assert_eq!(mapping.service, "vcpus");
        assert_eq!((mapping.unit, mapping.max_gap_s), (Unit::Second, 3600));
        assert_eq!(mapping.resource_id, "{}");
        let Transformer::Uptime { tracked_states } = mapping.transformer else { panic!() };
        assert_eq!(tracked_states.into_iter().collect::<Vec<_>>(), TRACKED_STATES);
    }

    #[test]
    fn a_resource_id_is_made_of_the_samples_one() {
        let mapping =
            mapping("meter = 'm'\ntransformer = 'max'\nunit = 'x'\nresource_id = '{}-root'")
                .unwrap();
        assert_eq!(mapping.billed_resource("vm"), "vm-root");
        assert_eq!(mapping.sampled_resource("vm-root"), Some("vm"));
        assert_eq!(mapping.sampled_resource("vm"), None);
    }

    #[test]
    fn every_wrong_key_is_named_with_what_is_accepted() {
        refused("transformer = 'mean'", &format!("transformer = \"mean\": {TRANSFORMERS}"));
        refused(
            "transformer = 'max'",
            "unit is missing; second, hour, byte, gigabyte or any other text is accepted",
        );
        refused(
            "transformer = 'max'\nunit = ''",
            "unit is empty; second, hour, byte, gigabyte or any other text is accepted",
        );
        refused(
            "transformer = 'uptime'\nunit = 'hour'",
            "unit = \"hour\": uptime measures seconds, so second is accepted; a rate per hour is \
             converted",
        );
        refused(
            "transformer = 'count'\nunit = 'byte'",
            "unit = \"byte\": count measures hours, so hour or a text of your own is accepted",
        );
        refused(
            "transformer = 'sum'\nunit = 'byte'\ncarry_over = true",
            "carry_over is an option of max, storagemax, networkservice, fromimage and count, not \
             of sum; leave it out",
        );
        refused(
            "transformer = 'max'\nunit = 'x'\ntracked_states = ['active']",
            "tracked_states is an option of uptime, not of max; leave it out",
        );
        for (key, whose) in [
            ("volume_types = {}", "storagemax"),
            ("image_keys = []", "fromimage"),
            ("none_values = []", "fromimage"),
            ("size_keys = []", "fromimage"),
        ] {
            let name = key.split(' ').next().unwrap();
            refused(
                &format!("transformer = 'average'\nunit = 'x'\n{key}"),
                &format!("{name} is an option of {whose}, not of average; leave it out"),
            );
        }
        for key in ["image_keys", "size_keys"] {
            refused(
                &format!("transformer = 'fromimage'\nunit = 'gigabyte'\n{key} = []"),
                &format!("{key}: a list of at least one text is accepted, none of them empty"),
            );
        }
        refused(
            "transformer = 'uptime'\ntracked_states = ['']",
            "tracked_states: a list of at least one text is accepted, none of them empty",
        );
        refused(
            "transformer = 'storagemax'\nunit = 'gigabyte'\nvolume_types = { fast = '' }",
            "volume_types.fast: the name of a service is expected",
        );
        refused(
            "transformer = 'uptime'\nservice = ''",
            "service is empty; a text is expected, or no such key",
        );
        refused(
            "transformer = 'uptime'\ntype = ''",
            "type is empty; a text is expected, or no such key",
        );
        for template in ["x", "{}{}", ""] {
            refused(
                &format!("transformer = 'uptime'\nresource_id = '{template}'"),
                &format!(
                    "resource_id = \"{template}\": a template is accepted that holds {{}} once, \
                     for the samples' resource"
                ),
            );
        }
        for gap in ["0", "-1", "2678401"] {
            refused(
                &format!("transformer = 'uptime'\nmax_gap_s = {gap}"),
                &format!("max_gap_s = {gap}: a whole number from 1 to 2678400 is accepted"),
            );
        }
        refused(
            "transformer = 'uptime'\nmetadata = { services = ['a'] }",
            "metadata.services: every resource of an order has a field of that name; another name \
             is accepted",
        );
        for keys in ["[]", "['']"] {
            refused(
                &format!("transformer = 'uptime'\nmetadata = {{ name = {keys} }}"),
                "metadata.name: a list of at least one key of the samples' metadata is accepted",
            );
        }
        refused(
            "transformer = 'uptime'\nfilter = { status = [] }",
            "filter.status: a value or a list of at least one is accepted",
        );
        assert_eq!(
            mapping("meter = ''\ntransformer = 'max'").unwrap_err(),
            "usage of the meter \"\": meter is empty; the name of a meter is expected"
        );
        assert!(mapping("transformer = 'max'").unwrap_err().contains("missing field `meter`"));
        assert!(mapping("meter = 'm'").unwrap_err().contains("missing field `transformer`"));
        assert!(mapping("meter = 'm'\ntranformer = 'max'").unwrap_err().contains("tranformer"));
    }

    #[test]
    fn what_is_recorded_means_the_same() {
        for options in [
            "transformer = 'uptime'\ntracked_states = ['ACTIVE']\nfilter = { a = ['b', 1] }",
            "transformer = 'storagemax'\nunit = 'gigabyte'\nvolume_types = { a = 'b' }",
            "transformer = 'fromimage'\nunit = 'gigabyte'\ntype = 'Volume'\nnone_values = []",
            "transformer = 'max'\nunit = 'x'\ncarry_over = true\nmetadata = { name = ['a', 'b'] }",
            "transformer = 'cumulative'\nunit = 'byte'\nmax_gap_s = 7200\nresource_id = 'x-{}'",
            "transformer = 'average'\nunit = 'x'",
            "transformer = 'sum'\nunit = 'x'",
            "transformer = 'networkservice'",
            "transformer = 'count'",
        ] {
            let mapping = Mapping::example(options);
            let json = serde_json::to_string(&mapping).unwrap();
            assert_eq!(serde_json::from_str::<Mapping>(&json).unwrap(), mapping, "{json}");
        }
    }
}
