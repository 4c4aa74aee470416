//! Every reason for refusing an order, with its message.

use serde_json::{Value, json};

use super::world::*;
use crate::support::server::Server;

async fn detail(server: &Server, path: &str, body: Value, status: u16) -> String {
    server.refuses(path, body, status).await["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_fault_of_a_request_is_named() {
    let server = serving(config(""), &days("t", &["2026-11-02"])).await;
    let day = "a date is expected, as 2026-11-20, from 2000 on and before 2100";
    let moment = "a time is expected, like 2026-11-20T03:05:54 (UTC), 2026-11-20T03:05:54Z or \
        2026-11-20 (midnight in the billing time zone)";
    let later = "2026-11-05T00:00:00Z lies in the future: it is 2026-11-04T00:00:00Z";
    for (path, body, parameter, expected) in [
        ("/sales_order", json!({}), "tenant", "the tenant's id is expected"),
        ("/sales_order", json!({"tenant": 7}), "tenant", "a text is expected"),
        ("/sales_order", json!({"tenant": "t", "ent": 1}), "ent", "there is no such field here"),
        ("/sales_order", json!({"tenant": "t", "end": "soon"}), "end", day),
        ("/sales_order", json!({"tenant": "t", "end": "2026-11-03T10:00:00"}), "end", day),
        ("/sales_order", json!({"tenant": "t", "end": 20261103}), "end", "a text is expected"),
        (
            "/sales_order",
            json!({"tenant": "t", "force": "yes"}),
            "force",
            "true or false is expected",
        ),
        (
            "/sales_order",
            json!({"tenant": "t", "end": "2026-11-05", "at": "2026-11-04"}),
            "end",
            later,
        ),
        (
            "/sales_order",
            json!({"tenant": "t", "at": "2099-01-01"}),
            "at",
            "an order is not issued in the future",
        ),
        ("/sales_draft", json!({"tenant": "t", "end": "soon"}), "end", moment),
        (
            "/sales_draft",
            json!({"tenant": "t", "end": "2026-11-05", "at": "2026-11-04"}),
            "end",
            later,
        ),
        ("/sales_draft", json!({}), "tenant", "the tenant's id is expected"),
        ("/sales_historic", json!({"tenant": "t"}), "date", "it is missing"),
        ("/sales_historic", json!({"tenant": "t", "date": "2026-02-30"}), "date", day),
        ("/sales_historic", json!({"date": "2026-11-02"}), "tenant", "the tenant's id is expected"),
        ("/sales_range", json!({"tenant": "t"}), "start", "it is missing"),
        ("/sales_range", json!({"tenant": "t", "start": "x"}), "start", moment),
        ("/sales_range", json!({"tenant": "t", "start": "2026-11-02", "end": ""}), "end", moment),
        (
            "/sales_range",
            json!({"tenant": "t", "start": "2026-11-02", "end": "2026-11-02"}),
            "end",
            "it has to be later than the start",
        ),
    ] {
        let problem = server.refuses(path, body.clone(), 400).await;
        assert_eq!(
            (&problem["parameter"], &problem["detail"]),
            (&json!(parameter), &json!(expected)),
            "{path} {body}"
        );
    }
    for path in ["/sales_order", "/sales_draft", "/sales_historic", "/sales_range"] {
        assert_eq!(detail(&server, path, json!([]), 400).await, "a JSON object is expected");
        let (status, problem) = server.post(path, "{").await;
        assert_eq!(status, 400, "{path}");
        assert!(problem["detail"].as_str().unwrap().starts_with("not JSON: "), "{problem}");
        let body = json!({"tenant": "nobody", "date": "2026-11-02", "start": "2026-11-02"});
        let mut body = body.as_object().unwrap().clone();
        let known: &[&str] = match path {
            "/sales_historic" => &["tenant", "date"],
            "/sales_range" => &["tenant", "start"],
            _ => &["tenant"],
        };
        body.retain(|name, _| known.contains(&name.as_str()));
        let text = detail(&server, path, body.into(), 404).await;
        assert_eq!(text, "no sample of the tenant \"nobody\" is known");
    }
    assert_eq!(server.get("/sales_order").await.0, 405);
}

#[tokio::test]
async fn a_time_that_is_billed_already_is_a_conflict() {
    let server = serving(config(""), &days("t", &["2026-11-02", "2026-11-03"])).await;
    let ask = |end: &str| json!({"tenant": "t", "end": end});
    assert_eq!(
        detail(&server, "/sales_order", ask("2026-11-02"), 409).await,
        "the tenant used nothing before 2026-11-02T00:00:00Z: its first order ends later"
    );
    let first = server.made("/sales_order", ask("2026-11-03")).await;
    let second = server.made("/sales_order", ask("2026-11-04")).await;
    for (path, end, covering) in [
        ("/sales_order", "2026-11-04", &second),
        ("/sales_order", "2026-11-03", &first),
        ("/sales_draft", "2026-11-03T10:00:00", &second),
        ("/sales_order", "2026-11-01", &second),
    ] {
        let problem = server.refuses(path, ask(end), 409).await;
        let id = covering["order_id"].as_str().unwrap();
        assert_eq!(problem["order_id"], id, "{end}");
        assert_eq!(
            problem["detail"].as_str().unwrap(),
            format!(
                "the tenant's orders reach up to 2026-11-04T00:00:00Z already, by the order {id}: \
                     the end of a new one has to be later"
            )
        );
    }
    assert_eq!(
        detail(&server, "/sales_historic", json!({"tenant": "t", "date": "2026-11-04"}), 404).await,
        "no sales order of the tenant covers that date"
    );
}

#[tokio::test]
async fn an_order_waits_for_the_last_samples_unless_forced() {
    let server = serving(config("settle_s = 600"), &days("t", &["2026-11-02"])).await;
    let at = |time: &str| json!({"tenant": "t", "at": format!("2026-11-03T{time}Z")});
    assert_eq!(
        detail(&server, "/sales_order", at("00:09:59"), 409).await,
        "samples may still be on their way: the order can be issued from 2026-11-03T00:10:00Z on, or at \
         once with \"force\": true"
    );
    let mut forced = at("00:00:00");
    forced["force"] = json!(true);
    // The end is the start of the current day.
    let order = server.made("/sales_order", forced).await;
    assert_eq!(order["to"], "2026-11-03T00:00:00Z");
    let patient = serving(config("settle_s = 600"), &days("t", &["2026-11-02"])).await;
    assert_eq!(patient.made("/sales_order", at("00:10:00")).await["to"], "2026-11-03T00:00:00Z");
}

#[tokio::test]
async fn usage_without_a_rate_is_not_billed_silently() {
    let text = format!("{USAGE}{}", rate("ip", "hour", "0.01", ""));
    let server = serving(file(&text), &days("t", &["2026-11-02"])).await;
    let ask = json!({"tenant": "t", "end": "2026-11-03"});
    let draft = server.made("/sales_draft", ask.clone()).await;
    assert_eq!(
        shown(&draft["unrated"], &["resource_id", "service", "volume", "rate", "reason"]),
        ["vm m1 9000 null no_rate"]
    );
    assert_eq!(
        detail(&server, "/sales_order", ask.clone(), 409).await,
        "there is no rate for what was used: m1 from 2026-11-02T10:00:00Z to 2026-11-02T13:00:00Z; a draft \
         shows it under \"unrated\""
    );
    assert_eq!(server.db.number("SELECT count(*) FROM log.sales_order").await, 0);
    let lenient = serving(
        file(&format!("[billing]\nallow_unrated = true\n{text}")),
        &days("t", &["2026-11-02"]),
    )
    .await;
    let order = lenient.made("/sales_order", ask).await;
    assert_eq!((&order["total"], &order["unrated"]), (&json!("0.01"), &draft["unrated"]));
}

/// Windows of another configuration are not billed.
#[tokio::test]
async fn an_order_waits_for_the_read_model() {
    let stopped = Server::start().await;
    stopped
        .execute("INSERT INTO projection.checkpoint (name, slot, version, config) VALUES ('metering', 'live', 0, '')")
        .await;
    assert_eq!(
        detail(&stopped, "/sales_draft", json!({"tenant": "t"}), 503).await,
        "usage is being computed anew, by another version or configuration"
    );
}

#[tokio::test]
async fn orders_of_other_senders_are_refused() {
    let server = serving(config(""), &days("t", &["2026-11-02"])).await;
    let forged = json!({"specversion": "1.0", "id": "1", "source": "me", "type": "billing.sales_order.issued",
        "time": "2026-11-03T00:00:00Z", "data": {"tenant_id": "t"}});
    let (status, problem) = server.post("/v1/events", forged.to_string()).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("type")));
    assert_eq!(problem["detail"], "only stackledger creates events of the types billing.*");

    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::unique("forged"));
    std::fs::write(&file, forged.to_string()).unwrap();
    let mut import = crate::support::process::command(&server.db, None);
    import.arg("import").arg(&file);
    let output = crate::support::process::run(import).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let letters = server.db.rows("SELECT reason FROM log.dead_letter").await;
    assert_eq!(
        letters,
        [r#"{"reason": "only stackledger creates events of the types billing.*"}"#]
    );
    assert_eq!(server.db.number("SELECT count(*) FROM log.event_billing").await, 0);
}
