//! The check of a mapping: from the keys of the file to a [`Mapping`], and back for an issued order.

use super::Mapping;
use super::section::MappingToml;
use super::transformer::Transformer;
use crate::billing::state;
use crate::billing::unit::Unit;

/// A wrong mapping: its meter, and what its key must be.
#[derive(Debug, thiserror::Error)]
#[error("usage of the meter {meter:?}: {what}")]
pub struct MappingError {
    meter: String,
    what: String,
}

/// The states in which an instance is billed, unless the mapping names others.
pub(super) const TRACKED_STATES: [&str; 5] = ["active", "building", "paused", "rescued", "resized"];
const IMAGE_KEYS: [&str; 2] = ["image_ref", "image_meta.base_image_ref"];
const NONE_VALUES: [&str; 1] = ["None"];
/// Ceilometer's `root_gb` is the flavor's disk less its ephemeral disk, which are two disks.
const SIZE_KEYS: [&str; 2] = ["flavor.disk", "root_gb"];

/// How long a volume holds by default, in seconds.
const MAX_GAP_S: u32 = 3600;
/// How long the state of an instance holds by default, in seconds: six polls of 300 s, or three of the 600 s
/// of older clouds.
const UPTIME_MAX_GAP_S: u32 = 1800;
/// How long a sample without a state is evidence by default, in seconds: Nova's audit comes once an hour
/// where it is most frequent, some minutes late.
const AUDIT_GAP_S: u32 = 4200;
/// A month. An older state does not show the present one.
const MAX_GAP_S_LIMIT: u32 = 31 * 86_400;

/// Fields that every resource of an order has already.
const RESERVED_FIELDS: [&str; 3] = ["type", "services", "total_cost"];

const UNITS: &str = "second, hour, byte, gigabyte or a name of your own";

pub(super) const TRANSFORMERS: &str = "uptime, max, average, sum, cumulative, storagemax, \
                                       networkservice, fromimage, count";

impl TryFrom<MappingToml> for Mapping {
    type Error = MappingError;

    fn try_from(section: MappingToml) -> Result<Self, MappingError> {
        let meter = section.meter.clone();
        check(section).map_err(|what| MappingError { meter, what })
    }
}

fn check(mut section: MappingToml) -> Result<Mapping, String> {
    if section.meter.is_empty() {
        return Err("meter is empty; it must be the name of a meter".to_owned());
    }
    let transformer = take_transformer(&mut section)?;
    refuse_other_options(&section)?;
    let unit = check_unit(&transformer, section.unit, &section.transformer)?;
    for (key, value) in [("service", &section.service), ("type", &section.resource_type)] {
        if value.as_deref() == Some("") {
            return Err(format!("{key} is empty; give it a value or remove the key"));
        }
    }
    let resource_id = section.resource_id.unwrap_or_else(|| "{}".to_owned());
    if resource_id.matches("{}").count() != 1 {
        return Err(format!(
            "resource_id = {resource_id:?}: it must contain {{}} exactly once, in the place of the \
             samples' resource id"
        ));
    }
    for (field, keys) in &section.metadata {
        if RESERVED_FIELDS.contains(&field.as_str()) {
            return Err(format!(
                "metadata.{field}: every resource of an order already has a field of this name; \
                 choose another name"
            ));
        }
        if keys.is_empty() || keys.iter().any(String::is_empty) {
            return Err(format!(
                "metadata.{field} must be a list of at least one key of the samples' metadata, none \
                 of them empty"
            ));
        }
    }
    if let Some(key) = section.filter.key_without_values() {
        return Err(format!("filter.{key} must be a value or a list of at least one value"));
    }
    let default_gap_s = match transformer {
        Transformer::Uptime { .. } => UPTIME_MAX_GAP_S,
        _ => MAX_GAP_S,
    };
    Ok(Mapping {
        service: section.service.unwrap_or_else(|| section.meter.clone()),
        meter: section.meter,
        transformer,
        resource_type: section.resource_type,
        unit,
        resource_id,
        metadata: section.metadata,
        filter: section.filter,
        max_gap_s: check_gap_s("max_gap_s", section.max_gap_s, default_gap_s)?,
    })
}

/// Takes the transformer's own options out of the section.
fn take_transformer(section: &mut MappingToml) -> Result<Transformer, String> {
    let mut carry_over = || section.carry_over.take().unwrap_or(false);
    let texts = |given: &mut Option<Vec<String>>, key: &str, default: &[&str]| match given.take() {
        None => Ok(default.iter().map(|text| (*text).to_owned()).collect()),
        Some(given) if given.is_empty() || given.iter().any(String::is_empty) => {
            Err(format!("{key} must be a list of at least one text, none of them empty"))
        }
        Some(given) => Ok(given),
    };
    Ok(match section.transformer.as_str() {
        "uptime" => Transformer::Uptime {
            tracked_states: texts(&mut section.tracked_states, "tracked_states", &TRACKED_STATES)?
                .iter()
                .map(|word| state::canonical(word))
                .collect(),
            audit_gap_s: check_gap_s("audit_gap_s", section.audit_gap_s.take(), AUDIT_GAP_S)?,
        },
        "max" => Transformer::Max { carry_over: carry_over() },
        "average" => Transformer::Average,
        "sum" => Transformer::Sum,
        "cumulative" => Transformer::Cumulative,
        "storagemax" => {
            let carry_over = carry_over();
            let volume_types = section.volume_types.take().unwrap_or_default();
            if let Some((volume_type, _)) = volume_types.iter().find(|(_, name)| name.is_empty()) {
                return Err(format!(
                    "volume_types.{volume_type} is empty; it must be the name of a service"
                ));
            }
            Transformer::StorageMax { carry_over, volume_types }
        }
        "networkservice" => Transformer::NetworkService { carry_over: carry_over() },
        "fromimage" => Transformer::FromImage {
            carry_over: carry_over(),
            image_keys: texts(&mut section.image_keys, "image_keys", &IMAGE_KEYS)?,
            none_values: section
                .none_values
                .take()
                .unwrap_or_else(|| NONE_VALUES.map(str::to_owned).to_vec()),
            size_keys: texts(&mut section.size_keys, "size_keys", &SIZE_KEYS)?,
        },
        "count" => Transformer::Count { carry_over: carry_over() },
        other => return Err(format!("transformer = {other:?}: it must be one of {TRANSFORMERS}")),
    })
}

