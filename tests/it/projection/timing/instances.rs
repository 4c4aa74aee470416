//! Instances, incomplete builds and requests.

use serde_json::{Value, json};

use crate::support::server::Server;

/// Inserts five instances, an hour apart, the first the oldest.
async fn insert_instances(server: &Server) {
    server
        .execute(
            "INSERT INTO timing.instance (instance_id, name, project_id, host, state, 
                 first_at, last_at, last_id, last_kind, build_status, build_started_at)
             SELECT 'i-' || n, CASE WHEN n > 1 THEN 'vm' || n END, 'p' || n % 2, 'h1', 'active', 
                    t, t + interval '1 min', gen_random_uuid(), 'compute.instance.create.start',
                    CASE WHEN n < 4 THEN 'building' ELSE 'complete' END, CASE WHEN n <> 3 THEN t + interval '1 s' END
             FROM (SELECT n, timestamptz '2026-11-20T00:00:00Z' + n * interval '1 h' FROM generate_series(1, 5) AS n) AS i (n, t)",
        )
        .await;
}

fn ids(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["instance_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn instances_are_listed_newest_first() {
    let server = Server::start().await;
    insert_instances(&server).await;
    let mut listed: Vec<String> = Vec::new();
    let mut path = "/v1/instances?limit=2".to_owned();
    loop {
        let page = server.ok(&path).await;
        listed.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/instances?limit=2&cursor={next}");
    }
    assert_eq!(listed, ["i-5", "i-4", "i-3", "i-2", "i-1"]);

    for (query, expected) in [
        ("project_id=p0", vec!["i-4", "i-2"]),
        ("project_id=p0&host=h1&state=active&limit=1000", vec!["i-4", "i-2"]),
        ("host=h2", vec![]),
        ("state=deleted", vec![]),
        ("started_after=2026-11-20T04:00:01Z", vec!["i-5", "i-4"]),
        ("started_before=2026-11-20T02:00:01Z", vec!["i-1"]),
        // An instance without a start counts by its first event.
        (
            "started_after=2026-11-20T03:00:00Z&started_before=2026-11-20T03:00:00.000001Z",
            vec!["i-3"],
        ),
    ] {
        assert_eq!(ids(&server.ok(&format!("/v1/instances?{query}")).await), expected, "{query}");
    }
    for (query, parameter) in [
        ("started_after=now", "started_after"),
        ("host=", "host"),
        ("cursor=5b5d", "cursor"),
        // Made up: `[-1,"i"]`, before 1970, and `[9223372036854775807,"i"]`, beyond the calendar.
        ("cursor=5b2d312c2269225d", "cursor"),
        ("cursor=5b393232333337323033363835343737353830372c2269225d", "cursor"),
    ] {
        let problem = server.refused(&format!("/v1/instances?{query}")).await;
        assert_eq!(problem["parameter"], parameter);
    }
}

#[tokio::test]
async fn an_instance_is_shown_with_its_operations_and_recipes() {
    let server = Server::start().await;
    server
        .execute(
            "INSERT INTO timing.instance (instance_id, name, project_id, host, flavor, image, state, 
                 first_at, last_at, last_id, last_kind, build_status, build_started_at, build_ended_at,
                 build_duration_us, spawn_us, attempts)
             VALUES ('i 1/ž', 'vm', 'p', 'h', 'm1.small', 'img', 'active', 
                 '2026-11-20T03:00:00Z', '2026-11-20T03:01:00.5Z', gen_random_uuid(), 'compute.instance.create.end',
                 'complete', '2026-11-20T03:00:00Z', '2026-11-20T03:01:00.5Z', 60500001, 20000000, 2);
             INSERT INTO timing.operation (instance_id, operation_id, at, operation, request_id, host, started_at, ended_at, duration_us, status, error)
             VALUES ('i 1/ž', gen_random_uuid(), '2026-11-20T03:00:40Z', 'create', 'req-1', 'h', '2026-11-20T03:00:40Z', '2026-11-20T03:01:00Z', 20000000, 'complete', NULL),
                    ('i 1/ž', gen_random_uuid(), '2026-11-20T03:00:00Z', 'create', 'req-1', 'g', '2026-11-20T03:00:00Z', '2026-11-20T03:00:30Z', NULL, 'failed', 'no disk');
             INSERT INTO timing.recipe (instance_id, recipe_id, at, recipe, started_at, start_message)
             VALUES ('i 1/ž', gen_random_uuid(), '2026-11-20T03:00:50Z', 'base::apt', '2026-11-20T03:00:50Z', 'go')",
        )
        .await;
    let shown = server.ok("/v1/instances/i%201%2F%C5%BE").await;
    assert_eq!(
        shown,
        json!({
            "instance_id": "i 1/ž", "name": "vm", "project_id": "p", "host": "h",
            "flavor": "m1.small", "image": "img", "state": "active", "deleted_at": null,
            "first_at": "2026-11-20T03:00:00Z", "last_at": "2026-11-20T03:01:00.5Z",
            "build": {
                "status": "complete", "started_at": "2026-11-20T03:00:00Z",
                "bootstrap_started_at": null, "ended_at": "2026-11-20T03:01:00.5Z", "end_inferred": false,
                "duration_s": 60.500001, "spawn_s": 20.0, "attempts": 2, "error": null,
            },
            "skewed": false,
            "operations": [
                {"operation": "create", "request_id": "req-1", "host": "g",
                 "started_at": "2026-11-20T03:00:00Z", "ended_at": "2026-11-20T03:00:30Z",
                 "duration_s": null, "status": "failed", "error": "no disk", "skewed": false},
                {"operation": "create", "request_id": "req-1", "host": "h",
                 "started_at": "2026-11-20T03:00:40Z", "ended_at": "2026-11-20T03:01:00Z",
                 "duration_s": 20.0, "status": "complete", "error": null, "skewed": false},
            ],
            "recipes": [
                {"recipe": "base::apt", "run_id": null, "started_at": "2026-11-20T03:00:50Z",
                 "ended_at": null, "duration_s": null, "outcome": null, "start_message": "go",
                 "end_message": null, "skewed": false},
            ],
        })
    );
    assert_eq!(server.refused("/v1/instances/none").await["status"], 404);
    assert_eq!(server.refused("/v1/instances/%00").await["status"], 400);
    assert_eq!(server.refused("/v1/instances/%ff").await["status"], 400);
    let long = format!("/v1/instances/{}", "x".repeat(2000));
    assert_eq!(server.refused(&long).await["status"], 404);
}

