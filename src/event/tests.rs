//! Every fixture, and properties of any body.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// The bodies in a folder of `fixtures`, by path, in order. The files of `cases` contain a body a line, and are not
/// among them.
fn fixtures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // A case is many messages in one file.
                folders.extend((!path.ends_with("cases")).then_some(path));
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "there are fixtures in {folder}");
    found
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    std::fs::read(path).unwrap()
}

fn event(name: &str) -> Event {
    decode(fixture(name), None).unwrap()
}

/// Wraps the body in an envelope, if it is a text.
fn envelope(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let envelope = serde_json::json!({"oslo.version": "2.0", "oslo.message": text});
    Some(envelope.to_string().into_bytes())
}

/// The compression that the transport's header would name for a file.
fn compression(name: &str) -> Option<Compression> {
    Compression::from_header(match name.rsplit_once('.')?.1 {
        "bz2" => "application/x-bz2",
        "gz" | "zlib" => "application/x-gzip",
        "xz" | "lzma" => "application/x-lzma",
        "zst" => "application/zstd",
        "br" => "application/x-brotli",
        _ => return None,
    })
}

/// Prints the header of an event on a few lines.
fn header(event: &Event) -> String {
    let text = |text: &Option<String>| format!("{text:?}");
    let time = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
    format!(
        "  {} {} {:?}\n  stream {} project {} source {:?}\n  at {} key {}{}\n",
        event.id,
        event.family,
        event.kind,
        text(&event.stream),
        text(&event.project_id),
        event.source,
        time(event.occurred_at),
        time(event.key_at),
        if event.redacted { " redacted" } else { "" },
    )
}

/// Prints the present fields of a notification.
fn notification(notification: &nova::Notification) -> String {
    let mut lines = format!(
        "  {:?} {:?}\n  instance {}",
        notification.format, notification.subject, notification.instance_id
    );
    for (name, value) in [
        ("request", &notification.request_id),
        ("service", &notification.publisher_service),
        ("speaker", &notification.publisher_host),
        ("name", &notification.name),
        ("project", &notification.project_id),
        ("host", &notification.host),
        ("flavor", &notification.flavor),
        ("image", &notification.image),
        ("state", &notification.state),
        ("task", &notification.task_state),
        ("created", &notification.created_at.map(|time| time.to_string())),
        ("launched", &notification.launched_at.map(|time| time.to_string())),
        ("deleted", &notification.deleted_at.map(|time| time.to_string())),
    ] {
        if let Some(value) = value {
            write!(lines, ", {name} {value:?}").unwrap();
        }
    }
    if notification.reports_deletion && notification.deleted_at.is_none() {
        lines += ", not deleted";
    }
    if let Some(fault) = &notification.fault {
        write!(lines, "\n  {fault:?}").unwrap();
    }
    lines + "\n"
}

/// Prints a sample on a line, of its metadata only the length.
fn sample(sample: &Result<meter::Sample, Box<meter::InvalidSample>>) -> String {
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    match sample {
        Ok(sample) => format!(
            "  {} {} {} {} of {} project {} user {} source {} at {} id {} metadata {}\n",
            sample.counter_name,
            shown(&sample.counter_type),
            sample.counter_volume,
            shown(&sample.counter_unit),
            sample.resource_id,
            shown(&sample.project_id),
            shown(&sample.user_id),
            shown(&sample.source),
            sample.timestamp,
            shown(&sample.message_id),
            sample.metadata.as_ref().map_or(0, String::len),
        ),
        Err(invalid) => format!(
            "  ! {}: {} {} of {} project {} at {} id {}\n",
            invalid.reason,
            shown(&invalid.counter_name),
            shown(&invalid.counter_volume),
            shown(&invalid.resource_id),
            shown(&invalid.project_id),
            shown(&invalid.timestamp.map(|at| at.to_string())),
            shown(&invalid.message_id),
        ),
    }
}

