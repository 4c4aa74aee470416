//! The commands that ask a server, run against a stub: their requests, the output of answers, and the
//! handling of errors.

use std::process::Command;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stackledger::billing::Order;

use super::parts;
use crate::support::process::{run, succeed};
use crate::support::stub::{ReceivedRequest, Stub, ok, problem, stub};

/// Returns a client command whose environment contains only the URL of the stub.
fn client(stub: &Stub, arguments: &[&str]) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_stackledger"));
    client.args(arguments).env_clear().env("STACKLEDGER_URL", &stub.url);
    client
}

/// Returns an order of two lines, an adjustment and unrated usage, in the JSON of a server.
fn order(tenant: &str) -> Value {
    let line = |resource: &str, rest: Value| {
        let mut line = json!({
            "resource_id": resource, "type": "Virtual Machine", "metadata": {"name": "web, 1"},
            "service": "m1.small", "meter": "vcpus", "mapping": 0, "from": "2026-10-01T00:00:00Z",
            "to": "2026-11-01T00:00:00Z", "usage": "2678400", "usage_unit": "second",
            "volume": "744", "unit": "hour", "rate": "0.044", "amount": "32.736000",
            "windows": 744, "coverage": "1.000000",
        });
        line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        line
    };
    let order: Order = serde_json::from_value(json!({
        "order_id": "7c0a1d52-5f0e-5a3c-9f3e-0123456789ab", "tenant_id": tenant, "name": null,
        "from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z", "position": 1234,
        "calculation": 1, "currency": "EUR", "total": "32.49",
        "lines": [
            line("vm-1", json!({})),
            line("vm-2", json!({
                "type": null, "metadata": {}, "service": "traffic", "volume": "0.000000000931322574615478515625",
                "unit": "gigabyte", "rate": "0.1", "amount": "0.000000", "coverage": "0.987500",
            })),
        ],
        "unrated": [{
            "resource_id": "ip-1", "type": "Floating IP", "metadata": {"name": "=1+1"}, "service": "n1.ipv4",
            "meter": "ip.floating", "mapping": 4, "from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z",
            "volume": "744", "unit": "hour", "rate": null, "reason": "no_rate", "windows": 744,
        }],
        "adjustments": [{
            "order_id": "11111111-5f0e-5a3c-9f3e-0123456789ab", "resource_id": "vm-1",
            "type": "Virtual Machine", "service": "m1.small",
            "windows": ["2026-09-30T22:00:00Z", "2026-09-30T23:00:00Z"],
            "billed": "31.680000", "computed": "31.434000", "difference": "-0.246000",
        }],
    }))
    .unwrap();
    serde_json::to_value(&order).unwrap()
}

/// Answers with orders; with a conflict for the tenant `billed`, and with not found for `none`.
fn orders(asked: &ReceivedRequest) -> Response {
    let tenant = asked.body["tenant"].as_str().unwrap_or_default();
    match (tenant, asked.request.as_str()) {
        (_, "GET /v1/tenants?limit=1000") => ok(&json!({
            "items": [{"tenant_id": "t1", "resources": 3}, {"tenant_id": "billed", "resources": 1}],
            "next": "7b",
        })),
        (_, "GET /v1/tenants?limit=1000&cursor=7b") => {
            ok(&json!({"items": [{"tenant_id": "t2", "resources": 1}], "next": null}))
        }
        ("billed", _) => problem(409, None, "the order 7c0a covers it"),
        ("none", _) => problem(404, None, "there are no samples of the tenant none"),
        (tenant, "POST /sales_range") => ok(&json!([order(tenant), order(tenant)])),
        (tenant, _) => ok(&order(tenant)),
    }
}

#[tokio::test]
async fn each_command_asks_as_the_api_wants_it() {
    let stub = stub(orders).await;
    let cases: [(&[&str], &str, Value); 7] = [
        (&["sales-order"], "POST /sales_order", json!({})),
        (
            &["sales-order", "--end", "2026-11-01", "--force"],
            "POST /sales_order",
            json!({"end": "2026-11-01", "force": true}),
        ),
        (&["sales-draft"], "POST /sales_draft", json!({})),
        (
            &["sales-draft", "--end", "2026-11-01T12:30:00"],
            "POST /sales_draft",
            json!({"end": "2026-11-01T12:30:00"}),
        ),
        (
            &["sales-historic", "--date", "2026-10-7"],
            "POST /sales_historic",
            json!({"date": "2026-10-07"}),
        ),
        (
            &["sales-range", "--start", "2026-10-01"],
            "POST /sales_range",
            json!({"start": "2026-10-01"}),
        ),
        (
            &["sales-range", "--start", "2026-10-01", "--end", "2026-11-01"],
            "POST /sales_range",
            json!({"start": "2026-10-01", "end": "2026-11-01"}),
        ),
    ];
    for (arguments, request, mut body) in cases {
        succeed(client(&stub, &[arguments, &["--tenant", "š/1"]].concat())).await;
        body["tenant"] = "š/1".into();
        let asked = ReceivedRequest { request: request.to_owned(), authorization: None, body };
        assert_eq!(stub.take_requests(), [asked]);
    }
}

