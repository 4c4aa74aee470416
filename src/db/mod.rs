//! The edge to the database: connections, roles, migrations, and the distinction of transient errors.

mod copy;
mod standby;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use deadpool_postgres::{
    ConfigConnectImpl, Connect, Hook, HookError, Manager, ManagerConfig, Pool, PoolBuilder,
    RecyclingMethod, Runtime,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::config::ConfigError;
use crate::secret::ConnectionString;

use standby::{CONNECTION_AGE_MAX, StandbyConnector};

pub use copy::{CopyRows, NotWritable, copy_in};

/// The role that every command except `migrate` works as: it may read the log and append to it, but not change
/// it.
pub const APP_ROLE: &str = "stackledger_app";

/// The role through which people and BI tools read the read models. Logins become members of it.
pub const READER_ROLE: &str = "stackledger_reader";

/// The address of the database, and how to connect to it.
#[derive(Clone, Debug)]
pub struct Database {
    config: tokio_postgres::Config,
    /// The connection string without its password.
    redacted_url: String,
}

mod migrations {
    refinery::embed_migrations!("schema");
}

/// The result of `migrate`.
#[derive(Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Names of the migrations that were applied by this call.
    pub applied: Vec<String>,
    /// Whether the restricted role guards the log; if not, only the triggers do.
    pub role: bool,
}

impl Database {
    /// Parses the connection string of `DATABASE_URL` (URL or `key=value`), without connecting.
    ///
    /// # Errors
    ///
    /// When it is missing or malformed. The message contains the remedy.
    pub fn new(url: Option<&ConnectionString>) -> Result<Self, ConfigError> {
        let Some(url) = url else {
            return Err(ConfigError::not_set(
                "DATABASE_URL",
                "set it to postgresql://user:password@host:port/database; scripts/up starts a server \
                 of its own",
            ));
        };
        Database::from_url("DATABASE_URL", url)
    }

    /// As [`Database::new`], for the connection string of another variable or setting, `name`.
    ///
    /// # Errors
    ///
    /// When the connection string is malformed.
    pub fn from_url(name: &'static str, url: &ConnectionString) -> Result<Self, ConfigError> {
        let mut config: tokio_postgres::Config = url.expose().parse().map_err(|error| {
            let accepted = "postgresql://user:password@host:port/database is accepted";
            ConfigError::new(name, url, format!("{accepted}: {}", explain(&error)))
        })?;
        if config.get_application_name().is_none() {
            config.application_name("stackledger");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        // A connection to a server that disappeared silently is given up within a minute.
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(30));
        Ok(Database { config, redacted_url: url.to_string() })
    }

    /// Creates a pool of connections that work as the application's role and look up unqualified names in
    /// `search_path`. The pool connects when it is first used.
    ///
    /// # Errors
    ///
    /// Only if the settings of the pool contradict each other.
    pub fn pool(&self, size: usize, search_path: Option<&str>) -> Result<Pool> {
        let connect = ConfigConnectImpl { tls: NoTls };
        Ok(self.build_pool(connect, size, session_settings(search_path)).build()?)
    }

    /// Creates a pool for answering requests, whose statements qualify all names. The server cancels a query before
    /// the request times out, so that the connection is free for the next request.
    ///
    /// # Errors
    ///
    /// As [`Database::pool`].
    pub fn query_pool(&self, size: usize) -> Result<Pool> {
        let connect = ConfigConnectImpl { tls: NoTls };
        Ok(self.build_pool(connect, size, query_settings()).build()?)
    }

    /// As [`Database::query_pool`], of connections to this standby of `primary`, or to that itself while the standby
    /// does not answer.
    ///
    /// # Errors
    ///
    /// As [`Database::pool`].
    pub fn standby_pool(&self, primary: &Database, size: usize) -> Result<Pool> {
        let connect = StandbyConnector::new(primary.config.clone(), self.redacted_url.clone());
        let pool = self.build_pool(connect, size, query_settings());
        Ok(pool
            .pre_recycle(Hook::sync_fn(|_, metrics| {
                let is_young = metrics.age() < CONNECTION_AGE_MAX;
                if is_young { Ok(()) } else { Err(HookError::message("it is old")) }
            }))
            .build()?)
    }

