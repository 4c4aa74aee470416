//! Sections that are accepted, and the errors of sections that are refused.

use super::*;
use crate::billing::mapping::Transformer;

fn read(text: &str) -> Result<Settings, String> {
    let sections = toml::from_str(text).map_err(|error| parse_error(text, &error).to_string())?;
    Settings::read(sections, text, None).map_err(|error| error.to_string())
}

fn distil(text: &str, rates: &str) -> Result<Settings, String> {
    let file = RatesFile { name: "rates.csv", text: rates };
    let sections = toml::from_str(text).map_err(|error| error.to_string())?;
    Settings::read(sections, text, Some(file)).map_err(|error| error.to_string())
}

const IPS: &str = "[[usage]]\nmeter = 'ip.floating'\ntransformer = 'count'\nservice = 'n1.ipv4'\n";
const DISKS: &str = "[[usage]]\nmeter = 'volume.size'\ntransformer = 'storagemax'\n\
                         service = 'b1'\nunit = 'gigabyte'\n";
const VMS: &str = "[[usage]]\nmeter = 'vcpus'\ntransformer = 'uptime'\n";

fn rate(service: &str, unit: &str, more: &str) -> String {
    format!("[[rate]]\nservice = '{service}'\nunit = '{unit}'\nrate = '1'\n{more}\n")
}

#[test]
fn the_built_in_example_is_right() {
    let example = read_example().unwrap();
    assert_eq!(example.terms, Terms::default());
    assert_eq!(example, Settings::default());
    let uptime = |mapping: &&Mapping| matches!(mapping.transformer, Transformer::Uptime { .. });
    assert_eq!(example.mappings.iter().filter(uptime).count(), 1);
    for mapping in &example.mappings {
        assert!(mapping.resource_type.is_some(), "{}", mapping.meter);
        let rated: Vec<&Rate> =
            example.rates.iter().filter(|rate| mapping.may_yield(&rate.service)).collect();
        assert!(!rated.is_empty(), "{} has no rate", mapping.meter);
    }
}

#[test]
fn the_example_s_rates_are_not_mixed_with_what_is_set_up() {
    let example = Settings::default();
    let of_terms = read("[billing]\ncurrency = 'CZK'").unwrap();
    assert_eq!(of_terms.terms.rounding.currency, "CZK");
    assert_eq!((&of_terms.mappings, &of_terms.rates), (&example.mappings, &example.rates));
    let of_usage = read(VMS).unwrap();
    assert_eq!((of_usage.mappings.len(), of_usage.rates.iter().count()), (1, 0));
    let of_rates = read(&rate("m1.small", "hour", "")).unwrap();
    assert_eq!((of_rates.mappings, of_rates.rates.iter().count()), (example.mappings.clone(), 1));
    let of_file = distil("", "r | m1.small | hour | 1").unwrap();
    assert_eq!((of_file.mappings, of_file.rates.iter().count()), (example.mappings, 1));
    let of_nothing = read("usage = []").unwrap();
    assert_eq!((of_nothing.mappings.len(), of_nothing.rates.iter().count()), (0, 0));
}

#[test]
fn days_are_midnights_in_the_billing_time_zone_quoted_or_not() {
    let settings = read(&format!(
        "[billing]\nbilling_timezone = 'Europe/Prague'\n{}",
        rate("m", "hour", "from = 2026-01-01\nto = '2026-07-01'")
    ))
    .unwrap();
    let rate = settings.rates.iter().next().unwrap();
    assert_eq!(rate.from.unwrap().to_string(), "2025-12-31T23:00:00Z");
    assert_eq!(rate.to.unwrap().to_string(), "2026-06-30T22:00:00Z");
    assert_eq!(rate.unit, Unit::Hour);
}

#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    assert_eq!(read(text).unwrap_err(), expected);
}