#[tokio::test]
async fn one_order_is_shown_with_its_lines() {
    let stub = stub(orders).await;
    let shown = succeed(client(&stub, &["sales-draft", "--tenant", "t1"])).await;
    insta::assert_snapshot!("client_order", shown);
    let shown = succeed(client(&stub, &["sales-draft", "--tenant", "t1", "--csv"])).await;
    insta::assert_snapshot!("client_order_csv", shown);
    // JSON contains the order unchanged.
    let shown = succeed(client(&stub, &["sales-draft", "--tenant", "t1", "--json"])).await;
    assert_eq!(shown, format!("{{\"sales_orders\":[\n{}\n],\"errors\":{{}}}}\n", order("t1")));
}

/// Years later an order is still shown, whichever version issued it.
#[tokio::test]
async fn an_order_of_another_version_is_shown_as_far_as_it_is_known() {
    let stub = stub(|_| {
        ok(&json!({
            "order_id": "7c0a", "tenant_id": "t1", "from": "2026-10-01T00:00:00Z",
            "to": "2026-11-01T00:00:00Z", "currency": "EUR", "total": "1.00", "discounts": [],
            "lines": [{"resource_id": "vm-1", "amount": "1.000000", "new": {"a": 1}}],
        }))
    })
    .await;
    let asked = ["sales-historic", "--tenant", "t1", "--date", "2026-10-07"];
    let shown = succeed(client(&stub, &asked)).await;
    assert!(
        shown.contains("  vm-1         -     -     -        -       -     -     1.000000  -"),
        "{shown}"
    );
    let json = succeed(client(&stub, &[&asked[..], &["--json"]].concat())).await;
    assert!(json.contains(r#""discounts":[]"#), "{json}");
}

/// Answers appear in the order in which the tenants were named; errors do not stop it.
#[tokio::test]
async fn one_tenant_s_error_stops_no_other_s() {
    let stub = stub(orders).await;
    let tenants = ["--tenant", "t1", "--tenant", "billed", "--tenant", "none", "--tenant", "t2"];
    let ask = async |arguments: &[&str]| {
        let output = run(client(&stub, &[arguments, &tenants].concat())).await;
        let (code, out, err) = parts(&output);
        assert_eq!(code, Some(1));
        assert_eq!(
            err,
            "stackledger: billed: the order 7c0a covers it (409 Conflict)\n\
             stackledger: none: there are no samples of the tenant none (404 Not Found)\n"
        );
        out
    };
    insta::assert_snapshot!("client_orders", ask(&["sales-order"]).await);
    let json: Value = serde_json::from_str(&ask(&["sales-order", "--json"]).await).unwrap();
    assert_eq!(
        json,
        json!({
            "sales_orders": [order("t1"), order("t2")],
            "errors": {
                "billed": "the order 7c0a covers it (409 Conflict)",
                "none": "there are no samples of the tenant none (404 Not Found)",
            },
        })
    );
    let csv = ask(&["sales-order", "--csv"]).await;
    let totals = csv.lines().filter(|line| line.contains(",total,")).count();
    assert_eq!((totals, csv.lines().count()), (2, 1 + 2 * 5));
    // For a range, the orders of each tenant are a list.
    let json: Value =
        serde_json::from_str(&ask(&["sales-range", "--start", "2026-10-01", "--json"]).await)
            .unwrap();
    assert_eq!(json["sales_orders"][1], json!([order("t2"), order("t2")]));
    let table = ask(&["sales-range", "--start", "2026-10-01"]).await;
    assert_eq!(table.lines().count(), 1 + 4);
}

#[tokio::test]
async fn all_tenants_are_asked_about_page_by_page() {
    let stub = stub(orders).await;
    let (code, out, err) = parts(&run(client(&stub, &["sales-draft", "--all-tenants"])).await);
    // There is no progress bar without a terminal.
    assert_eq!(
        (code, err.as_str()),
        (Some(1), "stackledger: billed: the order 7c0a covers it (409 Conflict)\n")
    );
    let tenants: Vec<_> = out.lines().skip(1).map(|line| line.split_whitespace().next()).collect();
    assert_eq!(tenants, [Some("t1"), Some("t2")]);
    assert_eq!(stub.take_requests().len(), 2 + 3);

    let nobody = self::stub(|_| ok(&json!({"items": [], "next": null}))).await;
    let json = succeed(client(&nobody, &["sales-order", "--all-tenants", "--json"])).await;
    assert_eq!(json, "{\"sales_orders\":[\n],\"errors\":{}}\n");
    // Without the list of tenants no request can be made.
    let refusing = self::stub(|_| problem(404, None, "there is no such route")).await;
    let (code, out, err) = parts(&run(client(&refusing, &["sales-order", "--all-tenants"])).await);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(err, "stackledger: listing the tenants: there is no such route (404 Not Found)\n");
}

#[tokio::test]
async fn usage_is_asked_for_and_shown() {
    let stub = stub(|asked| match asked.request.split_whitespace().nth(1).unwrap() {
        "/get_usage?tenant=a%2Fb&start=2026-11-01&end=2026-11-02T00%3A00%3A00" => {
            ok(&json!({"usage": {
                "name": null, "tenant_id": "a/b",
                "resources": {
                    "vm-1": {
                        "type": "Virtual Machine", "name": "\u{1b}[2Jweb", "flavor": "m1.small",
                        "services": [
                            {"name": "m1.small", "volume": "3600", "unit": "second", "meter": "vcpus", "windows": 1, "coverage": "1.000000"},
                            {"name": "traffic", "volume": "0.3333333333333333333333333333", "unit": "GB"},
                        ],
                    },
                    "vol-1": {"type": null, "services": [{"name": "b1", "volume": "-12", "unit": "gigabyte"}]},
                },
            }}))
        }
        "/collect_usage" => ok(&json!({
            "tenants": [{"id": "t1", "updated": true, "start": "2026-11-01T00:00:00", "end": "2026-11-02T00:00:00"}],
            "errors": 0,
        })),
        "/last_collected" => ok(&json!({"last_collected": "2026-11-20 03:00:00", "position": 7})),
        other => problem(400, Some("start"), other),
    })
    .await;
    let usage =
        ["usage", "--tenant", "a/b", "--start", "2026-11-01", "--end", "2026-11-02T00:00:00"];
    let with = |format| client(&stub, &[&usage[..], &[format]].concat());
    insta::assert_snapshot!("client_usage", succeed(client(&stub, &usage)).await);
    assert_eq!(
        succeed(with("--csv")).await,
        "tenant_id,resource_id,type,name,service,meter,volume,unit,windows,coverage\r\n\
         a/b,vm-1,Virtual Machine,\u{1b}[2Jweb,m1.small,vcpus,3600,second,1,1.000000\r\n\
         a/b,vm-1,Virtual Machine,\u{1b}[2Jweb,traffic,,0.3333333333333333333333333333,GB,,\r\n\
         a/b,vol-1,,,b1,,-12,gigabyte,,\r\n"
    );
    let json: Value = serde_json::from_str(&succeed(with("--json")).await).unwrap();
    assert_eq!(json["usage"][0]["resources"]["vm-1"]["flavor"], "m1.small");
    assert_eq!(json["errors"], json!({}));

    insta::assert_snapshot!("client_collected", succeed(client(&stub, &["collect-usage"])).await);
    assert_eq!(
        succeed(client(&stub, &["collect-usage", "--csv"])).await,
        "id,updated,start,end,error\r\nt1,true,2026-11-01T00:00:00,2026-11-02T00:00:00,\r\n"
    );
    let json: Value =
        serde_json::from_str(&succeed(client(&stub, &["collect-usage", "--json"])).await).unwrap();
    assert_eq!(json["errors"], 0);
    let time = succeed(client(&stub, &["last-collected"])).await;
    assert_eq!(time, "2026-11-20 03:00:00\n");
    let json = succeed(client(&stub, &["last-collected", "--json"])).await;
    assert_eq!(json, "{\"last_collected\":\"2026-11-20 03:00:00\",\"position\":7}\n");
}

#[tokio::test]
async fn a_tenant_that_could_not_be_collected_is_exit_code_1() {
    let stub = stub(|_| {
        ok(&json!({"tenants": [{"id": "t1", "updated": false, "error": "Integrity error"}], "errors": 1}))
    })
    .await;
    let (code, out, err) = parts(&run(client(&stub, &["collect-usage"])).await);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(out.contains("t1  false    -      -    Integrity error"), "{out}");
}

#[tokio::test]
async fn a_token_is_sent_only_to_its_own_server() {
    let stub = stub(|asked| match asked.authorization.as_deref() {
        Some("Bearer geheim") => ok(&json!({"last_collected": null})),
        _ => problem(401, None, "a bearer token is asked for"),
    })
    .await;
    let asked = ["last-collected"];
    let mut with_variable = client(&stub, &asked);
    with_variable.env("STACKLEDGER_TOKEN", "geheim");
    assert_eq!(succeed(with_variable).await, "-\n");
    succeed(client(&stub, &["last-collected", "--token", "geheim"])).await;
    // The server at LISTEN requires one of the environment's own TOKENS.
    let mut own = client(&stub, &asked);
    own.env_remove("STACKLEDGER_URL").env("LISTEN", stub.url.trim_start_matches("http://"));
    succeed({
        own.env("TOKENS", "geheim, other");
        own
    })
    .await;
    // Other servers do not receive them.
    let mut foreign = client(&stub, &asked);
    foreign.env("TOKENS", "geheim").env("STACKLEDGER_TOKEN", "");
    let (code, _, err) = parts(&run(foreign).await);
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "stackledger: a bearer token is asked for: set STACKLEDGER_TOKEN (401 Unauthorized)\n"
    );
    assert_eq!(stub.take_requests().last().unwrap().authorization, None);
}

#[tokio::test]
async fn a_server_that_is_not_ready_yet_is_asked_again() {
    let tries = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let stub = stub(move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => {
            ([(header::RETRY_AFTER, "0")], problem(503, None, "not projected yet")).into_response()
        }
        1 => ok(&order("t1")),
        // These pauses are longer than the client waits.
        2 => ([(header::RETRY_AFTER, "3600")], problem(503, None, "come tomorrow")).into_response(),
        _ => ([(header::RETRY_AFTER, u64::MAX.to_string())], problem(503, None, "never"))
            .into_response(),
    })
    .await;
    succeed(client(&stub, &["sales-order", "--tenant", "t1"])).await;
    assert_eq!(stub.take_requests().len(), 2);
    for detail in ["come tomorrow", "never"] {
        let (code, _, err) = parts(&run(client(&stub, &["sales-order", "--tenant", "t1"])).await);
        assert_eq!(code, Some(1));
        assert_eq!(err, format!("stackledger: t1: {detail} (503 Service Unavailable)\n"));
    }
}

