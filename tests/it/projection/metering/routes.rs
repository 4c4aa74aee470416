use serde_json::{Value, json};

use crate::support::events::append;
use crate::support::projector::wait_until_applied;
use crate::support::samples::{polled, sample, with};
use crate::support::server::Server;

/// Two tenants that use one resource id, two meters, a sample without a tenant, and two invalid ones.
async fn projected() -> Server {
    let server = Server::with_projector().await;
    let memory = json!({"counter_name": "memory", "counter_type": "gauge", "counter_unit": "MB"});
    let other = json!({"project_id": "q", "message_id": "q", "resource_metadata": {}});
    let samples = [
        sample(0, "r", json!(6490000000_u64)),
        sample(10, "r", json!(1e-5)),
        with(sample(10, "r", json!("512.0")), &memory),
        with(sample(10, "r", json!(2)), &other),
        sample(20, "s", json!(3)),
    ];
    let nobody_s =
        with(sample(30, "t", json!(4)), &json!({"project_id": null, "message_id": null}));
    let wrong = with(sample(30, "r", json!("many")), &json!({"message_id": "w"}));
    append(&server.db.database, &[polled(1, &samples), polled(2, &[nobody_s, wrong, json!(7)])])
        .await;
    wait_until_applied(&server.db).await;
    server
}

/// `counter_name resource_id volume` of each.
fn shown(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    items
        .map(|item| {
            ["counter_name", "resource_id", "counter_volume"].map(|key| text(item, key)).join(" ")
        })
        .collect()
}

#[tokio::test]
async fn samples_are_listed_in_time_order() {
    let server = projected().await;
    let all =
        ["cpu r 6490000000", "cpu r 0.00001", "cpu r 2", "memory r 512", "cpu s 3", "cpu t 4"];
    assert_eq!(shown(&server.ok("/v1/samples").await), all);
    for path in ["/v1/samples?limit=1", "/v1/samples?limit=2&to=2026-12-01T00:00:00Z"] {
        let (mut listed, mut next) = (Vec::new(), path.to_owned());
        loop {
            let page = server.ok(&next).await;
            listed.extend(shown(&page));
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("{path}&cursor={cursor}");
        }
        assert_eq!(listed, all, "{path}");
    }
    for (query, expected) in [
        ("meter=memory", vec!["memory r 512"]),
        ("project_id=q", vec!["cpu r 2"]),
        ("project_id=p&meter=cpu", vec!["cpu r 6490000000", "cpu r 0.00001", "cpu s 3"]),
        ("resource_id=r", all[..4].to_vec()),
        ("resource_id=r&project_id=p", vec!["cpu r 6490000000", "cpu r 0.00001", "memory r 512"]),
        ("project_id=p&limit=1000", [&all[..2], &all[3..5]].concat()),
        ("resource_id=nobody", vec![]),
        ("meter=nothing", vec![]),
        // Half-open, to the µs.
        ("from=2026-11-20T00:10:00.5Z&to=2026-11-20T00:20:00.5Z", all[1..4].to_vec()),
        ("from=2026-11-20T00:20:00.500001Z", vec!["cpu t 4"]),
    ] {
        assert_eq!(shown(&server.ok(&format!("/v1/samples?{query}")).await), expected, "{query}");
    }
    for (query, parameter) in
        [("to=now", "to"), ("meter=", "meter"), ("cursor=5b5d", "cursor"), ("tenant=p", "tenant")]
    {
        let problem = server.refused(&format!("/v1/samples?{query}")).await;
        assert_eq!(problem["parameter"], parameter);
    }
}

