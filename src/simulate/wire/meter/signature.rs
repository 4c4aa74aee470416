//! Ceilometer's signature of a sample, implemented from its description alone: the code that checks
//! signatures shares nothing with it.

use std::{collections::BTreeMap, fmt::Write};

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

/// Returns the HMAC of all fields of the sample except the signature, in hexadecimal digits; `""` without a
/// secret.
pub(super) fn sign<T: Serialize>(sample: &T, secret: &str) -> String {
    if secret.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    if let Ok(Value::Object(sample)) = serde_json::to_value(sample) {
        flatten(&sample, "", &mut text);
    }
    let mut hmac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    hmac.update(text.as_bytes());
    hex::encode(hmac.finalize().into_bytes())
}

/// Appends the names and values of a level in the order of the names, nested levels included.
fn flatten(level: &Map<String, Value>, prefix: &str, out: &mut String) {
    for (key, value) in sorted(level) {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(level) => flatten(level, &format!("{name}:"), out),
            _ if name == "message_signature" => {}
            Value::String(text) => out.extend([&name, text.as_str()]),
            _ => {
                out.push_str(&name);
                push_repr(value, out);
            }
        }
    }
}

fn sorted(level: &Map<String, Value>) -> BTreeMap<&String, &Value> {
    level.iter().collect()
}

/// Appends Python's `repr` of a value whose strings are all encoded.
fn push_repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => push_bytes_repr(text, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                push_repr(item, out);
            }
            out.push(']');
        }
        Value::Object(level) => {
            out.push('{');
            for (n, (key, value)) in sorted(level).into_iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                push_bytes_repr(key, out);
                out.push_str(": ");
                push_repr(value, out);
            }
            out.push('}');
        }
    }
}

/// Appends `repr(text.encode())`.
fn push_bytes_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push('b');
    out.push(quote);
    for byte in text.bytes() {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\'' if quote == '\'' => out.push_str("\\'"),
            b' '..=b'~' => out.push(byte.into()),
            other => write!(out, "\\x{other:02x}").expect("writing to a String does not fail"),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(sample: &str, secret: &str) -> String {
        sign(&serde_json::from_str::<Value>(sample).unwrap(), secret)
    }

    /// The expected signatures were computed by Ceilometer's own code.
    #[test]
    fn signatures_are_ceilometers() {
        let flat = r#"{"a": 1, "b": 2, "c": null, "d": true, "e": 1.5, "f": "x", "message_signature": "any"}"#;
        assert_eq!(
            signed(flat, "not-so-secret"),
            "1a8e780c23e6982527cc7b887e6d2837067dd3b4dda98811fe89d2cf8bb9a9f4"
        );
        let sample = r#"{"source": "openstack", "counter_name": "cpu", "counter_type": "cumulative",
            "counter_unit": "ns", "counter_volume": 6490000000,
            "user_id": "3f6c7b0e1a2b4c5d8e9fa0b1c2d3e4f5", "user_name": null,
            "project_id": "9f2d4b6a8c0e1f3a5b7c9d0e2f4a6b8c", "project_name": null,
            "resource_id": "bd9431c1-8d69-4ad3-803a-8d4a6b89fd36",
            "timestamp": "2026-11-20T03:05:54.580807",
            "resource_metadata": {"display_name": "žluťoučký-vm",
                "flavor": {"name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, "ephemeral": 0, "swap": 0},
                "image": null, "task_state": "", "cpu_number": 1, "user_metadata": {}},
            "message_id": "c5a3f1d2-c5b1-11f0-9a1b-fa163e3b2f10", "monotonic_time": 12345.678901}"#;
        assert_eq!(
            signed(sample, "change this for valid signing"),
            "1dfe20b796910a664716b6b32903c6fc88288864b68c2dd455d70637dd608a55"
        );
        let lists = r#"{"source": "openstack", "counter_name": "volume.size", "counter_type": "gauge",
            "counter_unit": "GiB", "counter_volume": 10.0, "user_id": null, "user_name": null,
            "project_id": "9f2d4b6a8c0e1f3a5b7c9d0e2f4a6b8c", "project_name": null,
            "resource_id": "5f4d-vol", "timestamp": "2026-11-20T03:05:54+00:00",
            "resource_metadata": {
                "b": [{"id": "1", "n": "it's", "k": null}, "ü", 2, 1.0, true],
                "a": {"z": 1, "a": {"y": "q"}}, "empty_list": [], "empty": {}, "a.b": "dot",
                "A": "upper"},
            "message_id": "c5a3f1d2-c5b1-11f0-9a1b-fa163e3b2f11", "monotonic_time": null}"#;
        assert_eq!(
            signed(lists, "s3cr3t-ž"),
            "69c59ac14e70a9c28912d83695d32b58374f6de8e4b6bdfebd457f1eee6510e3"
        );
    }

    #[test]
    fn without_a_secret_there_is_no_signature() {
        assert_eq!(signed(r#"{"a": 1}"#, ""), "");
    }

    #[test]
    fn bytes_are_quoted_as_python_quotes_them() {
        let repr = |text| {
            let mut out = String::new();
            push_bytes_repr(text, &mut out);
            out
        };
        assert_eq!(repr("a"), "b'a'");
        assert_eq!(repr("it's"), r#"b"it's""#);
        assert_eq!(repr(r#"'""#), r#"b'\'"'"#);
        assert_eq!(repr("ü\t\\\u{7f}"), r"b'\xc3\xbc\t\\\x7f'");
    }
}