#[tokio::test]
async fn any_unusable_answer_is_reported_in_one_line() {
    type Answer = fn() -> Response;
    let answers: [(Answer, &str); 4] = [
        (|| "<html>\n".into_response(), "this version cannot read the answer: "),
        (|| ok(&json!({"lines": []})), "this version cannot read the answer: missing field"),
        (
            || axum::response::Redirect::to("/elsewhere").into_response(),
            "the answer is 303 See Other",
        ),
        (
            || problem(409, None, "two\nlines\u{1b}[1m"),
            "two\u{fffd}lines\u{fffd}[1m (409 Conflict)",
        ),
    ];
    for (answer, expected) in answers {
        let stub = stub(move |_| answer()).await;
        let (code, out, err) = parts(&run(client(&stub, &["sales-draft", "--tenant", "t1"])).await);
        assert_eq!((code, out.as_str(), err.lines().count()), (Some(1), "", 1), "{err}");
        assert!(err.starts_with(&format!("stackledger: t1: {expected}")), "{err}");
    }
    let mut away = client(&stub(orders).await, &["last-collected"]);
    away.env("STACKLEDGER_URL", "http://127.0.0.1:1");
    let (code, out, err) = parts(&run(away).await);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(
        err,
        "stackledger: no answer from http://127.0.0.1:1: Connection refused (os error 111)\n"
    );
}

