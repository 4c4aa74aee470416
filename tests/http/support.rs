//! A server of its own for each test, on a database of its own.

use std::sync::Arc;

use serde_json::Value;
use stackledger::api::{self, State};
use stackledger::config::{LogFormat, Secret};
use stackledger::db::Database;
use stackledger::health::Health;
use stackledger::ingest::intake::Intake;
use tokio::net::TcpListener;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

/// A running server; its database goes when it does.
pub struct Server {
    pub base: String,
    pub http: reqwest::Client,
    pub health: Arc<Health>,
    pub sql: Client,
    pub stop: CancellationToken,
    pub served: tokio::task::JoinHandle<anyhow::Result<()>>,
    admin: Secret,
    name: String,
}

impl Server {
    pub async fn start() -> Server {
        Server::with_tokens(&[]).await
    }

    pub async fn with_tokens(tokens: &[&str]) -> Server {
        stackledger::telemetry::init("warn", LogFormat::Text).unwrap();
        let admin = std::env::var("DATABASE_URL")
            .expect("DATABASE_URL is not set: run scripts/test, or name a PostgreSQL to test on");
        let admin = Secret::new(admin);
        let name = format!("http_{}", uuid::Uuid::from_u128(unique()).simple());
        let client = Database::new(Some(&admin)).unwrap().connect_as_given().await.unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();

        let database = Database::new(Some(&own(&admin, &name))).unwrap();
        database.migrate().await.unwrap();
        let sql = database.connect(Some("timing")).await.unwrap();
        let ddl = include_str!("../../schema/timing.sql");
        sql.batch_execute(&format!("CREATE SCHEMA timing; {ddl}")).await.unwrap();

        let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
        let state = State {
            pool: database.query_pool(8).unwrap(),
            intake: Intake::start(database.clone(), health.clone(), stop.clone()),
            health: health.clone(),
            database,
            tokens: tokens.iter().map(|token| Secret::new(*token)).collect(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(api::serve(listener, state, stop.clone()));
        let http = reqwest::Client::new();
        Server { base, http, health, sql, stop, served, admin, name }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The status and the JSON of a GET.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(self.url(path))).await
    }

    /// The JSON of a GET that succeeds.
    pub async fn ok(&self, path: &str) -> Value {
        let (status, json) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    /// A GET that is refused: its problem, which has the shape of all problems.
    #[track_caller]
    pub fn refused(&self, path: &str) -> impl Future<Output = Value> {
        refused(self.http.get(self.url(path)))
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.http.post(self.url(path)).body(body)).await
    }

    /// Runs a statement from outside the server's database, `{}` standing for its name.
    pub async fn execute_outside(&self, sql: &str) {
        let database = Database::new(Some(&self.admin)).unwrap();
        let client = database.connect_as_given().await.unwrap();
        client.batch_execute(&sql.replace("{}", &self.name)).await.unwrap();
    }

    pub async fn execute(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A runtime of its own: the test's is on its way out.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let client = Database::new(Some(&admin))?.connect_as_given().await?;
                client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
                anyhow::Ok(())
            })
        });
        let _ = dropped.join();
    }
}

/// Sends a request; the status and the JSON.
pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Sends a request that is refused; its problem.
pub async fn refused(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let (status, url) = (response.status().as_u16(), response.url().to_string());
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let has_retry_after = response.headers().contains_key("retry-after");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(media_type, "application/problem+json", "{url}: {problem}");
    assert_eq!(problem["status"], status, "{url}");
    assert_eq!(problem["type"], "about:blank");
    assert!(status >= 400 && status != 500, "{url}: {problem}");
    assert_eq!(has_retry_after, status == 503);
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{url}: {problem}");
    }
    problem
}

/// The connection string of a database on the same server.
fn own(admin: &Secret, name: &str) -> Secret {
    let url = admin.expose();
    let (server, query) = url.split_once('?').map_or((url, ""), |(server, query)| (server, query));
    let (server, _) = server.rsplit_once('/').expect("DATABASE_URL is a URL with a database");
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Secret::new(format!("{server}/{name}{query}"))
}

fn unique() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_nanos() << 32 | u128::from(std::process::id())
}
