//! Samples in every shape, and that an invalid one does not affect its neighbours.

use proptest::prelude::*;

use super::*;

/// A valid sample.
const SAMPLE: &str = r#"{"source": "openstack", "counter_name": "memory", "counter_type": "gauge", "counter_unit": "MB", "counter_volume": 512.50, "user_id": "u", "project_id": "p", "resource_id": "r", "timestamp": "2026-11-19T10:00:02.381766", "resource_metadata": {"flavor": {"name": "m1.tiny"}, "n": 1.0}, "message_id": "m", "message_signature": ""}"#;

fn expected() -> Sample {
    let owned = |text: &str| Some(text.to_owned());
    Sample {
        counter_name: "memory".into(),
        counter_type: owned("gauge"),
        counter_unit: owned("MiB"),
        counter_volume: Decimal::new(51250, 2),
        user_id: owned("u"),
        user_name: None,
        project_name: None,
        project_id: owned("p"),
        resource_id: "r".into(),
        source: owned("openstack"),
        timestamp: "2026-11-19T10:00:02.381766Z".parse().unwrap(),
        message_id: owned("m"),
        metadata: owned(r#"{"flavor": {"name": "m1.tiny"}, "n": 1.0}"#),
    }
}

fn notification(payload: &str) -> String {
    format!(r#"{{"event_type": "metering", "payload": {payload}}}"#)
}

fn cast(data: &str) -> String {
    format!(r#"{{"method": "record_metering_data", "args": {{"data": {data}}}}}"#)
}

/// Reads a list of one sample.
#[track_caller]
fn one(sample: &str) -> Result<Sample, Box<InvalidSample>> {
    let mut all = samples(notification(&format!("[{sample}]")).as_bytes()).unwrap();
    assert_eq!(all.len(), 1, "{sample}");
    all.remove(0)
}

#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(SAMPLE.contains(from), "{from}");
    SAMPLE.replace(from, to)
}

#[test]
fn samples_are_found_in_every_shape() {
    let list = format!("[{SAMPLE}, {SAMPLE}]");
    for (body, count) in [
        (notification(&list), 2),
        (notification(&format!(r#"{{"samples": {list}}}"#)), 2),
        (notification(&format!(r#"{{"samples": {SAMPLE}}}"#)), 1),
        (notification(SAMPLE), 1),
        (cast(&list), 2),
        (cast(SAMPLE), 1),
        (cast(&format!(r#"{{"samples": {list}}}"#)), 2),
    ] {
        let samples = samples(body.as_bytes()).unwrap();
        assert_eq!(samples, vec![Ok(expected()); count], "{body}");
    }
}

#[test]
fn a_message_may_have_no_samples() {
    for empty in ["[]", "null", "{}", "\"\"", r#"{"samples": []}"#, r#"{"samples": null}"#] {
        assert_eq!(samples(notification(empty).as_bytes()).unwrap(), [], "{empty}");
        assert_eq!(samples(cast(empty).as_bytes()).unwrap(), [], "{empty}");
    }
    assert_eq!(samples(b"{}").unwrap(), []);
    for body in ["", "[]", "{\"payload\": [", "5"] {
        let fault = samples(body.as_bytes()).unwrap_err().to_string();
        assert!(fault.starts_with("body cannot be read: "), "{fault}");
    }
}

#[test]
fn an_invalid_sample_has_its_reason_and_its_readable_parts() {
    let reason = |sample: &str| one(sample).unwrap_err().reason;
    for other in ["5", "-5", "null", "true", "\"x\"", "[]", "[{}]"] {
        assert_eq!(reason(other), "it is no JSON object", "{other}");
    }
    assert_eq!(reason("{}"), "it has no counter_name");
    assert_eq!(reason(&changed("\"memory\"", "\"\"")), "it has no counter_name");
    assert_eq!(reason(&changed("\"r\"", "null")), "it has no resource_id");
    for time in ["\"2026-11-19\"", "null", "1763600000", "\"2100-01-01T00:00:00\""] {
        let sample = changed("\"2026-11-19T10:00:02.381766\"", time);
        assert_eq!(reason(&sample), "it has no timestamp between 2000 and 2100", "{time}");
    }
    for (volume, counter_volume, reason) in [
        ("null", None, "it has no counter_volume"),
        ("\"\"", None, "it has no counter_volume"),
        ("NaN", Some("NaN"), "counter_volume is not a number"),
        ("-Infinity", Some("-Infinity"), "counter_volume is not a number"),
        ("\"unknown\"", Some("unknown"), "counter_volume is not a number"),
        ("\"\\u010d\"", Some("č"), "counter_volume is not a number"),
        ("\"5\\u0000\"", Some("5\u{fffd}"), "counter_volume is not a number"),
        ("[1, NaN]", Some("[1, NaN]"), "counter_volume is not a number"),
        ("1e400", Some("1e400"), "counter_volume is beyond ±79228162514264337593543950335"),
    ] {
        let Sample { counter_name, project_id, resource_id, message_id, timestamp, .. } =
            expected();
        let invalid = InvalidSample {
            reason,
            counter_name: Some(counter_name),
            project_id,
            resource_id: Some(resource_id),
            message_id,
            timestamp: Some(timestamp),
            counter_volume: counter_volume.map(str::to_owned),
        };
        assert_eq!(one(&changed("512.50", volume)), Err(Box::new(invalid)), "{volume}");
    }
}

#[test]
fn one_unit_has_one_name() {
    let unit = |unit: &str| one(&changed("\"MB\"", unit)).unwrap().counter_unit;
    assert_eq!(unit("\"MB\"").as_deref(), Some("MiB"));
    assert_eq!(unit("\"GB\"").as_deref(), Some("GiB"));
    assert_eq!(unit("\"MB/s\"").as_deref(), Some("MB/s"));
    for none in ["\"\"", "null"] {
        assert_eq!(unit(none), None);
    }
}

#[test]
fn only_three_texts_and_a_number_make_a_sample() {
    let sample = one(
        r#"{"counter_name": "x", "resource_id": 7, "timestamp": "2026-11-19 10:00:00", "counter_volume": "1e-05", "resource_metadata": {}}"#,
    )
    .unwrap();
    assert_eq!(sample.resource_id, "7");
    assert_eq!(sample.counter_volume, Decimal::new(1, 5));
    assert_eq!((sample.counter_type, sample.counter_unit, sample.source), (None, None, None));
    assert_eq!((sample.project_id, sample.user_id, sample.message_id), (None, None, None));
    assert_eq!(sample.metadata, None);
}

#[test]
fn texts_fit_the_columns() {
    let of = |id: &str| one(&changed("\"r\"", &format!("\"{id}\""))).unwrap().resource_id;
    let (longest, too_long) = ("č".repeat(512), "č".repeat(513));
    assert_eq!(of(&longest), longest);
    let long = of(&too_long);
    assert!(long.len() <= crate::event::ID_MAX && long.starts_with('č'), "{long}");
    assert_eq!(one(&changed("\"p\"", "\"a\\u0000b\"")).unwrap().project_id.unwrap(), "a\u{fffd}b");
    assert_eq!(one(&changed("\"u\"", "\"\\udc80\"")).unwrap().user_id.unwrap(), "\u{fffd}");
    let metadata = one(&changed("1.0", "[\"\\udc80\", NaN]")).unwrap().metadata.unwrap();
    assert_eq!(metadata, r#"{"flavor": {"name": "m1.tiny"}, "n": ["\ufffd", "?"]}"#);
}

#[test]
fn one_sample_does_not_harm_its_neighbours() {
    let before = changed("1.0", "\"\\udc80\"");
    let alone = one(&before).unwrap();
    for bad in [
        changed("512.50", "NaN"),
        changed("\"n\"", "\"\\ud800\""),
        changed("m1.tiny", "\u{1}"),
        "Infinity".to_owned(),
        format!("{{\"deep\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        let body = notification(&format!("[{before}, {bad}, {SAMPLE}]"));
        let all = samples(body.as_bytes()).unwrap();
        assert_eq!((&all[0], &all[2]), (&Ok(alone.clone()), &Ok(expected())), "{bad}");
    }
    let mut body = notification(&format!("[{before}, {SAMPLE}]")).into_bytes();
    let name = body.windows(6).position(|text| text == b"m1.tin").unwrap();
    body[name] = 0xff;
    let all = samples(&body).unwrap();
    assert!(all[0].as_ref().unwrap().metadata.as_ref().unwrap().contains("\"?1.tiny\""));
    assert_eq!(all[1], Ok(expected()));
}

proptest! {
    #[test]
    fn any_body_is_harmless(body: Vec<u8>, at: prop::sample::Index, byte: u8, cut: bool) {
        let _ = samples(&body);
        let mut near = notification(&format!("[{SAMPLE}, {SAMPLE}]")).into_bytes();
        let at = at.index(near.len());
        near[at] = byte;
        if cut {
            near.truncate(at);
        }
        let _ = samples(&near);
    }

    #[test]
    fn any_value_is_harmless(key in "counter_name|counter_volume|timestamp|resource_metadata|resource_id", text: String, number: f64, nested in "[\\[\\]{}\":,a0-9.eE-]{0,20}") {
        for value in [serde_json::json!(text).to_string(), serde_json::json!(number).to_string(), nested] {
            let sample = format!(r#"{{"{key}": {value}, {}"#, &SAMPLE[1..]);
            let sample = sample.replacen(&format!(", \"{key}\""), ", \"x\"", 1);
            if let Ok(all) = samples(notification(&format!("[{sample}, {SAMPLE}]")).as_bytes()) {
                prop_assert_eq!(all.last(), Some(&Ok(expected())));
            }
        }
    }
}

#[test]
fn a_list_of_millions_is_not_taken_to_pieces() {
    let list = |len: usize| notification(&format!("[{}0]", "0,".repeat(len - 1)));
    assert_eq!(samples(list(shape::SAMPLES_MAX).as_bytes()).unwrap().len(), shape::SAMPLES_MAX);
    let body = list(shape::SAMPLES_MAX + 1);
    let fault = samples(body.as_bytes()).unwrap_err().to_string();
    assert!(fault.contains("more than 50000 samples in one message"), "{fault}");
    assert!(bad_signatures(body.as_bytes(), "secret").is_empty());
}
