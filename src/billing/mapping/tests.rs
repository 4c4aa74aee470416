//! Mappings that are accepted, that are refused, and as they are recorded.

use super::check::{TRACKED_STATES, TRANSFORMERS};
use super::*;

fn mapping(text: &str) -> Result<Mapping, String> {
    let section: MappingToml = toml::from_str(text).map_err(|error| error.to_string())?;
    Mapping::try_from(section).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    let error = mapping(&format!("meter = 'm'\n{text}")).unwrap_err();
    assert_eq!(error, format!("usage of the meter \"m\": {expected}"));
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let mapping = mapping("meter = 'vcpus'\ntransformer = 'uptime'").unwrap();
    assert_eq!(mapping.service, "vcpus");
    assert_eq!((mapping.unit, mapping.max_gap_s), (Unit::Second, 1800));
    assert_eq!(mapping.resource_id, "{}");
    let Transformer::Uptime { tracked_states, audit_gap_s } = mapping.transformer else { panic!() };
    assert_eq!(audit_gap_s, 4200);
    assert_eq!(tracked_states.into_iter().collect::<Vec<_>>(), TRACKED_STATES);
}

#[test]
fn a_resource_id_is_made_of_the_samples_one() {
    let mapping =
        mapping("meter = 'm'\ntransformer = 'max'\nunit = 'x'\nresource_id = '{}-root'").unwrap();
    assert_eq!(mapping.billed_resource("vm"), "vm-root");
    assert_eq!(mapping.sampled_resource("vm-root"), Some("vm"));
    assert_eq!(mapping.sampled_resource("vm"), None);
}

#[test]
fn every_wrong_key_is_named_with_what_is_accepted() {
    assert_refused(
        "transformer = 'mean'",
        &format!("transformer = \"mean\": it must be one of {TRANSFORMERS}"),
    );
    assert_refused(
        "transformer = 'max'",
        "unit is missing; it must be second, hour, byte, gigabyte or a name of your own",
    );
    assert_refused(
        "transformer = 'max'\nunit = ''",
        "unit is empty; it must be second, hour, byte, gigabyte or a name of your own",
    );
    assert_refused(
        "transformer = 'uptime'\nunit = 'hour'",
        "unit = \"hour\": uptime measures seconds, so it must be second (a rate per hour is \
         converted)",
    );
    assert_refused(
        "transformer = 'count'\nunit = 'byte'",
        "unit = \"byte\": count measures hours, so it must be hour or a name of your own",
    );
    assert_refused(
        "transformer = 'sum'\nunit = 'byte'\ncarry_over = true",
        "carry_over is an option of max, storagemax, networkservice, fromimage and count, not \
         of sum; remove it",
    );
    assert_refused(
        "transformer = 'max'\nunit = 'x'\ntracked_states = ['active']",
        "tracked_states is an option of uptime, not of max; remove it",
    );
    for (key, whose) in [
        ("audit_gap_s = 1", "uptime"),
        ("volume_types = {}", "storagemax"),
        ("image_keys = []", "fromimage"),
        ("none_values = []", "fromimage"),
        ("size_keys = []", "fromimage"),
    ] {
        let name = key.split(' ').next().unwrap();
        assert_refused(
            &format!("transformer = 'average'\nunit = 'x'\n{key}"),
            &format!("{name} is an option of {whose}, not of average; remove it"),
        );
    }
    for key in ["image_keys", "size_keys"] {
        assert_refused(
            &format!("transformer = 'fromimage'\nunit = 'gigabyte'\n{key} = []"),
            &format!("{key} must be a list of at least one text, none of them empty"),
        );
    }
    assert_refused(
        "transformer = 'uptime'\ntracked_states = ['']",
        "tracked_states must be a list of at least one text, none of them empty",
    );
    assert_refused(
        "transformer = 'storagemax'\nunit = 'gigabyte'\nvolume_types = { fast = '' }",
        "volume_types.fast is empty; it must be the name of a service",
    );
    assert_refused(
        "transformer = 'uptime'\nservice = ''",
        "service is empty; give it a value or remove the key",
    );
    assert_refused(
        "transformer = 'uptime'\ntype = ''",
        "type is empty; give it a value or remove the key",
    );
    for template in ["x", "{}{}", ""] {
        assert_refused(
            &format!("transformer = 'uptime'\nresource_id = '{template}'"),
            &format!(
                "resource_id = \"{template}\": it must contain {{}} exactly once, \
                 in the place of the samples' resource id"
            ),
        );
    }
    for gap in ["0", "-1", "2678401"] {
        assert_refused(
            &format!("transformer = 'uptime'\nmax_gap_s = {gap}"),
            &format!("max_gap_s = {gap}: it must be a whole number from 1 to 2678400"),
        );
    }
    assert_refused(
        "transformer = 'uptime'\nmetadata = { services = ['a'] }",
        "metadata.services: every resource of an order already has a field of this name; choose \
         another name",
    );
    for keys in ["[]", "['']"] {
        assert_refused(
            &format!("transformer = 'uptime'\nmetadata = {{ name = {keys} }}"),
            "metadata.name must be a list of at least one key of the samples' metadata, none of them empty",
        );
    }
    assert_refused(
        "transformer = 'uptime'\nfilter = { status = [] }",
        "filter.status must be a value or a list of at least one value",
    );
    assert_eq!(
        mapping("meter = ''\ntransformer = 'max'").unwrap_err(),
        "usage of the meter \"\": meter is empty; it must be the name of a meter"
    );
    assert!(mapping("transformer = 'max'").unwrap_err().contains("missing field `meter`"));
    assert!(mapping("meter = 'm'").unwrap_err().contains("missing field `transformer`"));
    assert!(mapping("meter = 'm'\ntranformer = 'max'").unwrap_err().contains("tranformer"));
}

#[test]
fn a_recorded_mapping_keeps_its_meaning() {
    for options in [
        "transformer = 'uptime'\ntracked_states = ['ACTIVE']\naudit_gap_s = 7200\nfilter = { a = ['b', 1] }",
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