    fn build_pool(
        &self,
        connect: impl Connect + 'static,
        size: usize,
        prepare: String,
    ) -> PoolBuilder {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(self.config.clone(), connect, config);
        Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_secs(10)))
            .create_timeout(Some(Duration::from_secs(10)))
            .recycle_timeout(Some(Duration::from_secs(5)))
            .post_create(Hook::async_fn(move |client, _| {
                let prepare = prepare.clone();
                Box::pin(
                    async move { client.batch_execute(&prepare).await.map_err(HookError::Backend) },
                )
            }))
    }

    /// Opens one connection outside a pool, as the application's role: for LISTEN, and for tasks that keep a
    /// connection for their lifetime. The connection ends when the client is dropped.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses.
    pub async fn connect(
        &self,
        search_path: Option<&str>,
    ) -> Result<Client, tokio_postgres::Error> {
        let client = self.connect_as_given().await?;
        client.batch_execute(&session_settings(search_path)).await?;
        Ok(client)
    }

    /// As [`Database::connect`], but with the user of the connection string as the role.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses.
    pub async fn connect_as_given(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a database connection ended");
            }
        });
        Ok(client)
    }

    /// Returns the error of a connection that could not be made, with what helps: the server is away, or it answers and
    /// has no such database or user.
    pub fn explain_connecting(&self, error: &tokio_postgres::Error) -> anyhow::Error {
        let reason = explain(error);
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let user = quoted(self.config.get_user().unwrap_or("postgres"));
        let code = error.code().map_or("", SqlState::code);
        if code == SqlState::INVALID_CATALOG_NAME.code() {
            let name = quoted(self.config.get_dbname().unwrap_or("stackledger"));
            anyhow!(
                "the PostgreSQL at {self} has no such database ({reason}): as its administrator, run \
                 CREATE DATABASE {name} OWNER {user} ENCODING 'UTF8' TEMPLATE template0"
            )
        } else if code.starts_with("28") {
            anyhow!(
                "the PostgreSQL at {self} refuses the user ({reason}): check the password and pg_hba.conf or, as its \
                 administrator, run CREATE ROLE {user} LOGIN PASSWORD '…'"
            )
        } else {
            anyhow!(
                "no PostgreSQL answers at {self} ({reason}): check that it runs, and DATABASE_URL"
            )
        }
    }

    /// The configuration, for callers that need the connection's messages (LISTEN).
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// Brings the schema to this program's version. If two processes do so at once, one migrates and the other
    /// waits.
    ///
    /// # Errors
    ///
    /// When the schema is newer than this program, or a migration fails, in which case it is rolled back.
    pub async fn migrate(&self) -> Result<MigrationReport> {
        let connected = self.connect_as_given().await;
        let mut client = connected.map_err(|error| self.explain_connecting(&error))?;
        // The history of migrations is in public, whatever the search path of this role. A backslash in a literal is
        // one, whatever the setting of this role or database: `off` makes an escape of it.
        client
            .batch_execute(
                "SET standard_conforming_strings = on; SET search_path = public;
                 SELECT pg_advisory_lock(hashtext('stackledger.migrate'))",
            )
            .await?;
        let encoding: String = client.query_one("SHOW server_encoding", &[]).await?.get(0);
        if encoding != "UTF8" {
            bail!("the database's encoding is {encoding}: create it with ENCODING 'UTF8'");
        }
        let known = migrations::migrations::runner();
        refuse_newer(&client, known.get_migrations()).await?;
        let report = known.run_async(&mut client).await.context("the migration failed")?;
        let role = ensure_role(&client).await?;
        if role {
            client
                .batch_execute(include_str!("../../schema/grants.sql"))
                .await
                .context("granting the application's role its rights failed")?;
        }
        ensure_reader(&client).await?;
        let applied = report.applied_migrations().iter().map(ToString::to_string).collect();
        Ok(MigrationReport { applied, role })
    }

    /// Checks that the schema has this program's version.
    ///
    /// # Errors
    ///
    /// When it is older or newer, with the remedy in the message, or the database is away.
    pub async fn check_schema(&self, client: &Client) -> Result<()> {
        let known = migrations::migrations::runner();
        let latest = known.get_migrations().iter().map(refinery::Migration::version).max();
        refuse_newer(client, known.get_migrations()).await?;
        if applied_version(client).await? < latest.map(i64::from) {
            bail!("the database's schema is older than this program: run `stackledger migrate`");
        }
        Ok(())
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted_url)
    }
}

/// SQL: whether the session's user may `SET ROLE` to the role `oid`. Since PostgreSQL 16, membership alone does
/// not permit that.
const MAY_TAKE_ROLE: &str = "CASE WHEN current_setting('server_version_num')::int >= 160000
     THEN pg_has_role(current_user, oid, 'SET') ELSE pg_has_role(current_user, oid, 'MEMBER') END";

/// The settings of a session that answers requests.
fn query_settings() -> String {
    // The rows of one entity are on different pages, in order of time: reading the pages one after the other
    // takes a disk four times as long. On a server without prefetching the setting is 0 and stays so.
    let prefetch = "SELECT set_config('effective_io_concurrency', '32', false)
                     WHERE current_setting('effective_io_concurrency')::int BETWEEN 1 AND 31";
    let session = session_settings(None);
    format!("{session}; SET statement_timeout = '25s'; {prefetch}")
}

