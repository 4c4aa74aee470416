//! Files that Ceilometer's own publishers write, imported by the real program. The fixtures are what the file
//! publisher of ceilometer 27.0.0 wrote.

use std::path::Path;

use stackledger::config::File;

use crate::support::database::{TestDatabase, database};
use crate::support::events::fixture;
use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;
use crate::support::unique;

/// Imports a file of these lines. Returns the last two counts of the program's answer: new events and known ones.
async fn import(db: &TestDatabase, lines: &[&[u8]]) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("ceilometer"));
    std::fs::write(&file, lines.join(&b'\n')).unwrap();
    let mut import = command(db, None);
    import.arg("import").arg(&file);
    let answer = succeed(import).await;
    std::fs::remove_file(&file).unwrap();
    answer.split_once(": ").unwrap().1.trim_end().to_owned()
}

/// The publisher writes JSON if its URL says `?json`, else Python's `repr`; the same sample is one in either form,
/// in any order.
#[tokio::test]
async fn a_file_of_the_file_publisher_has_its_samples() {
    let [json, repr, small, list] = [
        fixture("meter/file-publisher-json.json"),
        fixture("meter/file-publisher-repr.txt"),
        fixture("meter/file-publisher-repr-small-float.txt"),
        fixture("meter/http-publisher-list.json"),
    ];
    for lines in [[&*json, &repr, &small, &list], [&*list, &small, &repr, &json]] {
        let db = database().await;
        let answer = "4 lines, 3 new events, 1 known already, 0 kept as dead letters";
        assert_eq!(import(&db, &lines).await, answer);
        let answer = "4 lines, 0 new events, 4 known already, 0 kept as dead letters";
        assert_eq!(import(&db, &lines).await, answer);
        let server = Server::on(db, File::default()).await;
        wait_until_applied(&server.db).await;
        let samples = server.ok("/v1/samples").await;
        let mut shown: Vec<String> = samples["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sample| {
                let text = |name: &str| sample[name].as_str().unwrap().to_owned();
                assert_eq!(sample["project_id"], "3f8a2b6d4f0c4a1b9f6b7c1d2e3f4a5b");
                let parts = ["counter_name", "counter_type", "counter_volume", "counter_unit"];
                let [name, kind, volume, unit] = parts.map(text);
                format!("{name} {kind} {volume} {unit} of {}", text("resource_id"))
            })
            .collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                "cpu cumulative 12345678901234567890 ns of 1734bc44-1488-4edc-927e-eabe9bdeb398",
                "memory.usage gauge 103.61328125 MiB of 1734bc44-1488-4edc-927e-eabe9bdeb398",
                "network.incoming.bytes.rate gauge 0.00001 B/s of instance-0000000a-1734bc44-tap0",
            ]
        );
        let memory = &server.ok("/v1/samples?meter=memory.usage").await["items"][0];
        assert_eq!(memory["metadata"]["display_name"], "it's Zoë's \"web\" 成功");
        assert_eq!(memory["message_id"], "a50ea6de-c53a-11f1-8001-000000000001");
    }
}

/// Ceilometer's event has the `message_id` of the notification that it was made of. Whichever comes first, both
/// are kept: only the notification has a payload.
#[tokio::test]
async fn an_event_of_ceilometers_does_not_take_the_place_of_its_notification() {
    let [json, repr] = [
        fixture("other/ceilometer-event-of-the-file-publisher.json"),
        fixture("other/ceilometer-event-of-the-file-publisher-repr.txt"),
    ];
    let notification = br#"{"event_type": "compute.instance.create.end", "message_id": "5f000000-0000-4000-8000-000000000078", "publisher_id": "compute.c", "timestamp": "2026-11-19 10:00:07.123456", "payload": {"instance_id": "i-1", "tenant_id": "t"}}"#;
    for lines in [[&*json, &repr, notification], [notification, &repr, &json]] {
        let db = database().await;
        let answer = "3 lines, 2 new events, 1 known already, 0 kept as dead letters";
        assert_eq!(import(&db, &lines).await, answer);
        let counted = db.number("SELECT count(*) FROM log.event WHERE family = 'instance'").await;
        assert_eq!(counted, 1);
    }
}

/// What only looks like a CloudEvent is none.
#[tokio::test]
async fn a_body_without_a_specversion_is_kept_as_a_dead_letter() {
    let db = database().await;
    let body = br#"{"type": "gauge", "source": "openstack", "id": "1", "data": {"a": 1}}"#;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("ceilometer"));
    std::fs::write(&file, body).unwrap();
    let mut import = command(&db, None);
    import.arg("import").arg(&file);
    let output = crate::support::process::run(import).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let kept = db.number("SELECT count(*) FROM log.dead_letter WHERE reason LIKE 'no header:%'");
    assert_eq!(kept.await, 1);
}
