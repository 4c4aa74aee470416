//! Values that no field expects: whatever a payload contains, it reaches no read model's tables unchecked. The log
//! takes each message in, or keeps it as a dead letter, and every read model goes on without an error.

use std::path::Path;

use serde_json::Value;
use stackledger::config::File;

use crate::support::cloud::assert_verified;
use crate::support::process::{command, run};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;
use crate::support::unique;

/// A message of each kind.
const MESSAGES: [&str; 18] = [
    "instance/dump-1-legacy-create-end.json",
    "instance/dump-3-versioned-create-end.json",
    "instance/failure-1a-create-error-then-rescheduled.json",
    "instance/failure-2a-no-valid-host-legacy.json",
    "instance/failure-2e-migrate-server-legacy.json",
    "instance/exists-full-period.json",
    "instance/legacy-volume-attach.json",
    "recipe/recipe-ended-failure.json",
    "recipe/build-started.json",
    "recipe/ttm-metrics.json",
    "perf/both-forms.json",
    "perf/posted-by-lizmon.json",
    "meter/signature-2-real-sample.json",
    "meter/payload-of-one-sample.json",
    "deployment/deployment-declared.json",
    "deployment/instance-registered.json",
    "deployment/service-configuration-ended.json",
    "deployment/dump-7-heat-stack-create.json",
];

/// Stands for the odd value until the message is written.
const PLACE: &str = "the odd value stands here";

/// Odd values as JSON texts, or what senders take for JSON.
fn odd_values() -> Vec<String> {
    let long = "x".repeat(3000);
    let mut all: Vec<String> = [
        r#""a\u0000b""#,
        r#""\u0000""#,
        r#""\ud800""#,
        r#""""#,
        "null",
        "true",
        "[]",
        "{}",
        "-1",
        "1e400",
        "1e-400",
        "1180591620717411303424",
        "-0.0",
        "NaN",
        r#""NaN""#,
        r#""9999-12-31T23:59:59.999999Z""#,
        r#""0001-01-01T00:00:00""#,
        r#""294277-01-01T00:00:00""#,
        r#"["a\u0000b", {"a\u0000b": "\u0000"}]"#,
        r#"{"a\u0000b": ["\u0000", 1e400]}"#,
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("\"{long}\""));
    all.push(format!("\"{}\"", "\\u0000".repeat(600)));
    all.push("9".repeat(400));
    all.push(format!("{}1{}", "[".repeat(100), "]".repeat(100)));
    all
}

/// Calls `each` with the message in which one value after the other is replaced.
fn replace_each(message: &Value, path: &mut Vec<String>, each: &mut impl FnMut(&[String])) {
    let mut below = |key: String, value: &Value| {
        path.push(key);
        replace_each(value, path, each);
        each(path);
        path.pop();
    };
    match message {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(key, value)| below(key.replace('~', "~0").replace('/', "~1"), value));
        }
        // The elements of a list are alike.
        Value::Array(list) => {
            list.iter().take(1).for_each(|value| below("0".to_owned(), value));
        }
        _ => {}
    }
}

/// Gives the message an identity of its own.
fn identify(message: &mut Value, nth: usize) {
    let id = format!("{nth:08x}-0000-4000-8000-000000000000");
    for key in ["message_id", "id", "_unique_id"] {
        if let Some(value) = message.get_mut(key).filter(|value| value.is_string()) {
            *value = id.clone().into();
        }
    }
}

/// Returns the messages, one for each field and odd value.
fn messages(values: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for name in MESSAGES {
        let path = format!("fixtures/{name}");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let envelope: Value = serde_json::from_str(&text).unwrap();
        let message = match envelope["oslo.message"].as_str() {
            Some(inner) => serde_json::from_str(inner).unwrap(),
            None => envelope,
        };
        let mut paths = Vec::new();
        replace_each(&message, &mut Vec::new(), &mut |path| {
            paths.push(format!("/{}", path.join("/")))
        });
        for path in paths {
            for value in values {
                let mut odd = message.clone();
                identify(&mut odd, all.len());
                *odd.pointer_mut(&path).unwrap() = PLACE.into();
                all.push(odd.to_string().replace(&format!("\"{PLACE}\""), value));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_stops_a_read_model_or_is_refused_by_the_database() {
    let all = messages(&odd_values());
    assert!(all.len() > 1000, "{} messages", all.len());
    let server = Server::with_projector_of(File::default()).await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("odd"));
    std::fs::write(&file, all.join("\n")).unwrap();
    let mut import = command(&server.db, None);
    import.arg("import").arg(&file);
    // Exit code 1: some of the messages are no messages.
    let output = run(import).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    std::fs::remove_file(file).unwrap();
    wait_until_applied(&server.db).await;
    let stored = server.db.number("SELECT position FROM log.head").await;
    let kept = server.db.number("SELECT count(*) FROM log.dead_letter").await;
    assert!(stored > 500 && kept > 0, "{stored} events, {kept} dead letters");
    // Nothing that the database refused: neither by the log nor by a read model.
    assert_eq!(
        server.db.rows("SELECT reason FROM log.dead_letter WHERE reason LIKE '%refuses%'").await,
        [""; 0]
    );
    let skipped = server.ok("/v1/skipped?limit=1000").await;
    assert_eq!(skipped["next"], Value::Null);
    // Some say nothing that can be used, which the read models find themselves.
    for event in skipped["items"].as_array().unwrap() {
        assert_eq!(event["kind"], "unusable", "{event:#}");
    }
    let projections = server.ok("/v1/projections").await;
    for projection in projections["items"].as_array().unwrap() {
        assert_eq!(projection["error"], Value::Null, "{projection}");
        assert_eq!(projection["checkpoint"], stored, "{projection}");
    }
    assert_verified(&server.db).await;
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
}
