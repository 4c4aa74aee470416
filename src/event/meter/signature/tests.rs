//! Signatures of real publishers, and of a second implementation here.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::event::decode;

/// The default secrets of publishers: since 2015, and before.
const DEFAULT: &str = "change this for valid signing";
const OLD_DEFAULT: &str = "change this or be hacked";

/// The body of a fixture, without its envelope.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/meter/{name}.json", env!("CARGO_MANIFEST_DIR"));
    decode(std::fs::read(path).unwrap(), None).unwrap().body
}

fn bad_indexes(samples: &[Value], secret: &str) -> Vec<i32> {
    let body = json!({"event_type": "metering", "payload": samples});
    bad_signatures(body.to_string().as_bytes(), secret)
}

#[test]
fn the_vectors_are_signed_and_their_tampered_copies_are_not() {
    for (name, secret) in [
        ("signature-1-flat", "not-so-secret"),
        ("signature-2-real-sample", DEFAULT),
        ("signature-3-lists", "s3cr3t-ž"),
    ] {
        assert_eq!(bad_signatures(&fixture(name), secret), [0; 0], "{name}");
        assert_eq!(bad_signatures(&fixture(name), "another secret"), [0], "{name}");
        assert_eq!(bad_signatures(&fixture(&format!("{name}-tampered")), secret), [0], "{name}");
    }
}

#[test]
fn the_signed_texts_of_the_vectors_are_written_byte_for_byte() {
    for (name, expected) in [
        ("signature-1-flat", "a1b2cNonedTruee1.5fx"),
        (
            "signature-2-real-sample",
            "counter_namecpucounter_typecumulativecounter_unitnscounter_volume6490000000message_idc5a3f1d2-c5b1-11f0-9a1b-fa163e3b2f10monotonic_time12345.678901project_id9f2d4b6a8c0e1f3a5b7c9d0e2f4a6b8cproject_nameNoneresource_idbd9431c1-8d69-4ad3-803a-8d4a6b89fd36resource_metadata:cpu_number1resource_metadata:display_namežluťoučký-vmresource_metadata:flavor:disk20resource_metadata:flavor:ephemeral0resource_metadata:flavor:namem1.smallresource_metadata:flavor:ram2048resource_metadata:flavor:swap0resource_metadata:flavor:vcpus1resource_metadata:imageNoneresource_metadata:task_statesourceopenstacktimestamp2026-11-20T03:05:54.580807user_id3f6c7b0e1a2b4c5d8e9fa0b1c2d3e4f5user_nameNone",
        ),
        (
            "signature-3-lists",
            r#"counter_namevolume.sizecounter_typegaugecounter_unitGiBcounter_volume10.0message_idc5a3f1d2-c5b1-11f0-9a1b-fa163e3b2f11monotonic_timeNoneproject_id9f2d4b6a8c0e1f3a5b7c9d0e2f4a6b8cproject_nameNoneresource_id5f4d-volresource_metadata:Aupperresource_metadata:a:a:yqresource_metadata:a:z1resource_metadata:a.bdotresource_metadata:b[{b'id': b'1', b'k': None, b'n': b"it's"}, b'\xc3\xbc', 2, 1.0, True]resource_metadata:empty_list[]sourceopenstacktimestamp2026-11-20T03:05:54+00:00user_idNoneuser_nameNone"#,
        ),
    ] {
        let body = fixture(name);
        let text = std::str::from_utf8(&body[shape::elements(&body).unwrap().remove(0)]).unwrap();
        let sample: Pairs = serde_json::from_str(text).unwrap();
        let signed = python::signed_text(&sample, text.as_bytes(), text, Dialect::Python3);
        assert_eq!(String::from_utf8(signed.unwrap()).unwrap(), expected, "{name}");
    }
}

#[test]
fn publishers_of_every_era_are_understood() {
    for name in [
        "dump-4-notifier-batch",
        "dump-5-telemetry-polling",
        "dump-6-rpc-single-sample",
        "pipeline-ipc",
        "payload-of-one-sample",
        "units-of-every-era",
        "volumes-of-every-spelling",
        "volumes-that-are-none",
    ] {
        assert_eq!(bad_signatures(&fixture(name), DEFAULT), [0; 0], "{name}");
    }
    for name in
        ["rpc-2012-one-sample", "rpc-2012-copy-to-metering-instance", "rpc-2013-list-of-two"]
    {
        assert_eq!(bad_signatures(&fixture(name), OLD_DEFAULT), [0; 0], "{name}");
        assert!(bad_signatures(&fixture(name), DEFAULT).contains(&0), "{name}");
    }
}

#[test]
fn samples_are_checked_one_by_one() {
    assert_eq!(bad_signatures(&fixture("unsigned"), DEFAULT), [0, 1]);
    assert_eq!(bad_signatures(&fixture("sample-with-half-a-surrogate"), DEFAULT), [0]);
    assert_eq!(
        bad_signatures(&fixture("samples-that-are-none"), DEFAULT),
        [10, 11, 12, 13, 14],
        "values that are not objects are not signed"
    );
    for none in ["empty-list", "payload-null"] {
        assert_eq!(bad_signatures(&fixture(none), DEFAULT), [0; 0], "{none}");
    }
    assert_eq!(bad_signatures(b"no message", DEFAULT), [0; 0]);
}

