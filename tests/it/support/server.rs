//! A server for each test, in the test's own process.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use stackledger::api::{self, State};
use stackledger::config::{Config, File, LogFormat};
use stackledger::health::Health;
use stackledger::ingest::Decoder;
use stackledger::ingest::intake::Intake;
use stackledger::projection;
use stackledger::sales::SalesOrders;
use stackledger::secret::Secret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::WorkerGuard;

use crate::support::database::{TestDatabase, database};
use crate::support::eventually;

/// A running server on a database of its own.
pub struct Server {
    pub base: String,
    pub http: reqwest::Client,
    pub health: Arc<Health>,
    pub stop: CancellationToken,
    pub served: JoinHandle<anyhow::Result<()>>,
    /// A connection as the user of DATABASE_URL, for rows that a projection would write.
    pub sql: Client,
    pub db: TestDatabase,
}

/// Writes the log lines of this process until it ends.
static LINES: OnceLock<WorkerGuard> = OnceLock::new();

/// Defaults for the columns that only the projection needs, so that tests write only the columns they are
/// about.
const COLUMN_DEFAULTS: &str = "DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT table_name, column_name FROM information_schema.columns
             WHERE table_schema = 'timing' AND is_nullable = 'NO' AND data_type = 'ARRAY' LOOP
        EXECUTE format('ALTER TABLE timing.%I ALTER %I SET DEFAULT %L', c.table_name, c.column_name, '{}');
    END LOOP;
END $$";

impl Server {
    /// Starts a server with empty tables of all read models, and without a projector: only the test writes
    /// rows.
    pub async fn start() -> Server {
        Server::with_tokens(&[]).await
    }

    /// As [`Server::start`], with these API tokens.
    pub async fn with_tokens(tokens: &[&str]) -> Server {
        let server = Server::bare(tokens, Arc::default()).await;
        for projection in projection::ALL {
            let (name, ddl) = (projection.name, projection.ddl);
            let tables = format!("CREATE SCHEMA {name}; SET search_path = {name}; {ddl}");
            // They are owned by the role that projects, as in production.
            server
                .execute(&format!(
                    "SET ROLE stackledger_app; {tables}; RESET ROLE; RESET search_path"
                ))
                .await;
        }
        server.execute(COLUMN_DEFAULTS).await;
        server
    }

    /// Starts a server and, in the same process, a projector.
    pub async fn with_projector() -> Server {
        Server::with_projector_of(File::default()).await
    }

    /// As [`Server::with_projector`], with a configuration of its own.
    pub async fn with_projector_of(file: File) -> Server {
        Server::on(database().await, file).await
    }

    /// As [`Server::with_projector_of`], on an existing database.
    pub async fn on(db: TestDatabase, file: File) -> Server {
        let file = Arc::new(file);
        let server = Server::bare_on(db, &[], Arc::clone(&file)).await;
        let config = Arc::new(Config { file, ..Config::from_vars([]).unwrap() });
        let (health, stop) = (Arc::clone(&server.health), server.stop.clone());
        tokio::spawn(projection::run(
            projection::ALL,
            server.db.database.clone(),
            config,
            health,
            stop,
        ));
        eventually("the server is ready", || async { server.get("/readyz").await.0 == 200 }).await;
        server
    }

    async fn bare(tokens: &[&str], file: Arc<File>) -> Server {
        Server::bare_on(database().await, tokens, file).await
    }

    async fn bare_on(db: TestDatabase, tokens: &[&str], file: Arc<File>) -> Server {
        LINES.get_or_init(|| stackledger::telemetry::init("error", LogFormat::Text).unwrap());
        let sql = db.superuser().await;
        // Rights that `migrate` grants on the database itself are not cloned with it.
        let grant = "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO stackledger_app',
                     current_database()); END $$";
        sql.batch_execute(grant).await.unwrap();
        let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
        let (intake, requests) = Intake::new(Decoder::default());
        tokio::spawn(requests.append(db.database.clone(), Arc::clone(&health), stop.clone()));
        let state = State {
            pool: db.database.query_pool(8).unwrap(),
            read_pool: db.database.query_pool(8).unwrap(),
            intake,
            health: Arc::clone(&health),
            database: db.database.clone(),
            sales_orders: SalesOrders::new(db.database.clone(), Arc::clone(&file)),
            tokens: tokens.iter().map(|token| Secret::new(*token)).collect(),
            file,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(api::serve(listener, state, stop.clone()));
        Server { base, http: reqwest::Client::new(), health, stop, served, sql, db }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a GET. Returns the status and the JSON of the answer.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(self.url(path))).await
    }

    /// Sends a GET that must succeed. Returns the JSON of the answer.
    pub async fn ok(&self, path: &str) -> Value {
        let (status, json) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    /// Sends a GET that must be refused. Returns the problem, whose shape it checks.
    #[track_caller]
    pub fn refused(&self, path: &str) -> impl Future<Output = Value> {
        refused(self.http.get(self.url(path)))
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.http.post(self.url(path)).body(body)).await
    }

    pub async fn execute(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }
}

/// Sends a request. Returns the status and the JSON of the answer.
pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Sends a request that must be refused. Returns the problem, whose shape it checks.
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
