use serde_json::{Value, json};

use crate::support::server::Server;

/// A list's sort key with a time in µs.
type KeyAt = fn(i64) -> Value;

fn cursor(key: &Value) -> String {
    hex::encode(key.to_string())
}

/// A cursor comes from the client: a time that no row can have is refused before it reaches the database.
#[tokio::test]
async fn a_cursor_of_a_time_that_no_row_has_is_refused_by_every_list() {
    let server = Server::start().await;
    let id = "00000000-0000-0000-0000-000000000000";
    let samples = format!("/v1/sales-orders/{id}/lines/0/samples");
    let lists: [(&str, KeyAt); 7] = [
        ("/v1/instances", |at| json!([at, "i"])),
        ("/v1/builds/incomplete", |at| json!([at, "i"])),
        ("/v1/requests/req-1", |at| json!([at, "00000000-0000-0000-0000-000000000000"])),
        ("/v1/samples", |at| json!([at, ["m", "r", "p"], null])),
        ("/v1/sales-orders", |at| json!(["t", at])),
        (&samples, |at| json!([at, 1.5])),
        ("/v1/deployments", |at| json!([at, "d"])),
    ];
    for (path, key) in lists {
        // One second before 1970, before PostgreSQL's calendar, and before and after that of the program.
        for at in [-1_000_000, -300_000_000_000_000_000, i64::MIN, i64::MAX] {
            let problem = server.refused(&format!("{path}?cursor={}", cursor(&key(at)))).await;
            let found = (&problem["status"], &problem["parameter"]);
            assert_eq!(found, (&json!(400), &json!("cursor")), "{path} {at}: {problem}");
        }
        // Any other time is one that a list may have given out.
        let (status, answer) = server.get(&format!("{path}?cursor={}", cursor(&key(0)))).await;
        let is_found = !path.ends_with("/samples") || path == "/v1/samples";
        assert_eq!(status, if is_found { 200 } else { 404 }, "{path}: {answer}");
    }
}
