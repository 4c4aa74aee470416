//! CloudEvents in every form that the Python SDK (cloudevents 2.2.0) sends: structured with its data in base64, and
//! binary over HTTP and RabbitMQ.

use std::path::Path;

use stackledger::config::File;

use crate::support::broker::{broker, publish};
use crate::support::consumer::consume;
use crate::support::database::{TestDatabase, database};
use crate::support::events::fixture;
use crate::support::process::{command, run, succeed};
use crate::support::server::Server;
use crate::support::{eventually, unique};

/// The data of the fixture, as the SDK's binary mode sends it.
const DATA: &str =
    r#"{"instance_id": "1734bc44-1488-4edc-927e-eabe9bdeb398", "recipe": "r", "message": "größe"}"#;

/// The only event of the log.
async fn stored(db: &TestDatabase) -> String {
    let columns = "id, family, kind, stream, source, occurred_at";
    let data = "convert_from(body, 'UTF8')::jsonb -> 'data' AS data";
    let rows = db.rows(&format!("SELECT {columns}, {data} FROM log.event")).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

async fn stored_by_file() -> String {
    let db = database().await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("cloudevent"));
    std::fs::write(&file, fixture("recipe/data-base64-of-the-python-sdk.json")).unwrap();
    let mut import = command(&db, None);
    import.arg("import").arg(&file);
    succeed(import).await;
    std::fs::remove_file(&file).unwrap();
    stored(&db).await
}

#[tokio::test]
async fn one_event_is_the_same_in_every_mode_and_by_every_way() {
    let expected = stored_by_file().await;
    assert!(
        expected.contains("größe") && expected.contains("\"stream\": \"1734bc44"),
        "{expected}"
    );

    let server = Server::on(database().await, File::default()).await;
    let post = || {
        let request = server.http.post(server.url("/v1/events")).body(DATA);
        [
            ("ce-specversion", "1.0"),
            ("ce-type", "recipe.started"),
            ("ce-source", "//installer/vm-1%20%22%C4%8D%22"),
            ("ce-id", "e-sdk-1"),
            ("ce-time", "2026-11-20T03:05:54.580807Z"),
            ("content-type", "application/json"),
        ]
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value))
    };
    assert_eq!(post().send().await.unwrap().status(), 201);
    assert_eq!(post().send().await.unwrap().status(), 200);
    assert_eq!(stored(&server.db).await, expected);
    let base64 = fixture("recipe/data-base64-of-the-python-sdk.json");
    assert_eq!(server.post("/v1/events", base64).await.0, 200);

    for prefix in ["ce-", "cloudEvents:", "cloudEvents_"] {
        let (db, broker) = (database().await, broker().await);
        let (_connection, cloud) = broker.channel().await;
        let consuming = consume(&db, &broker);
        eventually("bound", || async {
            let bindings = broker.ask("bindings").await;
            bindings.as_array().unwrap().iter().any(|binding| binding["routing_key"] == "recipe.*")
        })
        .await;
        let attributes = [
            ("specversion", "1.0"),
            ("type", "recipe.started"),
            ("source", "//installer/vm-1 \"č\""),
            ("id", "e-sdk-1"),
            ("time", "2026-11-20T03:05:54.580807Z"),
        ];
        let names = attributes.map(|(name, _)| format!("{prefix}{name}"));
        let headers: Vec<(&str, &str)> =
            names.iter().zip(attributes).map(|(name, (_, value))| (&**name, value)).collect();
        for _ in 0..2 {
            publish(&cloud, "stackledger", "recipe.started", DATA.as_bytes(), &headers).await;
        }
        eventually("it is stored", || async {
            db.number("SELECT position FROM log.head").await == 1
        })
        .await;
        consuming.stop().await;
        assert_eq!(stored(&db).await, expected, "{prefix}");
        assert_eq!(broker.left().await, 0);
    }
}

/// In binary mode, too, a wrong attribute or a missing member of the data is named.
#[tokio::test]
async fn a_binary_event_that_is_incomplete_is_refused() {
    let server = Server::start().await;
    let request = || {
        let request = server.http.post(server.url("/v1/events"));
        request.header("ce-id", "1").header("ce-source", "s").header("ce-type", "recipe.started")
    };
    for (request, parameter) in [
        (request().body(DATA), "specversion"),
        (request().header("ce-specversion", "1.0").body(DATA), "time"),
        (
            request()
                .header("ce-specversion", "1.0")
                .header("ce-time", "2026-11-20T03:05:54Z")
                .body("{}"),
            "data.instance_id",
        ),
    ] {
        let problem = crate::support::server::refused(request).await;
        assert_eq!(
            (problem["status"].as_i64(), &problem["parameter"]),
            (Some(400), &parameter.into())
        );
    }
}

/// Data that is not JSON stays in base64, and the event is logged.
#[tokio::test]
async fn a_picture_is_an_event_without_readable_data() {
    let db = database().await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("cloudevent"));
    std::fs::write(&file, fixture("other/cloudevent-data-base64-no-json.json")).unwrap();
    let mut import = command(&db, None);
    import.arg("import").arg(&file);
    assert_eq!(run(import).await.status.code(), Some(0));
    std::fs::remove_file(&file).unwrap();
    let body = db.number(
        "SELECT count(*) FROM log.event WHERE convert_from(body, 'UTF8')::json ->> 'data_base64' = 'iVBORwA='",
    );
    assert_eq!(body.await, 1);
}