#[tokio::test]
async fn a_sample_has_the_columns_of_the_proposal_and_its_metadata() {
    let server = projected().await;
    let first = &server.ok("/v1/samples?limit=1").await["items"][0];
    assert_eq!(
        *first,
        json!({
            "counter_name": "cpu", "counter_type": "cumulative", "counter_unit": "ns",
            "counter_volume": "6490000000", "message_id": "r-0-0", "project_id": "p",
            "resource_id": "r", "source": "openstack", "timestamp": "2026-11-20T00:00:00.5Z",
            "user_id": "u", "metadata": {"flavor": {"name": "m1.small"}},
            "event_id": "00000000-0000-0000-0000-000000000001",
        })
    );
    let nobody_s = &server.ok("/v1/samples?resource_id=t").await["items"][0];
    assert_eq!(nobody_s["project_id"], Value::Null);
    assert_eq!(nobody_s["message_id"], "00000000-0000-0000-0000-000000000002.0");
}

#[tokio::test]
async fn meters_and_resources_sum_up() {
    let server = projected().await;
    let expected = json!([
        {"meter": "cpu", "type": "cumulative", "unit": "ns", "samples": 5,
         "first_at": "2026-11-20T00:00:00.5Z", "last_at": "2026-11-20T00:30:00.5Z"},
        {"meter": "memory", "type": "gauge", "unit": "MiB", "samples": 1,
         "first_at": "2026-11-20T00:10:00.5Z", "last_at": "2026-11-20T00:10:00.5Z"},
    ]);
    assert_eq!(server.ok("/v1/meters").await["items"], expected);
    let page = server.ok("/v1/meters?limit=1").await;
    let next = page["next"].as_str().unwrap();
    let page = server.ok(&format!("/v1/meters?limit=1&cursor={next}")).await;
    assert_eq!((&page["items"][0], &page["next"]), (&expected[1], &Value::Null));

    let ids = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| format!("{} {}", item["resource_id"], item["project_id"])).collect()
    };
    let all = [r#""r" "p""#, r#""r" "q""#, r#""s" "p""#, r#""t" null"#];
    for (query, expected) in [
        ("", &all[..]),
        ("?project_id=q", &all[1..2]),
        ("?meter=memory", &all[..1]),
        ("?project_id=p&meter=cpu", &[all[0], all[2]]),
        ("?meter=nothing", &[]),
    ] {
        assert_eq!(ids(&server.ok(&format!("/v1/resources{query}")).await), expected, "{query}");
    }
    let page = server.ok("/v1/resources?limit=1").await;
    assert_eq!(
        page["items"][0],
        json!({"resource_id": "r", "project_id": "p", "first_at": "2026-11-20T00:00:00.5Z",
               "last_at": "2026-11-20T00:10:00.5Z", "meters": ["cpu", "memory"], "user_id": "u", "user_name": null, "project_name": null,
               "source": "openstack", "metadata": {"flavor": {"name": "m1.small"}}})
    );
    let next = page["next"].as_str().unwrap();
    let rest = server.ok(&format!("/v1/resources?limit=3&cursor={next}")).await;
    assert_eq!(
        (ids(&rest), &rest["next"]),
        (all[1..].iter().map(ToString::to_string).collect(), &Value::Null)
    );
}

#[tokio::test]
async fn samples_that_do_not_count_are_listed_with_the_reason() {
    let server = projected().await;
    let list = server.ok("/v1/samples/rejected").await;
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["index"], &items[1]["index"]), (2, &json!(2), &json!(1)));
    assert!(items[0]["reason"].as_str().unwrap().contains("object"), "{}", items[0]);
    assert_eq!(items[0]["resource_id"], Value::Null);
    let many = &items[1];
    assert!(many["reason"].as_str().unwrap().contains("number"), "{many}");
    assert_eq!((&many["counter_volume"], &many["message_id"]), (&json!("many"), &json!("w")));
    assert_eq!(many["timestamp"], "2026-11-20T00:30:00.5Z");
    assert_eq!(
        (&many["position"], &many["event_id"]),
        (&json!(2), &json!("00000000-0000-0000-0000-000000000002"))
    );
    let page = server.ok("/v1/samples/rejected?limit=1").await;
    let next = page["next"].as_str().unwrap();
    let page = server.ok(&format!("/v1/samples/rejected?limit=1&cursor={next}")).await;
    assert_eq!((&page["items"][0], &page["next"]), (many, &Value::Null));
}
