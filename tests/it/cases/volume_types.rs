//! Volume types: ids in notifications, names in polls.

use serde_json::{Value, json};
use stackledger::config::File;
use stackledger::sales::verify;
use tokio_util::sync::CancellationToken;

use super::{draft, import, run, usage};
use crate::support::server::Server;

const HOURS: (&str, &str) = ("2026-11-20T10:00:00", "2026-11-20T14:00:00");
const VOLUME: &str = "6ad6c7f8-cd18-52d9-a892-665e4adcf65a";
const SSD: &str = "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a01";

#[tokio::test]
async fn one_late_detach_does_not_make_two_types_of_one() {
    run("04-volume-type-id-or-name", async |server: &Server| {
        let expected = [format!("{VOLUME} b1.ssd 150")];
        assert_eq!(usage(server, "t04", HOURS.0, HOURS.1).await, expected);
        let part = usage(server, "t04", "2026-11-20T11:30:00", "2026-11-20T12:00:00").await;
        assert_eq!(part, [format!("{VOLUME} b1.ssd 25")]);
        let (status, order) = issue(server, "t04").await;
        assert_eq!(status, 200, "{order}");
        assert_eq!(order["unrated"], json!([]));
        let amounts: Vec<&Value> =
            order["lines"].as_array().unwrap().iter().map(|line| &line["amount"]).collect();
        assert_eq!(
            (amounts, &order["total"]),
            (vec![&json!("0.037500")], &json!("0.04")),
            "{order}"
        );
        assert_verified(server).await;
    })
    .await;
}

#[tokio::test]
async fn the_name_may_come_from_any_resource_at_any_time() {
    let server = Server::with_projector().await;
    let of = |time: &str| {
        volume("t04", "only-ids", time, json!({"volume_type": SSD, "volume_type_id": SSD}))
    };
    import(&server, &[&of("2026-11-20T10:20:00"), &of("2026-11-20T11:20:00")]).await;
    // Nobody reported a name yet: visible, and without a rate.
    let nameless = [format!("only-ids b1.{SSD} 100")];
    assert_eq!(usage(&server, "t04", HOURS.0, HOURS.1).await, nameless);
    let found = draft(&server, "t04", "2026-11-21").await;
    assert_eq!(found["unrated"][0]["service"], format!("b1.{SSD}"), "{found}");
    let (status, problem) = issue(&server, "t04").await;
    assert_eq!(status, 409, "{problem}");
    // Another tenant's volume, an hour before, has the name.
    let named = json!({"volume_type": "ssd", "volume_type_id": SSD});
    import(&server, &[&volume("t05", "named", "2026-11-20T09:00:00", named)]).await;
    assert_eq!(usage(&server, "t04", HOURS.0, HOURS.1).await, ["only-ids b1.ssd 100"]);
    // A window by name and windows by id are one service.
    let named = json!({"volume_type": "ssd"});
    import(&server, &[&volume("t04", "only-ids", "2026-11-20T12:20:00", named)]).await;
    assert_eq!(usage(&server, "t04", HOURS.0, HOURS.1).await, ["only-ids b1.ssd 150"]);
    let (status, order) = issue(&server, "t04").await;
    assert_eq!(status, 200, "{order}");
    // A new name of the type changes what is still to be billed, and no order.
    let renamed = json!({"volume_type": "gold", "volume_type_id": SSD});
    import(
        &server,
        &[
            &volume("t05", "named", "2026-11-21T09:00:00", renamed),
            &of("2026-11-21T10:20:00"),
            // Late, in an hour that was billed: it changes nothing.
            &of("2026-11-20T10:40:00"),
        ],
    )
    .await;
    let next = draft(&server, "t04", "2026-11-22").await;
    assert_eq!(next["unrated"][0]["service"], "b1.gold", "{next}");
    assert_eq!(next["adjustments"], json!([]), "{next}");
    assert_verified(&server).await;
}

async fn issue(server: &Server, tenant: &str) -> (u16, Value) {
    let request = json!({"tenant": tenant, "end": "2026-11-21", "force": true});
    server.post("/sales_order", request.to_string()).await
}

async fn assert_verified(server: &Server) {
    let (file, stop) = (File::default(), CancellationToken::new());
    let report = verify(&server.db.database, &file, &stop, |_| ()).await.unwrap();
    assert_eq!((report.same, report.fault), (1, None));
}

/// Returns a message with a volume of 50 GiB.
fn volume(tenant: &str, id: &str, time: &str, metadata: Value) -> String {
    json!({
        "message_id": format!("m-{id}-{time}"), "publisher_id": "ceilometer.polling",
        "event_type": "telemetry.polling", "priority": "SAMPLE", "timestamp": time,
        "payload": {"samples": [{
            "source": "openstack", "counter_name": "volume.size", "counter_type": "gauge",
            "counter_unit": "GiB", "counter_volume": 50, "user_id": "u-1", "project_id": tenant,
            "resource_id": id, "timestamp": time, "resource_metadata": metadata,
            "message_id": format!("{id}-{time}"), "message_signature": "",
        }]},
    })
    .to_string()
}