#[test]
fn mappings_are_refused_by_their_line() {
    assert_refused(
        &format!("{VMS}\n[[usage]]\nmeter = 'm'\ntransformer = 'mean'"),
        "line 5: usage of the meter \"m\": transformer = \"mean\": it must be one of uptime, \
         max, average, sum, cumulative, storagemax, networkservice, fromimage, count",
    );
    assert_refused(
        "[billing]\ndigits = 9",
        "[billing] digits = 9: it must be a whole number from 0 to 6",
    );
    assert_refused(
        &format!("[billing]\ndigits = 9\n{VMS}"),
        "[billing] digits = 9: it must be a whole number from 0 to 6",
    );
}

#[test]
fn one_service_of_one_kind_of_resource_has_one_mapping() {
    let other = IPS.replace("ip.floating", "floating");
    assert_refused(
        &format!("{IPS}{other}"),
        "line 5: usage of the meter \"floating\": service \"n1.ipv4\" of resources without a \
         type is already measured by the meter \"ip.floating\"; each service of a resource must have \
         exactly one mapping",
    );
    assert_refused(
        &format!("{IPS}type = 'IP'\n{other}type = 'IP'"),
        "line 6: usage of the meter \"floating\": service \"n1.ipv4\" of resources of type \
         \"IP\" is already measured by the meter \"ip.floating\"; each service of a resource must have \
         exactly one mapping",
    );
    assert!(read(&format!("{IPS}type = 'IP'\n{other}type = 'Other'")).is_ok());
    assert!(read(&format!("{IPS}{other}resource_id = '{{}}-other'")).is_ok());
    assert!(read(&format!("{DISKS}{}", DISKS.replace("volume", "other"))).is_ok());
}

#[test]
fn rates_are_refused_by_their_line() {
    assert_refused(
        &format!("{}{}", rate("a", "hour", ""), rate("", "hour", "")),
        "line 6: rate of the service \"\": service is empty; it must be the name of a service",
    );
    assert_refused(
        &rate("a", "", ""),
        "line 1: rate of the service \"a\": unit is empty; it must be the name of a unit",
    );
    assert_refused(
        &rate("a", "hour", "from = 2026-02-01\nto = 2026-02-01"),
        "line 1: rate of the service \"a\": from = 2026-02-01, to = 2026-02-01: to must be a \
         later day than from",
    );
    assert_refused(
        &format!(
            "{}{}",
            rate("a", "hour", "to = 2026-02-02"),
            rate("a", "hour", "from = 2026-02-01")
        ),
        "line 6: two rates of the service \"a\" apply at the same time, the other is on line 1; a \
         service must have at most one rate at a time",
    );
    assert_refused(
        &format!("{}{}", rate("a", "hour", "region = 'x'"), rate("a", "hour", "region = 'y'")),
        "line 6: two rates of the service \"a\" apply at the same time, the other is on line 1; \
         set region in [billing] to choose one",
    );
}

#[test]
fn an_error_of_the_toml_parser_is_one_line() {
    let second = |from: &str, to: &str| {
        let wrong = rate("b", "hour", "").replace(from, to);
        read(&format!("{}{wrong}", rate("a", "hour", ""))).unwrap_err()
    };
    let price = |given: &str| {
        format!(
            "line 9: rate: {given} must be a decimal number of at least 0 with at most 28 digits, \
             such as \"0.044\""
        )
    };
    let no_text = |given: &str| {
        format!(
            "line 9: rate: invalid type: {given}, expected a decimal number in quotes, such as \
                 \"0.044\""
        )
    };
    let no_date = |given: &str| format!("line 10: from: {given} must be a date, YYYY-MM-DD");
    for (to, expected) in [
        ("rate = '-1'", price("\"-1\"")),
        ("rate = 'x'", price("\"x\"")),
        ("rate = '1e2'", price("\"1e2\"")),
        ("rate = 0.1", no_text("floating point `0.1`")),
        ("rate = 1", no_text("integer `1`")),
        ("rate = []", no_text("sequence")),
        ("rate = '1'\nfrom = '1.2.2026'", no_date("\"1.2.2026\"")),
        ("rate = '1'\nfrom = 2026-01-01T10:00:00", no_date("\"2026-01-01T10:00:00\"")),
        (
            "rate = '1'\nto = 5",
            "line 10: to: invalid type: integer `5`, expected a date such as 2026-01-31".to_owned(),
        ),
        (
            "rates = '1'",
            "line 9: rates: unknown field `rates`, expected one of `service`, `unit`, `rate`, \
                 `region`, `from`, `to`"
                .to_owned(),
        ),
        ("", "line 6: [[rate]]: missing field `rate`".to_owned()),
    ] {
        assert_eq!(second("rate = '1'", to), expected);
    }
}

