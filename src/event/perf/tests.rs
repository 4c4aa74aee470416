//! Samples in every spelling, and that an invalid one does not affect its neighbours.

use proptest::prelude::*;

use super::*;
use crate::event::decode;

fn body(time: &str, data: &str) -> String {
    format!(
        r#"{{"specversion": "1.0", "id": "1", "source": "s", "type": "perf.sampled", "time": {time}, "data": {data}}}"#
    )
}

/// Each value as `metric value second`, or as the reason why it does not count.
fn values(body: &str) -> Vec<String> {
    read(body.as_bytes(), |samples| {
        let shown = |value: Result<Sample<'_>, InvalidSample<'_>>| match value {
            Ok(sample) => {
                let second = sample.time.as_microsecond() as f64 / 1e6 - 1_763_600_000.0;
                format!("{} {} {second}", sample.metric, sample.value)
            }
            Err(invalid) => format!("{:?}: {}", invalid.metric.as_deref(), invalid.reason),
        };
        samples.values().map(shown).collect()
    })
    .unwrap()
}

/// The reading of a value of the metric `m`.
fn value(json: &str) -> String {
    let data = format!(r#"{{"host": "h", "time": 1763600000, "metrics": {{"m": {json}}}}}"#);
    values(&body("null", &data)).remove(0)
}

#[test]
fn both_forms_are_read() {
    let data = r#"{"host": "h",
        "samples": [{"metric": "a", "time": 1763600001, "value": 1}, {"metric": "a", "value": 2.50}],
        "time": "2025-11-20T00:53:22Z", "metrics": {"b": 3, "a": 4}}"#;
    assert_eq!(values(&body("null", data)), ["a 1 1", "a 2.50 2", "a 4 2", "b 3 2"]);
    let message = body("\"2025-11-20T00:53:25.5Z\"", r#"{"host": "h", "metrics": {"b": 3}}"#);
    assert_eq!(values(&message), ["b 3 5.5"]);
    assert_eq!(values(&body("null", r#"{"host": "h"}"#)), [""; 0]);
    for other in ["[]", "5", "\"x\"", "null", "{}"] {
        let data = format!(r#"{{"host": "h", "samples": {other}, "metrics": {other}}}"#);
        assert_eq!(values(&body("null", &data)), [""; 0], "{other}");
    }
}

#[test]
fn values_are_numbers_booleans_and_strings_of_numbers() {
    for (json, read) in [
        ("12.5", "12.5"),
        ("-0.250", "-0.250"),
        ("1e3", "1000"),
        ("true", "1"),
        ("false", "0"),
        ("\" 7 \"", "7"),
        ("\"1e-05\"", "0.00001"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
        ("0.12345678901234567890123456789", "0.1234567890123456789012345679"),
    ] {
        assert_eq!(value(json), format!("m {read} 0"));
    }
    for json in ["\"nan\"", "NaN", "-Infinity", "\"inf\"", "[1]", "{\"a\": 1}", "\"x\"", "\"\""] {
        assert_eq!(value(json), "Some(\"m\"): its value is not a number", "{json}");
    }
    assert_eq!(value("null"), "Some(\"m\"): it has no value");
    let beyond = "Some(\"m\"): its value is beyond ±79228162514264337593543950335";
    assert_eq!(value("1e29"), beyond);
}

#[test]
fn times_are_dates_and_epochs() {
    for (time, second) in [
        ("1763600001", "1"),
        ("1763600001.25", "1.25"),
        ("\"1763600001.2500009\"", "1.25"),
        ("1.763600002e9", "2"),
        ("\"2025-11-20T00:53:23Z\"", "3"),
        ("\"2025-11-20 00:53:23\"", "3"),
        ("null", "9"),
        ("\"\"", "9"),
    ] {
        let data = format!(
            r#"{{"host": "h", "samples": [{{"metric": "m", "time": {time}, "value": 1}}]}}"#
        );
        let message = body("\"2025-11-20T00:53:29Z\"", &data);
        assert_eq!(values(&message), [format!("m 1 {second}")], "{time}");
    }
    for time in ["\"soon\"", "true", "-1", "946684799.999999", "4102444800", "1e400", "\"NaN\""] {
        let data = format!(r#"{{"host": "h", "time": {time}, "metrics": {{"m": 1}}}}"#);
        let message = body("\"2025-11-20T00:53:29Z\"", &data);
        let wrong = "Some(\"m\"): its time is not one from 2000 to 2099";
        assert_eq!(values(&message), [wrong], "{time}");
    }
    let timeless = body("null", r#"{"host": "h", "metrics": {"m": 1}}"#);
    assert_eq!(values(&timeless), ["Some(\"m\"): it has no time"]);
}

#[test]
fn an_invalid_value_leaves_its_neighbours_alone() {
    let data = r#"{"host": "h", "samples": [5, null, {"value": 1}, [], {"metric": "", "value": 1},
        {"metric": "a\ud800", "value": 1}, {"metric": "b", "value": NaN}, {"metric": 7, "value": 2}],
        "metrics": {"": 1, "x": null, "d": 1, "\u0000": 3, "d": 2}}"#;
    let nameless = "None: it names no metric";
    assert_eq!(
        values(
            &body("1763600000", data)
                .replace("\"time\": 1763600000", "\"time\": \"2025-11-20T00:53:20Z\"")
        ),
        [
            nameless,
            nameless,
            nameless,
            nameless,
            nameless,
            "a\u{fffd} 1 0",
            "Some(\"b\"): its value is not a number",
            "7 2 0",
            nameless,
            "\u{fffd} 3 0",
            "d 2 0",
            "Some(\"x\"): it has no value",
        ]
    );
}

#[test]
fn an_event_without_usable_data_is_still_an_event() {
    let data = format!(r#"{{"host": "h", "samples": [{}0]}}"#, "0,".repeat(60_000));
    let many = body("null", &data);
    for (message, reason) in [
        (body("null", "{}"), "data.host is missing"),
        (body("null", "5"), "data.host is missing"),
        (body("null", r#"{"host": null, "metrics": {"m": 1}}"#), "data.host is missing"),
        (many, "data.samples contains more than 50000 values"),
    ] {
        assert_eq!(read(message.as_bytes(), |_| ()).unwrap_err().to_string(), reason);
        let event = decode(message.into_bytes(), None).unwrap();
        assert_eq!((event.key_at, event.occurred_at), (None, None));
    }
    assert!(read(b"{", |_| ()).is_err());
}

#[test]
fn names_are_as_long_as_columns_are() {
    let long = "n".repeat(300);
    let data = format!(r#"{{"host": "{long}", "time": 1763600000, "metrics": {{"{long}": 1}}}}"#);
    let message = body("null", &data);
    let (host, metric) = read(message.as_bytes(), |samples| {
        let metric = samples.values().next().unwrap().unwrap().metric.into_owned();
        (samples.host.clone().into_owned(), metric)
    })
    .unwrap();
    assert_eq!((host.len(), &host), (255, &metric));
    assert_eq!(decode(message.into_bytes(), None).unwrap().stream.as_ref(), Some(&host));
}

/// A day of the log contains no sample of a later one.
#[test]
fn the_latest_sample_that_counts_is_the_time_of_the_key() {
    let key = |time: &str, data: &str| {
        let event = decode(body(time, data).into_bytes(), None).unwrap();
        let shown = |time: Option<Timestamp>| time.map(|time| time.as_second() - 1_763_600_000);
        (shown(event.key_at), shown(event.occurred_at))
    };
    let noon = "\"2025-11-20T00:53:20Z\"";
    let samples = r#"{"host": "h", "samples": [{"metric": "a", "time": 1763600007, "value": 1},
        {"metric": "a", "time": 1763600005, "value": 1}, {"metric": "a", "time": 1763600009, "value": "x"},
        {"time": 1763600009, "value": 1}]}"#;
    assert_eq!(key(noon, samples), (Some(7), Some(0)));
    assert_eq!(key("null", samples), (Some(7), Some(7)));
    let metrics = r#"{"host": "h", "time": 1763599990, "metrics": {"a": null, "b": 1}}"#;
    assert_eq!(key(noon, metrics), (Some(-10), Some(0)));
    let none = r#"{"host": "h", "time": 1763599990, "metrics": {"a": null, "": 1}}"#;
    assert_eq!(key(noon, none), (Some(0), Some(0)));
    assert_eq!(key("null", none), (None, None));
    assert_eq!(key(noon, r#"{"time": 1763599990, "metrics": {"a": 1}}"#), (Some(0), Some(0)));
}

/// Each day of an event's samples is a partition: an event may not span thousands of them.
#[test]
fn a_value_long_before_the_latest_does_not_count() {
    const DAY: i64 = 86_400;
    let latest = 1_763_600_000;
    let sample = |metric: &str, time: i64, value: &str| {
        format!(r#"{{"metric": "{metric}", "time": {time}, "value": {value}}}"#)
    };
    let samples = [
        sample("early", latest - 31 * DAY - 1, "1"),
        sample("edge", latest - 31 * DAY, "1"),
        sample("latest", latest, "1"),
        // An invalid value is not the latest.
        sample("broken", latest + 9 * DAY, "null"),
    ]
    .join(",");
    let metrics = r#""time": 1700000000, "metrics": {"old": 1}"#;
    let message = body("null", &format!(r#"{{"host": "h", "samples": [{samples}], {metrics}}}"#));
    let early = "it lies more than 31 days before its event's latest";
    assert_eq!(
        values(&message),
        [
            format!("Some(\"early\"): {early}"),
            format!("edge 1 {}", -31 * DAY),
            "latest 1 0".to_owned(),
            "Some(\"broken\"): it has no value".to_owned(),
            format!("Some(\"old\"): {early}"),
        ]
    );
    let key = decode(message.into_bytes(), None).unwrap().key_at;
    assert_eq!(key.map(Timestamp::as_second), Some(latest));
}

#[test]
fn keys_of_an_object_are_counted() {
    for (body, count) in [
        ("{}", Some(0)),
        (r#"{"a": NaN, "data": 5}"#, Some(2)),
        ("[]", None),
        ("", None),
        ("5", None),
        ("{\"a\"", None),
        ("{} {}", None),
    ] {
        assert_eq!(count_keys(body.as_bytes()), count, "{body}");
    }
}

proptest! {
    #[test]
    fn the_key_is_the_latest_of_the_values(
        samples in prop::collection::vec((0..3_usize, 0..20_i64, prop::bool::weighted(0.8)), 0..12),
        metrics in prop::option::of((0..20_i64, prop::bool::weighted(0.8))),
    ) {
        let value = |counts: bool| if counts { "1" } else { "null" };
        let listed: Vec<String> = samples.iter().map(|(metric, second, counts)| {
            format!(r#"{{"metric": "m{metric}", "time": {}, "value": {}}}"#, 1_763_600_000 + second, value(*counts))
        }).collect();
        let metrics = metrics.map_or(String::new(), |(second, counts)| {
            format!(r#", "time": {}, "metrics": {{"m": {}}}"#, 1_763_600_000 + second, value(counts))
        });
        let message = body("null", &format!(r#"{{"host": "h", "samples": [{}]{metrics}}}"#, listed.join(",")));
        let latest = read(message.as_bytes(), |samples| {
            samples.values().filter_map(Result::ok).map(|sample| sample.time).max()
        });
        prop_assert_eq!(decode(message.into_bytes(), None).unwrap().key_at, latest.unwrap());
    }

    #[test]
    fn any_data_is_harmless(data in r#"[\[\]{}":,a-c0-9.nulltrsamphoe -]{0,60}"#) {
        let _ = read(body("null", &data).as_bytes(), |samples| samples.values().count());
    }
}