#[tokio::test]
async fn incomplete_builds_are_listed_oldest_first() {
    let server = Server::start().await;
    insert_instances(&server).await;
    let list = server.ok("/v1/builds/incomplete?at=2026-11-20T03:30:01Z").await;
    assert_eq!(ids(&list), ["i-1", "i-2", "i-3"]);
    assert_eq!(
        list["items"][0],
        json!({"instance_id": "i-1", "name": null, "project_id": "p1", "host": "h1",
               "started_at": "2026-11-20T01:00:01Z", "age_s": 9000.0, "phase": "building",
               "last_kind": "compute.instance.create.start", "last_at": "2026-11-20T01:01:00Z"})
    );
    let older = async |query: &str| {
        let path = format!("/v1/builds/incomplete?at=2026-11-20T03:30:01Z&{query}");
        server.ok(&path).await
    };
    assert_eq!(ids(&older("older_than_s=5400").await), ["i-1"]);
    assert_eq!(ids(&older("older_than_s=5399.999999").await), ["i-1", "i-2"]);
    assert_eq!(ids(&older("older_than_s=10000000000").await), Vec::<&str>::new());
    let first = older("limit=1").await;
    let second = older(&format!("limit=1&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(ids(&second), ["i-2"]);
    for query in ["older_than_s=-1", "older_than_s=x", "older_than_s=inf", "older_than_s="] {
        let problem = server.refused(&format!("/v1/builds/incomplete?{query}")).await;
        assert_eq!(problem["parameter"], "older_than_s");
    }
}

#[tokio::test]
async fn a_request_shows_all_it_caused() {
    let server = Server::start().await;
    server
        .execute(
            "INSERT INTO timing.request VALUES
             ('req-1', 'i-1', '{2026-11-20T00:00:01Z,2026-11-20T00:00:03Z}',
              '{00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000003}',
              '{create.start,create.end}', '{compute.a,compute.a}'),
             ('req-1', 'i-2', '{2026-11-20T00:00:02Z}', '{00000000-0000-0000-0000-000000000002}',
              '{create.start}', '{compute.b}')",
        )
        .await;
    let list = server.ok("/v1/requests/req-1").await;
    assert_eq!(ids(&list), ["i-1", "i-2", "i-1"]);
    assert_eq!(
        list["items"][1],
        json!({"occurred_at": "2026-11-20T00:00:02Z", "instance_id": "i-2", "kind": "create.start",
               "source": "compute.b", "event_id": "00000000-0000-0000-0000-000000000002"})
    );
    let first = server.ok("/v1/requests/req-1?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = server.ok(&format!("/v1/requests/req-1?limit=2&cursor={next}")).await;
    assert_eq!(ids(&second), ["i-1"]);
    assert_eq!(server.refused("/v1/requests/req-2").await["status"], 404);
}