/// The reader of the answers has gone and may not have seen the orders, so no further tenant is billed.
#[tokio::test]
async fn if_nobody_reads_the_answers_no_further_tenant_is_billed() {
    let stub = stub(orders).await;
    let tenants: Vec<String> = (0..100).map(|tenant| format!("--tenant={tenant}")).collect();
    let mut unread = client(&stub, &["sales-order", "--csv"]);
    unread.args(&tenants).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = unread.spawn().unwrap();
    drop(child.stdout.take());
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(parts(&output), (Some(1), String::new(), String::new()));
    assert!(stub.take_requests().len() < 20, "{}", stub.take_requests().len());
}

#[tokio::test]
async fn wrong_usage_is_refused_before_anybody_is_asked() {
    let stub = stub(orders).await;
    let wrong: [&[&str]; 12] = [
        &["sales-order"],
        &["sales-order", "--tenant", ""],
        &["sales-order", "--tenant", "t1", "--all-tenants"],
        &["sales-order", "--tenant", "t1", "--json", "--csv"],
        &["sales-order", "--tenant", "t1", "--end", "tomorrow"],
        &["sales-order", "--tenant", "t1", "--end", "2026-11-01T00:00:00"],
        &["sales-draft", "--tenant", "t1", "--force"],
        &["sales-historic", "--tenant", "t1"],
        &["sales-historic", "--tenant", "t1", "--date", "2026-11-31"],
        &["sales-range", "--tenant", "t1"],
        &["usage", "--tenant", "t1", "--start", "2026-11-01"],
        &["last-collected", "--url", "https://127.0.0.1:1"],
    ];
    for arguments in wrong {
        let (code, out, err) = parts(&run(client(&stub, arguments)).await);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
    }
    assert_eq!(stub.take_requests(), []);
}
