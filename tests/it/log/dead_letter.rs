//! Promise 7: poison messages neither block others nor disappear.

use stackledger::ingest::Decoder;

use crate::support::broker::{broker, declare_as_oslo, publish};
use crate::support::consumer::consume;
use crate::support::database::database;
use crate::support::events::fixture;
use crate::support::eventually;
use crate::support::process::{command, run, succeed};

/// Every fixture of every folder goes through a real queue, along with other odd bodies: each becomes an event or
/// a dead letter, and none affects the others.
#[tokio::test]
async fn every_fixture_becomes_an_event_or_a_dead_letter() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let consuming = consume(&db, &broker);
    eventually("bound", || async { !broker.ask("bindings").await.as_array().unwrap().is_empty() })
        .await;
    eventually("bound to nova", || async {
        broker
            .ask("bindings")
            .await
            .as_array()
            .unwrap()
            .iter()
            .any(|binding| binding["source"] == "nova")
    })
    .await;
    let mut bodies = Vec::new();
    for folder in std::fs::read_dir("fixtures").unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            bodies.push(std::fs::read(file.unwrap().path()).unwrap());
        }
    }
    assert!(bodies.len() > 150);
    let nested = format!(
        "{{\"message_id\": \"m\", \"event_type\": \"x\", \"payload\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    bodies.push(nested.into_bytes());
    bodies.push(vec![b' '; 16 << 20]);
    for body in &bodies {
        publish(&cloud, "nova", "notifications.info", body, &[]).await;
    }
    publish(
        &cloud,
        "nova",
        "notifications.info",
        b"zipped?",
        &[("compression", "application/x-gzip")],
    )
    .await;
    for unknown in ["unheard of", "gz\0"] {
        publish(&cloud, "nova", "notifications.info", b"zipped?", &[("compression", unknown)])
            .await;
    }
    // The expected events and dead letters: each body decoded on its own, once per identity.
    let mut events = std::collections::BTreeSet::new();
    let mut letters = std::collections::BTreeSet::new();
    for body in &bodies {
        match Decoder::default().decode(body.clone(), None) {
            Ok(event) => drop(events.insert((event.family, event.key_at, event.id))),
            Err(_) => drop(letters.insert(body.clone())),
        }
    }
    letters.insert(b"zipped?".to_vec());
    // The same bytes with another compression are another delivery.
    let count = letters.len() + 2;
    eventually("all of them are stored", || async {
        db.number("SELECT (SELECT position FROM log.head) + (SELECT count(*) FROM log.dead_letter)")
            .await
            >= (events.len() + count) as i64
    })
    .await;
    consuming.stop().await;
    assert_eq!(db.number("SELECT position FROM log.head").await, events.len() as i64);
    assert_eq!(db.number("SELECT count(*) FROM log.dead_letter").await, count as i64);
    let kept: Vec<Vec<u8>> = db
        .superuser()
        .await
        .query("SELECT body FROM log.dead_letter", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(kept.into_iter().collect::<std::collections::BTreeSet<_>>(), letters);
}

#[tokio::test]
async fn the_command_lists_shows_redrives_and_discards() {
    let db = database().await;
    let folder = tempfile();
    let file = folder.join("poison.jsonl");
    std::fs::write(&file, b"{\"not\": \"a message\"}\nnot json\n").unwrap();
    let mut import = command(&db, None);
    import.arg("import").arg(&file);
    let output = run(import).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 lines could not be read"));

    let list = |arguments: &[&str]| {
        let mut list = command(&db, None);
        list.arg("dead-letters").args(arguments);
        list
    };
    let listed = succeed(list(&["list"])).await;
    assert!(
        listed.contains("no header") && listed.contains("not JSON") && listed.contains("line 2"),
        "{listed}"
    );
    assert_eq!(succeed(list(&["show", "1"])).await, "{\"not\": \"a message\"}");
    let output = run(list(&["redrive", "--all"])).await;
    assert_eq!(output.status.code(), Some(1), "neither can be read yet");
    // Instead of a later version that can decode the letter, change the letter.
    let good = fixture("instance/delete-start.json");
    db.superuser()
        .await
        .execute("UPDATE log.dead_letter SET body = $1 WHERE id = 1", &[&good])
        .await
        .unwrap();
    assert_eq!(succeed(list(&["redrive", "1"])).await, "1: in the log\n");
    assert_eq!(succeed(list(&["redrive", "1"])).await, "1: in the log\n");
    assert_eq!(db.number("SELECT position FROM log.head").await, 1);
    succeed(list(&["discard", "2"])).await;
    assert!(!succeed(list(&["list"])).await.contains("line"));
    let all = succeed(list(&["list", "--all"])).await;
    assert!(all.contains("redriven") && all.contains("discarded"), "{all}");
    for arguments in [["show", "77"], ["discard", "77"], ["redrive", "77"]] {
        let output = run(list(&arguments)).await;
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "stackledger: there is no dead letter 77\n"
        );
    }
}