#[test]
fn headers_of_all_fixtures() {
    let mut all = String::new();
    for (name, body) in fixtures("") {
        let lines = match decode(body, compression(&name)) {
            Ok(event) => header(&event),
            Err(error) => format!("  {error}\n"),
        };
        write!(all, "{name}\n{lines}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn notifications_of_all_instance_fixtures() {
    let mut all = String::new();
    for (name, body) in fixtures("instance") {
        let event = decode(body, compression(&name)).unwrap();
        let lines = match nova::decode(&event.kind, &event.body) {
            Ok(Some(read)) => notification(&read),
            other => format!("  {other:?}\n"),
        };
        write!(all, "{name}\n{lines}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn events_of_all_recipe_fixtures() {
    let mut all = String::new();
    for (name, body) in fixtures("recipe") {
        let event = decode(body, None).unwrap();
        let read = recipe::decode(&event.kind, &event.body).map_err(|fault| fault.to_string());
        writeln!(all, "{name}\n  {read:?}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn events_of_all_deployment_fixtures() {
    let mut all = String::new();
    for (name, body) in fixtures("deployment") {
        let event = decode(body, None).unwrap();
        assert_eq!(event.family, Family::Deployment, "{name}");
        let read = deployment::decode(&event.kind, &event.body).map_err(|fault| fault.to_string());
        writeln!(all, "{name}\n  {read:?}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn samples_of_all_meter_fixtures() {
    let mut all = String::new();
    for (name, body) in fixtures("meter") {
        let event = decode(body, None).unwrap();
        assert_eq!(event.family, Family::Meter, "{name}");
        let samples = meter::samples(&event.body).unwrap();
        let lines: String = samples.iter().map(sample).collect();
        write!(all, "{name}\n{lines}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn values_of_all_perf_fixtures() {
    let mut all = String::new();
    for (name, body) in fixtures("perf") {
        let event = decode(body, None).unwrap();
        assert_eq!((event.family, event.kind.as_str()), (Family::Perf, perf::SAMPLED), "{name}");
        let lines = perf::read(&event.body, |samples| {
            samples.values().fold(format!("  {}\n", samples.host), |lines, value| match value {
                Ok(perf::Sample { metric, time, value }) => {
                    format!("{lines}  {metric} {value} at {time}\n")
                }
                Err(perf::InvalidSample { reason, metric, time }) => {
                    format!("{lines}  {metric:?} at {time:?}: {reason}\n")
                }
            })
        });
        write!(all, "{name}\n{}", lines.unwrap_or_else(|fault| format!("  {fault}\n"))).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn fixtures_decode_again_to_the_same_event() {
    for (name, body) in fixtures("") {
        if let Ok(event) = decode(body, compression(&name)) {
            let again = decode(event.body.clone(), None).unwrap();
            assert_eq!(again, Event { redacted: again.redacted, ..event }, "{name}");
            assert!(!again.redacted, "{name}");
        }
    }
}

#[test]
fn fixtures_decode_alike_in_an_envelope() {
    for (name, body) in fixtures("") {
        if let Some(envelope) = envelope(&body) {
            assert_eq!(decode(envelope, None), decode(body, None), "{name}");
        }
    }
}

#[test]
fn an_envelope_and_a_compression_change_nothing() {
    let bare = event("envelope/format-1-bare.json");
    for name in ["format-2-version-2.0.json", "format-2-in-format-2.json", "compressed.zlib"] {
        assert_eq!(event(&format!("envelope/{name}")), bare, "{name}");
    }
    // Recognized by the first bytes above, named by the transport here.
    for end in ["zlib", "gz", "bz2", "xz", "lzma", "zst", "br"] {
        let name = format!("envelope/compressed.{end}");
        assert_eq!(decode(fixture(&name), compression(&name)).unwrap(), bare, "{name}");
    }
}

#[test]
fn copies_of_one_message_are_one_event() {
    let id = |name| event(name).id;
    assert_eq!(
        id("instance/copy-1-of-one-message.json"),
        id("instance/copy-2-of-one-message-other-unique-id.json")
    );
    assert_eq!(id("envelope/id-absent-copy-1.json"), id("envelope/id-absent-copy-2.json"));
    assert_eq!(
        id("meter/dump-6-rpc-single-sample.json"),
        id("meter/rpc-copy-other-unique-id.json")
    );
    assert_ne!(id("meter/dump-6-rpc-single-sample.json"), id("meter/rpc-list.json"));
    assert_ne!(
        id("other/cloudevent-unknown-type.json"),
        id("other/cloudevent-same-id-other-source.json")
    );
}

#[test]
fn no_secret_stays_in_a_body() {
    for (name, secrets) in [
        ("instance/secrets-in-an-old-context.json", &["d1c4e5", "adminURL"][..]),
        ("instance/wrap-exception-with-secrets.json", &["gAAAAAB", "letmein", "\"s\""][..]),
        ("instance/wrap-exception-with-a-context.json", &["adminURL", "gAAAAAB", "c-t0k"][..]),
        ("other/http-request-middleware.json", &["\"x\""][..]),
        ("other/http-response-middleware.json", &["gAAAAAB", "c-t0k"][..]),
        ("other/rpc-not-a-sample.json", &["letmein", "\"secret\""][..]),
    ] {
        let event = event(name);
        let body = std::str::from_utf8(&event.body).unwrap();
        assert!(event.redacted, "{name}");
        assert!(secrets.iter().all(|secret| !body.contains(secret)), "{name}: {body}");
    }
}

#[test]
fn secrets_leave_bodies_that_are_read_leniently() {
    let body =
        b"{\"event_type\": \"x\", \"payload\": [NaN, \"\xff\"], \"_context_auth_token\": \"t\"}";
    let event = decode(body.to_vec(), None).unwrap();
    let left =
        b"{\"event_type\": \"x\", \"payload\": [NaN, \"\xff\"], \"_context_auth_token\": null}";
    assert_eq!(event.body, left);
    assert!(event.redacted);
}

#[test]
fn bodies_without_secrets_stay_byte_for_byte() {
    for name in ["envelope/white-space-around.json", "poison/invalid-utf8-in-a-string.json"] {
        assert_eq!(event(name).body, fixture(name), "{name}");
    }
}

#[test]
fn nesting_hinders_neither_the_header_nor_the_instance() {
    let began = Instant::now();
    for (open, close) in
        [("[", "]"), ("{\"args\": ", "}"), ("{\"nova_object.data\": ", "}"), ("{\"flavor\": ", "}")]
    {
        let deep = open.repeat(100_000) + "1" + &close.repeat(100_000);
        let body = format!(
            r#"{{"event_type": "compute.instance.reboot.end", "payload": {{"args": {deep}, "instance_id": "i", "metadata": {deep}, "flavor": {deep}}}}}"#
        );
        let data = format!(r#"{{"uuid": "i", "nova_object.data": {deep}, "flavor": {deep}}}"#);
        let versioned = format!(
            r#"{{"event_type": "instance.reboot.end", "payload": {{"nova_object.data": {data}}}}}"#
        );
        for body in [body, versioned] {
            let event = decode(body.into_bytes(), None).unwrap();
            assert_eq!(event.stream.as_deref(), Some("i"));
            let notification = nova::decode(&event.kind, &event.body).unwrap().unwrap();
            assert_eq!(notification.instance_id, "i");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn envelopes_do_not_nest_without_end() {
    let envelope = r#"{"oslo.version": "2.0", "oslo.message": "#;
    let wrapped = |depth: usize| {
        let body = envelope.repeat(depth) + r#"{"event_type": "x"}"# + &"}".repeat(depth);
        decode(body.into_bytes(), None).map(|event| event.kind)
    };
    assert_eq!(wrapped(8).as_deref(), Ok("x"));
    assert_eq!(wrapped(100_000), Err(DecodeError::NoHeader));
}

/// Bodies that often look enough like messages to be read further.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("instance/failure-2a-no-valid-host-legacy.json"),
        Just("instance/wrap-exception-with-secrets.json"),
        Just("instance/nan-and-infinity.json"),
        Just("instance/versioned-create-error.json"),
        Just("meter/dump-6-rpc-single-sample.json"),
        Just("meter/volumes-that-are-none.json"),
        Just("recipe/ttm-metrics.json"),
        Just("deployment/instance-registered.json"),
        Just("envelope/compressed.zlib"),
        Just("envelope/compressed.zst"),
        Just("envelope/compressed.xz"),
        Just("meter/file-publisher-repr.txt"),
        Just("meter/http-publisher-list.json"),
        Just("recipe/data-base64-of-the-python-sdk.json"),
    ];
    let near = (name, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(name, index, byte, cut)| {
            let mut body = fixture(name);
            let at = index.index(body.len());
            body[at] = byte;
            if cut {
                body.truncate(at);
            }
            body
        },
    );
    prop_oneof![near, any::<Vec<u8>>()]
}

proptest! {
    #[test]
    fn any_body_is_harmless(body in body()) {
        if let Some(envelope) = envelope(&body) {
            prop_assert_eq!(decode(envelope, None), decode(body.clone(), None));
        }
        if let Ok(event) = decode(body, None) {
            let again = decode(event.body.clone(), None).unwrap();
            prop_assert_eq!(
                (again.id, again.family, &again.kind, &again.body),
                (event.id, event.family, &event.kind, &event.body)
            );
            prop_assert!(!again.redacted);
            let _ = nova::decode(&event.kind, &event.body);
            let _ = recipe::decode(&event.kind, &event.body);
            let _ = deployment::decode(&event.kind, &event.body);
            let _ = meter::samples(&event.body);
        }
    }

    #[test]
    fn any_event_type_has_a_header(kind in "\\PC{1,300}", payload in "\\PC*") {
        let body = serde_json::json!({"event_type": kind, "payload": payload}).to_string();
        let event = decode(body.into_bytes(), None).unwrap();
        prop_assert!(event.kind.len() <= TEXT_MAX);
        prop_assert!(kind.len() > TEXT_MAX || event.kind == kind);
        prop_assert!(nova::decode(&event.kind, &event.body).is_ok_and(|none| none.is_none()));
    }
}