/// Returns the statements that every session starts with, so that the settings of a role or a database change no
/// statement's meaning. The idle timeout limits how long a client that
/// disappeared in a transaction holds its locks, e.g. the head's. The application's role is set if it exists and
/// the user may take it.
fn session_settings(search_path: Option<&str>) -> String {
    let search_path = search_path.unwrap_or("public");
    format!(
        "SET standard_conforming_strings = on;
         SET timezone = 'UTC'; SET search_path = {search_path}; SET jit = off;
         SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
         SET idle_in_transaction_session_timeout = '60s';
         SELECT set_config('role', rolname, false) FROM pg_roles
         WHERE rolname = '{APP_ROLE}' AND {MAY_TAKE_ROLE}"
    )
}

/// Reads the version of the last migration that was applied; `None` if none was.
async fn applied_version(client: &Client) -> Result<Option<i64>> {
    let table: Option<String> = client
        .query_one("SELECT to_regclass('public.refinery_schema_history')::text", &[])
        .await?
        .get(0);
    if table.is_none() {
        return Ok(None);
    }
    let row = client
        .query_one("SELECT max(version)::bigint FROM public.refinery_schema_history", &[])
        .await?;
    Ok(row.get(0))
}

/// Fails if the schema is newer than the newest migration of this program.
async fn refuse_newer(client: &Client, known: &[refinery::Migration]) -> Result<()> {
    let latest = known.iter().map(|migration| i64::from(migration.version())).max();
    if let Some(applied) = applied_version(client).await?
        && Some(applied) > latest
    {
        bail!(
            "the database's schema has version {applied}, but this program supports versions up to {}: use a newer stackledger",
            latest.unwrap_or(0)
        );
    }
    Ok(())
}

/// Creates the application's role and lets the migrating user take it, if that is permitted. Returns whether it
/// was.
async fn ensure_role(client: &Client) -> Result<bool> {
    let created = client
        .batch_execute(&format!(
            "{};
             DO $$ BEGIN
                IF NOT (SELECT {MAY_TAKE_ROLE} FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
                    EXECUTE format('GRANT {APP_ROLE} TO %I', current_user);
                END IF;
             END $$",
            create_role_sql(APP_ROLE)
        ))
        .await;
    match created {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            tracing::warn!(
                "this user may not create or take the role {APP_ROLE}, so only its triggers guard the \
                 log (as a superuser, run: CREATE ROLE {APP_ROLE}; GRANT {APP_ROLE} TO …)"
            );
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the statement that creates a role if it does not exist. Roles belong to the cluster, not to the
/// database, so another `migrate` may create it at the same moment.
fn create_role_sql(name: &str) -> String {
    format!(
        "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
                BEGIN
                    CREATE ROLE {name} NOLOGIN;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                END;
            END IF;
         END $$"
    )
}

/// Creates the reading role, if that is permitted, and lets it read the views in `public`. The read models grant
/// it access to their tables when they create them.
async fn ensure_reader(client: &Client) -> Result<()> {
    let created = client
        .batch_execute(&format!(
            "{};
             GRANT USAGE ON SCHEMA public TO {READER_ROLE};
             GRANT SELECT ON public.meter_samples TO {READER_ROLE};",
            create_role_sql(READER_ROLE)
        ))
        .await;
    match created {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            tracing::info!("this user may not create the role {READER_ROLE}, so there is none");
            Ok(())
        }
        created => Ok(created?),
    }
}

/// Whether a later attempt can succeed: the server or the network is away, the server is out of some resource, or
/// another transaction was in conflict.
pub fn is_transient(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        None => error.is_closed() || error.as_db_error().is_none(),
        Some(state) => {
            let code = state.code();
            matches!(code, "40001" | "40P01" | "55P03")
                || ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        }
    }
}

/// Reads the size of the database in bytes.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_size(client: &Client) -> Result<i64, tokio_postgres::Error> {
    let row = client.query_one("SELECT pg_database_size(current_database())", &[]).await?;
    Ok(row.get(0))
}

/// Reads the sizes of all tables of a schema, in bytes: each by its name, with its indexes.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_table_sizes(
    client: &Client,
    schema: &str,
) -> Result<Vec<(String, i64)>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- db::read_table_sizes
             SELECT relname::text, coalesce(pg_total_relation_size(oid), 0) FROM pg_class
             WHERE relkind = 'r' AND relnamespace = to_regnamespace($1) ORDER BY 1",
            &[&schema],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Replaces NUL characters, which PostgreSQL's texts cannot contain.
pub fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Returns the error with its cause or, for an error of the server, its message, detail and SQLSTATE:
/// tokio-postgres prints only "db error".
pub fn explain(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail} [{}]", db.message(), db.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