#[tokio::test]
async fn dead_letters_are_chosen_by_reason_and_origin() {
    let db = database().await;
    let folder = tempfile();
    for (name, lines) in
        [("a.jsonl", "{\"not\": \"a message\"}\nnot json\n"), ("b.jsonl", "no json\n")]
    {
        let file = folder.join(name);
        std::fs::write(&file, lines).unwrap();
        let mut import = command(&db, None);
        import.arg("import").arg(&file);
        assert_eq!(run(import).await.status.code(), Some(1));
    }
    let dead_letters = |arguments: &[&str]| {
        let mut dead_letters = command(&db, None);
        dead_letters.arg("dead-letters").args(arguments);
        dead_letters
    };
    let ids = async |arguments: &[&str]| -> Vec<i64> {
        let listed = succeed(dead_letters(&[&["list", "--json"], arguments].concat())).await;
        let objects =
            listed.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        objects.map(|object| object["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&[]).await, [1, 2, 3]);
    assert_eq!(ids(&["--reason", "not JSON"]).await, [2, 3]);
    assert_eq!(ids(&["--reason", "not JSON", "--origin", "b.jsonl"]).await, [3]);
    let listed = succeed(dead_letters(&["list", "--json", "--origin", "b.jsonl"])).await;
    let object: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&object["status"], &object["size"]), (&"open".into(), &7.into()));
    assert!(object["origin"].as_str().unwrap().ends_with("b.jsonl, line 1"), "{object}");

    let discarded = succeed(dead_letters(&["discard", "--reason", "not JSON"])).await;
    assert_eq!(discarded, "2: discarded\n3: discarded\n");
    assert_eq!(ids(&[]).await, [1]);
    assert_eq!(ids(&["--all"]).await, [1, 2, 3]);
    let redriven = run(dead_letters(&["redrive", "--origin", "a.jsonl"])).await;
    let shown = String::from_utf8(redriven.stdout).unwrap();
    assert!(shown.starts_with("1: ") && shown.lines().count() == 1, "{shown}");
    for both in [["discard", "1", "--reason", "x"], ["redrive", "1", "--origin", "x"]] {
        assert_eq!(run(dead_letters(&both)).await.status.code(), Some(2));
    }
    assert_eq!(run(dead_letters(&["discard"])).await.status.code(), Some(2));
}

/// Creates a folder for this test within the build folder.
fn tempfile() -> std::path::PathBuf {
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::unique("dl"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The broker sends a message's headers in one frame, which a publisher can make as large as the broker's limit.
/// A consumer that had agreed on smaller frames would never get past such a message.
#[tokio::test]
async fn headers_that_fill_a_frame_do_not_stop_the_consumer() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let consuming = consume(&db, &broker);
    eventually("bound to nova", || async {
        broker
            .ask("bindings")
            .await
            .as_array()
            .unwrap()
            .iter()
            .any(|binding| binding["source"] == "nova")
    })
    .await;
    let large = "v".repeat(120 << 10);
    for (id, headers) in [("a", vec![]), ("b", vec![("x-large", large.as_str())]), ("c", vec![])] {
        let body = format!(r#"{{"message_id": "{id}", "event_type": "compute.node.update"}}"#);
        publish(&cloud, "nova", "notifications.info", body.as_bytes(), &headers).await;
    }
    eventually("all three are stored", || async {
        db.number("SELECT position FROM log.head").await == 3
    })
    .await;
    consuming.stop().await;
}