/// Refuses options that the transformer has not taken: they belong to another one.
fn refuse_other_options(section: &MappingToml) -> Result<(), String> {
    let carrying = "max, storagemax, networkservice, fromimage and count";
    let options = [
        ("tracked_states", section.tracked_states.is_some(), "uptime"),
        ("audit_gap_s", section.audit_gap_s.is_some(), "uptime"),
        ("carry_over", section.carry_over.is_some(), carrying),
        ("volume_types", section.volume_types.is_some(), "storagemax"),
        ("image_keys", section.image_keys.is_some(), "fromimage"),
        ("none_values", section.none_values.is_some(), "fromimage"),
        ("size_keys", section.size_keys.is_some(), "fromimage"),
    ];
    match options.into_iter().find(|(_, is_given, _)| *is_given) {
        Some((key, _, owner)) => {
            Err(format!("{key} is an option of {owner}, not of {}; remove it", section.transformer))
        }
        None => Ok(()),
    }
}

/// Returns the unit of the volumes. A transformer that measures time determines it.
fn check_unit(
    transformer: &Transformer,
    given: Option<String>,
    name: &str,
) -> Result<Unit, String> {
    let measured = match transformer {
        Transformer::Uptime { .. } => Some(Unit::Second),
        Transformer::NetworkService { .. } | Transformer::Count { .. } => Some(Unit::Hour),
        _ => None,
    };
    match (given.map(Unit::from), measured) {
        (None, Some(measured)) => Ok(measured),
        (None, None) => Err(format!("unit is missing; it must be {UNITS}")),
        (Some(Unit::Other(text)), _) if text.trim().is_empty() => {
            Err(format!("unit is empty; it must be {UNITS}"))
        }
        (Some(given), Some(Unit::Second)) if given != Unit::Second => Err(format!(
            "unit = \"{given}\": {name} measures seconds, so it must be second (a rate per hour is \
             converted)"
        )),
        (Some(given @ (Unit::Second | Unit::Byte | Unit::Gigabyte)), Some(Unit::Hour)) => {
            Err(format!(
                "unit = \"{given}\": {name} measures hours, so it must be hour or a name of your own"
            ))
        }
        (Some(given), _) => Ok(given),
    }
}

fn check_gap_s(key: &str, given: Option<i64>, default: u32) -> Result<u32, String> {
    let Some(given) = given else { return Ok(default) };
    let seconds = u32::try_from(given).ok().filter(|s| (1..=MAX_GAP_S_LIMIT).contains(s));
    seconds.ok_or_else(|| {
        format!("{key} = {given}: it must be a whole number from 1 to {MAX_GAP_S_LIMIT}")
    })
}

impl From<Mapping> for MappingToml {
    /// Names every option that applies, so that the mapping keeps its meaning when defaults change.
    fn from(mapping: Mapping) -> Self {
        let mut section = MappingToml {
            meter: mapping.meter,
            service: Some(mapping.service),
            resource_type: mapping.resource_type,
            unit: Some(mapping.unit.to_string()),
            resource_id: Some(mapping.resource_id),
            metadata: mapping.metadata,
            filter: mapping.filter,
            max_gap_s: Some(mapping.max_gap_s.into()),
            ..MappingToml::default()
        };
        section.transformer = match mapping.transformer {
            Transformer::Uptime { tracked_states, audit_gap_s } => {
                section.audit_gap_s = Some(audit_gap_s.into());
                section.tracked_states = Some(tracked_states.into_iter().collect());
                "uptime"
            }
            Transformer::Max { carry_over } => {
                section.carry_over = Some(carry_over);
                "max"
            }
            Transformer::Average => "average",
            Transformer::Sum => "sum",
            Transformer::Cumulative => "cumulative",
            Transformer::StorageMax { carry_over, volume_types } => {
                section.carry_over = Some(carry_over);
                section.volume_types = Some(volume_types);
                "storagemax"
            }
            Transformer::NetworkService { carry_over } => {
                section.carry_over = Some(carry_over);
                "networkservice"
            }
            Transformer::FromImage { carry_over, image_keys, none_values, size_keys } => {
                section.carry_over = Some(carry_over);
                section.image_keys = Some(image_keys);
                section.none_values = Some(none_values);
                section.size_keys = Some(size_keys);
                "fromimage"
            }
            Transformer::Count { carry_over } => {
                section.carry_over = Some(carry_over);
                "count"
            }
        }
        .to_owned();
        section
    }
}
