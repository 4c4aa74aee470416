use serde_json::{Value, json};
use stackledger::projection;

use crate::support::server::Server;

/// Makes every projection look like one that a process runs and that is at the start of the log.
async fn run_all(server: &Server) {
    for projection in projection::ALL {
        server
            .execute(&format!(
                "INSERT INTO projection.checkpoint (name, slot, version, config, position, holder, lease_until)
                 VALUES ('{}', 'live', 1, '', 0, 'here', now() + interval '1 min')",
                projection.name
            ))
            .await;
    }
}

async fn reasons(server: &Server) -> String {
    let problem = server.refused("/readyz").await;
    assert_eq!(problem["status"], 503);
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ready_means_able_to_work() {
    let server = Server::start().await;
    assert_eq!(server.ok("/healthz").await, json!({"status": "ok"}));
    let not_started = reasons(&server).await;
    for projection in projection::ALL {
        let reason = format!("projection {} has not started", projection.name);
        assert!(not_started.contains(&reason), "{not_started}");
    }

    run_all(&server).await;
    assert_eq!(server.ok("/readyz").await, json!({"status": "ready"}));

    server.health.set_fault("broker b", "connection refused");
    assert!(reasons(&server).await.contains("broker b: connection refused"));
    server.health.clear_fault("broker b");

    server.execute("UPDATE projection.checkpoint SET error = 'at event 7'").await;
    assert!(reasons(&server).await.contains("is stopped by an error: at event 7"));

    let lease = "UPDATE projection.checkpoint SET error = NULL, lease_until = now() - interval";
    server.execute(&format!("{lease} '20 s'")).await;
    assert_eq!(server.ok("/readyz").await, json!({"status": "ready"}));
    server.execute(&format!("{lease} '40 s'")).await;
    assert!(reasons(&server).await.contains("nobody runs"));
}

#[tokio::test]
async fn projections_show_their_position_and_state() {
    let server = Server::start().await;
    let list = async |at: &str| {
        let page = server.ok(&format!("/v1/projections{at}")).await;
        assert_eq!(page["next"], Value::Null);
        page["items"].as_array().unwrap().clone()
    };
    assert!(list("").await.is_empty());
    run_all(&server).await;
    let event = r#"{"specversion":"1.0","id":"1","source":"s","type":"heat.done"}"#;
    assert_eq!(server.post("/v1/events", event).await.0, 201);
    server
        .execute(
            "INSERT INTO projection.checkpoint (name, slot, version, config, position, lease_until)
             VALUES ('timing', 'next', 2, '', 1, now() + interval '1 min')",
        )
        .await;
    let recorded = server.ok("/v1/events/1").await["recorded_at"].as_str().unwrap().to_owned();
    let at = recorded.parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_secs(90);
    let items = list(&format!("?at={at}")).await;
    let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    let mut expected: Vec<&str> =
        projection::ALL.iter().map(|projection| projection.name).collect();
    expected.push("timing");
    expected.sort_unstable();
    assert_eq!(names, expected);
    let timing = expected.iter().position(|name| *name == "timing").unwrap();
    assert_eq!(
        items[timing],
        json!({"name": "timing", "checkpoint": 0, "head": 1, "lag_events": 1, "lag_s": 90.0,
               "state": "running", "version": 1, "error": null, "error_at": null, "skipped": 0})
    );
    let replay = &items[timing + 1];
    assert_eq!(replay["state"], "replaying");
    assert_eq!((&replay["lag_events"], &replay["lag_s"]), (&json!(0), &json!(0.0)));

    server.execute("UPDATE projection.checkpoint SET error = 'no', error_at = 0").await;
    assert_eq!(list("").await[0]["state"], "failed");
    assert_eq!(server.refused("/v1/projections?at=now").await["parameter"], "at");
}

#[tokio::test]
async fn metrics_include_those_of_the_database() {
    let server = Server::start().await;
    run_all(&server).await;
    server
        .execute(
            "INSERT INTO projection.export (target, table_name) VALUES ('mysql://u@h/\"d\"', 't')",
        )
        .await;
    server.ok("/healthz").await;
    let response = server.http.get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    for line in [
        "# HELP stackledger_log_head ",
        "# TYPE stackledger_log_head gauge",
        "# HELP stackledger_http_requests_total ",
        "stackledger_ready 1",
        "stackledger_database_up 1",
        "stackledger_database_read_age_seconds 0",
        "stackledger_log_head 0",
        "stackledger_dead_letters_open 0",
        "stackledger_projection_checkpoint{projection=\"timing\"} 0",
        "stackledger_projection_lag_events{projection=\"timing\"} 0",
        "stackledger_projection_lag_seconds{projection=\"timing\"} 0",
        "stackledger_projection_failed{projection=\"timing\"} 0",
        "stackledger_projection_skipped{projection=\"timing\"} 0",
        "stackledger_config_conflict{projection=\"timing\"} 0",
        "stackledger_log_bytes{family=\"instance\"} ",
        "stackledger_projection_bytes{projection=\"timing\"} ",
        "stackledger_export_position{target=\"mysql://u@h/\\\"d\\\"\",table=\"t\"} 0",
        "stackledger_export_lag_events{target=\"mysql://u@h/\\\"d\\\"\",table=\"t\"} 0",
        "stackledger_export_failing{target=\"mysql://u@h/\\\"d\\\"\",table=\"t\"} 0",
        "stackledger_http_requests_total{route=\"/healthz\",status=\"200\"} ",
        "stackledger_http_request_seconds_count{route=\"/healthz\"} ",
    ] {
        assert!(text.lines().any(|known| known.starts_with(line)), "{line} in {text}");
    }
}

#[tokio::test]
async fn the_description_contains_every_route() {
    let server = Server::start().await;
    let description = server.ok("/openapi.json").await;
    assert_eq!(description["info"]["title"], "Stackledger");
    let paths = description["paths"].as_object().unwrap();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/projections",
        "/v1/events",
        "/v1/events/{position}",
        "/v1/dead-letters",
        "/v1/dead-letters/{id}",
        "/v1/hosts",
        "/v1/perf/{host}",
        "/api/perf/{host}",
        "/api/perf/{host}/{*label}",
        "/v1/instances",
        "/v1/instances/{id}",
        "/v1/builds/incomplete",
        "/v1/timings",
        "/v1/requests/{request_id}",
        "/v1/deployments",
        "/v1/deployments/{deployment_id}",
        "/reports/deployment/{deployment_id}",
        "/reports/instance/{instance_id}",
        "/reports/instance/{instance_id}/service/{name}",
        "/v1/tenants",
        "/get_usage",
        "/last_collected",
        "/ttm/api/v1.0/time/now",
        "/ttm/api/v1.0/{id}/time/now",
        "/ttm/api/v1.0/instances/{id}/recipe/{name}",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    assert!(paths["/v1/events"]["post"].is_object());
    assert!(paths["/collect_usage"]["post"].is_object());
    let mut ids = Vec::new();
    for (path, item) in paths {
        for operation in item.as_object().unwrap().values() {
            assert!(operation["responses"]["default"].is_object(), "{path}");
            ids.push(operation["operationId"].as_str().unwrap());
            let names: Vec<&Value> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|parameter| &parameter["name"])
                .collect();
            let mut once = names.clone();
            once.dedup();
            assert_eq!(names, once, "{path}");
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "each operation has an id of its own");
    // Every schema that is referred to exists.
    let text = description.to_string();
    for name in text.split("#/components/schemas/").skip(1) {
        let name = name.split('"').next().unwrap();
        assert!(description["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn a_read_model_that_does_not_exist_yet_is_waited_for() {
    let server = Server::start().await;
    server.execute("DROP SCHEMA timing CASCADE").await;
    for path in ["/v1/instances", "/v1/timings", "/ttm/api/v1.0/instances/i-1"] {
        assert_eq!(server.refused(path).await["status"], 503, "{path}");
    }
}

/// As with tables of an older program, until the replay ends.
#[tokio::test]
async fn a_read_model_without_a_column_yet_is_waited_for() {
    let server = Server::start().await;
    server.execute("ALTER TABLE timing.instance RENAME COLUMN spawn_us TO older").await;
    assert_eq!(server.refused("/v1/instances").await["status"], 503);
}
