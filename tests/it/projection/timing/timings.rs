//! Durations of operations.

use serde_json::{Value, json};

use crate::support::server::Server;

/// Inserts 100 creates of 1 to 100 s at 03:00, 10 failed ones and an open one at 04:59, and a reboot.
async fn insert_operations(server: &Server) {
    server
        .execute(
            "INSERT INTO timing.operation (instance_id, operation_id, at, operation, host, started_at, ended_at, duration_us, status)
             SELECT 'i', gen_random_uuid(), timestamptz '2026-11-20T03:00:00Z', 'create', CASE WHEN n % 2 = 0 THEN 'h0' END, timestamptz '2026-11-20T03:00:00Z',
                    timestamptz '2026-11-20T03:00:00Z' + n * interval '1 s', n * 1000000, 'complete'
             FROM generate_series(1, 100) AS n
             UNION ALL
             SELECT 'i', gen_random_uuid(), '2026-11-20T04:59:00Z', 'create', 'h0', '2026-11-20T04:59:00Z', NULL, NULL, CASE WHEN n > 1 THEN 'failed' ELSE 'open' END
             FROM generate_series(1, 11) AS n
             UNION ALL
             SELECT 'i', gen_random_uuid(), '2026-11-20T03:59:59.999999Z', 'reboot', 'h0', NULL, '2026-11-20T03:59:59.999999Z', NULL, 'start_missing'",
        )
        .await;
    // Their hourly sums, as the projection would write them.
    let rows = server
        .sql
        .query(
            "SELECT d.dimension, operation, date_trunc('hour', coalesce(started_at, ended_at)),
                    CASE d.dimension WHEN '' THEN '' ELSE coalesce(host, '') END,
                    count(*), count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'open'),
                    coalesce(sum(duration_us), 0)::bigint,
                    coalesce(array_agg(duration_us) FILTER (WHERE duration_us IS NOT NULL), '{}')
             FROM timing.operation, (VALUES (''), ('host')) AS d (dimension) GROUP BY 1, 2, 3, 4",
            &[],
        )
        .await
        .unwrap();
    for row in rows {
        let (sum, durations): (i64, Vec<i64>) = (row.get(7), row.get(8));
        let mut bins = std::collections::BTreeMap::<i32, i64>::new();
        for us in durations {
            *bins.entry(stackledger::sketch::bin(us.unsigned_abs())).or_default() += 1;
        }
        let (bins, counts): (Vec<i32>, Vec<i64>) = bins.into_iter().unzip();
        let (dimension, operation, value): (String, String, String) =
            (row.get(0), row.get(1), row.get(3));
        let hour: jiff::Timestamp = row.get(2);
        server
            .sql
            .execute(
                "INSERT INTO timing.operation_hour (dimension, operation, hour, value, count, failed, open, sum_us, bins, bin_counts)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint, $9, $10)",
                &[&dimension, &operation, &hour, &value, &row.get::<_, i64>(4), &row.get::<_, i64>(5),
                  &row.get::<_, i64>(6), &sum, &bins, &counts],
            )
            .await
            .unwrap();
    }
}

#[track_caller]
fn is_near(shown: &Value, expected: f64) {
    let shown = shown.as_f64().unwrap();
    assert!((shown - expected).abs() <= expected * 0.021, "{shown} is not near {expected}");
}

#[tokio::test]
async fn timings_of_the_sketches_are_near_the_exact_ones() {
    let server = Server::start().await;
    insert_operations(&server).await;
    let near = server.ok("/v1/timings").await;
    assert_eq!(
        (&near["next"], &near["from"], &near["to"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let exact = server.ok("/v1/timings?exact=true").await;
    for list in [&near, &exact] {
        let [create, reboot] = list["items"].as_array().unwrap().as_slice() else {
            panic!("{list}");
        };
        assert_eq!(create["group"], "create");
        assert_eq!(
            (&create["count"], &create["failed"], &create["open"]),
            (&json!(111), &json!(10), &json!(1))
        );
        assert_eq!(create["mean_s"], 50.5);
        is_near(&create["min_s"], 1.0);
        is_near(&create["p50_s"], 50.5);
        is_near(&create["p90_s"], 90.1);
        is_near(&create["p95_s"], 95.05);
        is_near(&create["p99_s"], 99.01);
        is_near(&create["max_s"], 100.0);
        assert_eq!(
            reboot,
            &json!({"group": "reboot", "count": 1, "failed": 0, "open": 0, "min_s": null, "mean_s": null,
                    "p50_s": null, "p90_s": null, "p95_s": null, "p99_s": null, "max_s": null})
        );
    }
    assert_eq!(exact["items"][0]["p50_s"], 50.5);
    assert_eq!(exact["items"][0]["max_s"], 100.0);
}

#[tokio::test]
async fn timings_are_grouped_and_paged() {
    let server = Server::start().await;
    insert_operations(&server).await;
    for exact in ["false", "true"] {
        let path = format!("/v1/timings?operation=create&group_by=host&exact={exact}");
        let list = server.ok(&path).await;
        let groups: Vec<(&Value, &Value)> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (&item["group"], &item["count"]))
            .collect();
        assert_eq!(groups, [(&Value::Null, &json!(50)), (&json!("h0"), &json!(61))]);
        let first = server.ok(&format!("{path}&limit=1")).await;
        let next = first["next"].as_str().unwrap();
        let second = server.ok(&format!("{path}&limit=1&cursor={next}")).await;
        assert_eq!((&second["items"][0]["group"], &second["next"]), (&json!("h0"), &Value::Null));
    }
    let none = server.ok("/v1/timings?operation=none").await;
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn hours_are_whole_unless_exact() {
    let server = Server::start().await;
    insert_operations(&server).await;
    let query = "operation=create&from=2026-11-20T04:30:00Z&to=2026-11-20T04:59:00Z";
    let near = server.ok(&format!("/v1/timings?{query}")).await;
    assert_eq!(
        (&near["from"], &near["to"]),
        (&json!("2026-11-20T04:00:00Z"), &json!("2026-11-20T05:00:00Z"))
    );
    assert_eq!(near["items"][0]["count"], 11);
    let exact = server.ok(&format!("/v1/timings?{query}&exact=true")).await;
    assert_eq!(
        (&exact["from"], &exact["to"]),
        (&json!("2026-11-20T04:30:00Z"), &json!("2026-11-20T04:59:00Z"))
    );
    assert_eq!(exact["items"], json!([]));

    for (query, parameter) in [
        ("group_by=day", "group_by"),
        ("exact=yes", "exact"),
        ("from=2026-11-20T04:00:00Z&to=2026-11-20T03:00:00Z", "to"),
        ("to=9999-12-30T21:30:00Z", ""),
        ("from=x", "from"),
    ] {
        if parameter.is_empty() {
            server.ok(&format!("/v1/timings?{query}")).await;
        } else {
            let problem = server.refused(&format!("/v1/timings?{query}")).await;
            assert_eq!(problem["parameter"], parameter);
        }
    }
}
