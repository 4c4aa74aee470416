//! Bodies that kombu compressed, under the names of its header.

use stackledger::config::Config;

use crate::support::broker::{broker, declare_as_oslo, publish};
use crate::support::consumer::consume_with;
use crate::support::database::database;
use crate::support::events::fixture;
use crate::support::eventually;

/// Every compression that kombu 5.7.0 has, from a broker whose URL was copied from a cloud's configuration. All are
/// one message; a bomb of each kind is a dead letter.
#[tokio::test]
async fn every_compression_of_kombu_is_read_from_a_queue() {
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let url = broker.url.replace("amqp://", "rabbit://");
    let consuming = consume_with(&db, &broker, |config| {
        config.amqp_urls = Config::from_vars([("AMQP_URL".to_owned(), url)]).unwrap().amqp_urls;
    });
    eventually("bound", || async {
        let bindings = broker.ask("bindings").await;
        let mut keys = bindings.as_array().unwrap().iter().map(|binding| &binding["routing_key"]);
        keys.any(|key| key == "notifications.*")
    })
    .await;
    let kinds = [
        ("application/x-gzip", "zlib"),
        ("application/x-bz2", "bz2"),
        ("application/x-lzma", "xz"),
        ("application/x-lzma", "lzma"),
        ("application/zstd", "zst"),
        ("application/x-brotli", "br"),
    ];
    for (name, end) in kinds {
        let body = fixture(&format!("envelope/compressed.{end}"));
        let headers = [("compression", name)];
        publish(&cloud, "nova", "notifications.info", &body, &headers).await;
    }
    let bombs =
        [("application/x-lzma", "xz"), ("application/zstd", "zst"), ("application/x-brotli", "br")];
    for (name, end) in bombs {
        let body = fixture(&format!("poison/bomb.{end}"));
        let headers = [("compression", name)];
        publish(&cloud, "nova", "notifications.info", &body, &headers).await;
    }
    eventually("all are stored", || async {
        db.number("SELECT (SELECT position FROM log.head) + (SELECT count(*) FROM log.dead_letter)")
            .await
            >= 4
    })
    .await;
    consuming.stop().await;
    assert_eq!(broker.left().await, 0);
    let rows = db.rows("SELECT id, kind FROM log.event").await;
    assert_eq!(
        rows,
        [
            r#"{"id": "5f000000-0000-4000-8000-000000000052", "kind": "compute.instance.create.end"}"#
        ]
    );
    let reasons =
        "SELECT count(*) FROM log.dead_letter WHERE reason LIKE '%contains more than 64 MiB'";
    assert_eq!(db.number(reasons).await, 3);
    assert_eq!(db.number("SELECT count(*) FROM log.dead_letter").await, 3);
}
