//! Messages whose properties a client library cannot read.

use serde_json::{Value, json};

use crate::support::broker::{broker, publish};
use crate::support::consumer::consume;
use crate::support::database::database;
use crate::support::eventually;
use crate::support::process::{command, succeed};
use crate::support::raw_amqp::{RawPublisher, long, short};

fn body(id: &str) -> Vec<u8> {
    let data = json!({"instance_id": "i", "recipe": "r"});
    let event = json!({"specversion": "1.0", "id": id, "source": "s", "type": "recipe.started",
                       "time": "2026-11-20T10:00:00Z", "data": data});
    event.to_string().into_bytes()
}

const APP_ID: &[u8] = b"\0\x08";
const HEADERS: &[u8] = b"\x20\0";

/// Brokers take any bytes as a short string. The message is kept byte for byte, its neighbours are in the log, and the
/// connection goes on.
#[tokio::test]
async fn a_message_whose_properties_are_not_utf_8_is_a_dead_letter() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    let consuming = consume(&db, &broker);
    eventually("our exchange is bound", || async {
        let bindings = broker.ask("bindings").await;
        let bindings = bindings.as_array().unwrap().iter();
        bindings.filter(|binding| binding["source"] == "stackledger").count() >= 6
    })
    .await;
    let mut raw = RawPublisher::connect(&broker).await;
    let mut neighbours = 0;
    let header = |name: &[u8]| [HEADERS, &long(&[&short(name)[..], b"V"].concat())].concat();
    let nested = [&short(b"outer")[..], b"F", &long(&[&short(b"\xfe")[..], b"t\x01"].concat())];
    for (id, properties) in [
        ("app", [APP_ID, &short(b"caf\xe9")].concat()),
        ("header", header(b"\xff\xfe")),
        ("nested", [HEADERS, &long(&nested.concat())].concat()),
        // Readable, and of other properties than other messages have.
        ("č", [APP_ID, &short("č".as_bytes())].concat()),
        ("none", header(b"x")),
    ] {
        for _ in 0..50 {
            neighbours += 1;
            let neighbour = body(&neighbours.to_string());
            publish(&cloud, "stackledger", "recipe.started", &neighbour, &[]).await;
        }
        raw.publish("stackledger", b"recipe.started", &properties, &body(id)).await;
    }
    // A routing key says nothing of the message.
    raw.publish("stackledger", b"recipe.\xff", &[0, 0], &body("key")).await;
    eventually("all are stored", || async {
        let events = db.number("SELECT count(*) FROM log.event").await;
        events == neighbours + 3 && db.number("SELECT count(*) FROM log.dead_letter").await == 3
    })
    .await;
    let rows = db
        .rows("SELECT reason, convert_from(body, 'UTF8') AS body FROM log.dead_letter ORDER BY reason, body")
        .await;
    let found: Vec<(String, Vec<u8>)> = rows
        .iter()
        .map(|row| {
            let row: Value = serde_json::from_str(row).unwrap();
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("reason"), text("body").into_bytes())
        })
        .collect();
    let (of_header, of_app) =
        ("the name of a header is not UTF-8", "the property app_id is not UTF-8");
    let expected = [(of_header, "header"), (of_header, "nested"), (of_app, "app")];
    let expected = expected.map(|(reason, id)| (reason.to_owned(), body(id)));
    assert_eq!(found, expected);
    assert_eq!(consuming.health.faults().len(), 0, "{:?}", consuming.health.faults());

    // Their bodies can be read: they may become events by hand.
    let mut redrive = command(&db, None);
    redrive.args(["dead-letters", "redrive", "--all"]);
    succeed(redrive).await;
    assert_eq!(db.number("SELECT count(*) FROM log.event").await, neighbours + 6);
    consuming.stop().await;
    assert_eq!(broker.left().await, 0);
}