#[test]
fn a_rate_s_unit_must_be_one_that_the_usage_becomes() {
    let accepted = "; the rate must have the same unit, gigabyte for byte, or hour for second";
    assert_refused(
        &format!("{IPS}{}", rate("n1.ipv4", "second", "")),
        &format!(
            "line 5: rate of the service \"n1.ipv4\": unit = \"second\": its usage is measured in hour{accepted}"
        ),
    );
    assert_refused(
        &format!("{DISKS}{VMS}{}", rate("b1.fast", "hour", "")),
        &format!(
            "line 9: rate of the service \"b1.fast\": unit = \"hour\": its usage is measured in gigabyte{accepted}"
        ),
    );
    assert_refused(
        &format!("{VMS}{}", rate("m1.small", "gigabyte", "")),
        &format!(
            "line 4: rate of the service \"m1.small\": unit = \"gigabyte\": its usage is measured in second{accepted}"
        ),
    );
    assert_refused(
        &format!("{VMS}{}", rate("vcpus", "hours", "")),
        &format!(
            "line 4: rate of the service \"vcpus\": unit = \"hours\": its usage is measured in second{accepted}"
        ),
    );
    assert!(
        read(&format!("{VMS}{DISKS}{}{}", rate("m1", "hour", ""), rate("b1.a", "gigabyte", "")))
            .is_ok()
    );
    // No mapping yields the service: the rate does no harm if its unit is known.
    assert!(read(&format!("{IPS}{}", rate("other", "gigabyte", ""))).is_ok());
    assert!(read(&format!("{IPS}unit = 'ip'\n{}", rate("other", "ip", ""))).is_ok());
    assert_refused(
        &format!("{IPS}{}", rate("other", "hours", "")),
        "line 5: rate of the service \"other\": unit = \"hours\": it must be second, hour, byte, \
         gigabyte or the unit of a [[usage]]",
    );
}

#[test]
fn distil_s_file_is_read_for_our_region() {
    let rates = "a | n1.ipv4 | hour | 0.01\nb | n1.ipv4 | hour | 0.02";
    let settings = distil(&format!("[billing]\nregion = 'b'\n{IPS}"), rates).unwrap();
    let prices: Vec<String> = settings.rates.iter().map(|rate| rate.rate.to_string()).collect();
    assert_eq!(prices, ["0.02"]);
    for (text, rates, expected) in [
        (
            IPS,
            rates,
            "rates.csv line 2: two rates of the service \"n1.ipv4\" apply at the same time, the \
             other is on rates.csv line 1; set region in [billing] to choose one",
        ),
        (
            IPS,
            "a | n1.ipv4 | hour",
            "rates.csv line 1: the line has 3 fields; it must be `region | service | unit | rate`",
        ),
        (
            IPS,
            "a | n1.ipv4 | gigabyte | 1",
            "rates.csv line 1: rate of the service \"n1.ipv4\": unit = \"gigabyte\": its usage is \
             measured in hour; the rate must have the same unit, gigabyte for byte, or hour for second",
        ),
        (
            "rate = []",
            "",
            "[billing] rates_file = \"rates.csv\": rates must be either in this file or in \
             [[rate]], not in both",
        ),
    ] {
        assert_eq!(distil(text, rates).unwrap_err(), expected);
    }
}