#[test]
fn a_signature_is_64_small_hex_digits() {
    let signed = sign(json!({"a": 1}), "s");
    assert_eq!(bad_indexes(std::slice::from_ref(&signed), "s"), [0; 0]);
    let digits = signed["message_signature"].as_str().unwrap();
    for wrong in [
        json!(digits.to_uppercase()),
        json!(digits[..63]),
        json!(format!("{digits}0")),
        json!(format!("+{}", &digits[1..])),
        json!("č".repeat(32)),
        json!([digits]),
        json!(null),
    ] {
        let mut sample = signed.clone();
        sample["message_signature"] = wrong;
        assert_eq!(bad_indexes(std::slice::from_ref(&sample), "s"), [0], "{sample}");
    }
}

#[test]
fn samples_nested_too_deeply_are_not_signed() {
    let mut nested = json!(1);
    for depth in 1..20 {
        nested = if depth % 2 == 0 { json!([nested]) } else { json!({"a": nested}) };
        let signed = sign(json!({"b": nested}), "s");
        assert_eq!(bad_indexes(&[signed], "s").is_empty(), depth <= 16, "{depth}");
    }
    for (open, close) in [("[", "]"), ("{\"a\": ", "}"), ("[{\"a\": ", "}]")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let signature = "0".repeat(64);
        let body = format!(
            r#"{{"event_type": "metering", "payload": [{{"message_signature": "{signature}", "b": {deep}}}]}}"#
        );
        assert_eq!(bad_signatures(body.as_bytes(), "s"), [0]);
    }
}

/// Adds the signature to a sample, computed in another way: over parsed values.
fn sign(mut sample: Value, secret: &str) -> Value {
    let mut text = String::new();
    flatten("", &sample, &mut text);
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
    sample["message_signature"] = json!(hex::encode(mac.finalize().into_bytes()));
    sample
}

fn flatten(name: &str, value: &Value, text: &mut String) {
    match value {
        // The map sorts its keys.
        Value::Object(object) => {
            for (key, value) in object {
                let name = if name.is_empty() { key.clone() } else { format!("{name}:{key}") };
                flatten(&name, value, text);
            }
        }
        Value::String(string) => *text += &format!("{name}{string}"),
        other => *text += &format!("{name}{}", printed(other)),
    }
}

fn printed(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => format!("b{}", quoted(string)),
        Value::Array(items) => format!("[{}]", list(items.iter().map(printed).collect())),
        Value::Object(object) => {
            let pair =
                |(key, value): (&String, &Value)| format!("b{}: {}", quoted(key), printed(value));
            format!("{{{}}}", list(object.iter().map(pair).collect()))
        }
    }
}

fn quoted(text: &str) -> String {
    let mut inside = String::new();
    for byte in text.bytes() {
        match byte {
            b'\\' => inside += "\\\\",
            b'\n' => inside += "\\n",
            b'\r' => inside += "\\r",
            b'\t' => inside += "\\t",
            0x20..0x7f => inside.push(byte.into()),
            _ => write!(inside, "\\x{byte:02x}").unwrap(),
        }
    }
    match (text.contains('\''), text.contains('"')) {
        (true, false) => format!("\"{inside}\""),
        _ => format!("'{}'", inside.replace('\'', "\\'")),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "['\"\\\\a\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let name = "[a-zč'\"\\\\. ]{1,4}";
    prop::collection::btree_map(name, value, 0..6).prop_map(|map| map.into_iter().collect())
}

/// The number of values that can be changed.
fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(object) if !object.is_empty() => object.values().map(leaves).sum(),
        Value::Array(items) if !items.is_empty() => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

/// Changes one of them; `skip` is the number of values before it.
fn change(value: &mut Value, skip: &mut usize) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            object.values_mut().for_each(|value| change(value, skip));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter_mut().for_each(|value| change(value, skip));
        }
        leaf => {
            if *skip == 0 {
                *leaf = match leaf.take() {
                    Value::Bool(value) => json!(!value),
                    Value::String(text) => json!(text + "x"),
                    Value::Number(number) => json!(format!("{number}1")),
                    _ => json!("x"),
                };
            }
            *skip = skip.wrapping_sub(1);
        }
    }
}

proptest! {
    #[test]
    fn another_implementations_signature_is_right_until_a_value_changes(
        sample in object(value()),
        secret in "\\PC{1,80}",
        other in "\\PC{1,80}",
        place: prop::sample::Index,
    ) {
        let signed = sign(sample.clone().into(), &secret);
        prop_assert_eq!(bad_indexes(std::slice::from_ref(&signed), &secret), [0; 0]);
        prop_assert_eq!(bad_indexes(&[signed.clone(), signed.clone()], &other).is_empty(), secret == other);
        let mut changed = Value::from(sample);
        let mut skip = place.index(leaves(&changed));
        change(&mut changed, &mut skip);
        if let Value::Object(changed) = &mut changed {
            changed.insert("message_signature".into(), signed["message_signature"].clone());
            prop_assert_eq!(bad_indexes(&[signed, changed.clone().into()], &secret), [1]);
        }
    }

    #[test]
    fn any_body_is_harmless(body: Vec<u8>, at: prop::sample::Index, byte: u8) {
        bad_signatures(&body, "s");
        let mut near = fixture("signature-3-lists");
        let at = at.index(near.len());
        near[at] = byte;
        bad_signatures(&near, "s3cr3t-ž");
    }
}
