//! A time is billed once, however many requests there are and whatever crashes.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::world::*;
use crate::support::broker::broker;
use crate::support::database::TestDatabase;
use crate::support::process::Process;
use crate::support::server::answer;
use crate::support::{eventually, is_long, unique};

struct Servers {
    path: std::path::PathBuf,
}

impl Servers {
    /// Prepares server processes with the usual configuration.
    fn new() -> Servers {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("orders"));
        std::fs::write(&path, format!("{USAGE}{}", rates())).unwrap();
        Servers { path }
    }

    /// Starts a server whose connections to the database have this name.
    async fn start_as(&self, name: &str, db: &TestDatabase) -> Process {
        let broker = broker().await;
        let url = format!("{}?application_name={name}", db.url);
        let variables =
            [("STACKLEDGER_CONFIG", self.path.to_str().unwrap()), ("DATABASE_URL", url.as_str())];
        Process::start_with("serve", db, &broker, &variables)
    }

    async fn start(&self, db: &TestDatabase) -> Process {
        self.start_as("other", db).await
    }
}

/// Waits until the database has ended the connections of this name. It carries out what a killed process
/// sent last, a COMMIT for instance, after that process is gone.
async fn wait_until_disconnected(name: &str, db: &TestDatabase) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = '{name}'"
    );
    eventually("the killed server's connections end", || async { db.number(&sql).await == 0 })
        .await;
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// 32 requests at once, to two processes.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_orders_at_once_one_is_issued() {
    let server = serving(config(""), &days("t", &["2026-11-02"])).await;
    let servers = Servers::new();
    let both = [servers.start(&server.db).await, servers.start(&server.db).await];
    for process in &both {
        process.wait_until_ready().await;
    }
    let client = reqwest::Client::new();
    let requests = (0..32).map(|nth| {
        let url = format!("{}/sales_order", both[nth % 2].url);
        // Some requests end on another day.
        let end = if nth % 5 == 0 { "2026-11-04" } else { "2026-11-03" };
        answer(client.post(url).json(&json!({"tenant": "t", "end": end})))
    });
    let answers: Vec<(u16, Value)> = join_all(requests).await;
    let issued: Vec<&Value> = answers.iter().filter(|it| it.0 == 200).map(|it| &it.1).collect();
    let refused: Vec<&Value> = answers.iter().filter(|it| it.0 == 409).map(|it| &it.1).collect();
    // After the order of the first day one of the second may follow.
    assert!(matches!(issued.len(), 1 | 2), "{answers:?}");
    assert_eq!(issued.len() + refused.len(), 32, "{answers:?}");
    let ids: Vec<&Value> = issued.iter().map(|order| &order["order_id"]).collect();
    for problem in refused {
        assert!(ids.contains(&&problem["order_id"]), "{problem}");
    }
    let orders = server.db.number("SELECT count(*) FROM log.sales_order").await;
    assert_eq!(orders, issued.len() as i64);
    assert_eq!(server.db.number("SELECT count(*) FROM log.event_billing").await, orders);
    assert_eq!(server.verified(&config("")).await.same as i64, orders);
}

#[tokio::test]
async fn the_database_refuses_what_overlaps_or_changes() {
    let server = serving(config(""), &days("t", &["2026-11-02"])).await;
    server.made("/sales_order", json!({"tenant": "t", "end": "2026-11-03"})).await;
    let insert = |tenant: &str, during: &str| {
        format!(
            "INSERT INTO log.sales_order VALUES (gen_random_uuid(), '{tenant}', '{during}', 99)"
        )
    };
    for (sql, code) in [
        (insert("t", "[2026-11-02T23:00Z, 2026-11-04T00:00Z)"), "23P01"),
        (insert("t", "[2026-11-01T00:00Z, 2026-12-01T00:00Z)"), "23P01"),
        (insert("t", "[2026-11-03T00:00Z, 2026-11-04T00:00Z]"), "23514"),
        (insert("t", "empty"), "23514"),
        (insert("t", "[2026-11-03T00:00Z,)"), "23514"),
        ("UPDATE log.sales_order SET tenant_id = 'u'".to_owned(), "23001"),
        ("DELETE FROM log.sales_order".to_owned(), "23001"),
        ("TRUNCATE log.sales_order".to_owned(), "23001"),
    ] {
        let error = server.sql.batch_execute(&sql).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some(code), "{sql}");
    }
    for sql in ["UPDATE log.sales_order SET tenant_id = 'u'", "DELETE FROM log.sales_order"] {
        let error = server.db.client().await.batch_execute(sql).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}");
    }
    // The time after the order, and another tenant's, are free.
    server
        .execute(&insert("t", "[2026-11-03T00:00Z, 2026-11-04T00:00Z)").replace("99", "98"))
        .await;
    server.execute(&insert("u", "[2026-11-02T00:00Z, 2026-11-04T00:00Z)")).await;
}

/// A server that is killed at any moment leaves the whole order or nothing of it, and the same request can
/// be repeated.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_there_is_a_whole_order_or_none() {
    let rounds = if is_long() { 100 } else { 8 };
    let tenants: Vec<String> = (0..rounds).map(|nth| format!("t{nth}")).collect();
    let samples_of = |tenant: &String| {
        let mut samples = days(tenant, &["2026-11-02", "2026-11-03"]);
        for sample in &mut samples {
            let resource = sample["resource_id"].as_str().unwrap().to_owned();
            sample["resource_id"] = json!(format!("{resource} of {tenant}"));
        }
        samples
    };
    let samples: Vec<Value> = tenants.iter().flat_map(samples_of).collect();
    let server = serving(config(""), &samples).await;
    let servers = Servers::new();
    let (mut whole, mut none) = (0, 0);
    for (nth, tenant) in tenants.iter().enumerate() {
        let mut process = servers.start_as("killed", &server.db).await;
        process.wait_until_ready().await;
        let request = json!({"tenant": tenant, "end": "2026-11-03"});
        let url = format!("{}/sales_order", process.url);
        let answer = tokio::spawn(reqwest::Client::new().post(url).json(&request).send());
        // From before the request begins until after it ends.
        tokio::time::sleep(Duration::from_millis((nth as u64 * 37) % 150)).await;
        process.kill();
        let answered = answer.await.unwrap().is_ok();
        wait_until_disconnected("killed", &server.db).await;
        let count = |table: &str, column: &str| {
            format!("SELECT count(*) FROM log.{table} WHERE {column} = '{tenant}'")
        };
        let rows = server.db.number(&count("sales_order", "tenant_id")).await;
        let events = server.db.number(&count("event_billing", "stream")).await;
        assert_eq!(rows, events, "{tenant}");
        assert!(rows == 1 || !answered, "{tenant}: an answered order is stored");
        let (status, again) = server.ask("/sales_order", request).await;
        assert_eq!(status, if rows == 1 { 409 } else { 200 }, "{again}");
        assert!(again["order_id"].is_string(), "{again}");
        (whole, none) = (whole + rows, none + 1 - rows);
    }
    println!("{whole} whole, {none} none");
    let report = server.verified(&config("")).await;
    assert_eq!((report.same as i64, report.fault), (rounds, None));
}
