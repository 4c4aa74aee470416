//! The database's edge: connecting, the application's role, migrations, and which errors pass.

mod copy;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::config::ConfigError;
use crate::secret::ConnectionString;

pub use copy::{CopyRows, NotNumeric, copy_in};

/// The role every command but `migrate` works as: it may read and append the log, not change it.
pub const APP_ROLE: &str = "stackledger_app";

/// The role that people and BI tools read the read models with; logins are made members of it.
pub const READER_ROLE: &str = "stackledger_reader";

/// Where the database is, before anybody connects.
#[derive(Clone, Debug)]
pub struct Database {
    config: tokio_postgres::Config,
    shown: String,
}

mod migrations {
    refinery::embed_migrations!("schema");
}

/// What `migrate` did.
#[derive(Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations that were applied now.
    pub applied: Vec<String>,
    /// Whether the restricted role guards the log; otherwise the triggers alone do.
    pub role: bool,
}

impl Database {
    /// Reads a connection string (URL or `key=value`). Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// When it is missing or malformed; the text says what would help.
    pub fn new(url: Option<&ConnectionString>) -> Result<Self, ConfigError> {
        let Some(url) = url else {
            return Err(ConfigError::not_set(
                "DATABASE_URL",
                "run scripts/up, which starts a PostgreSQL of its own, or set \
                 DATABASE_URL=postgresql://user@host/database",
            ));
        };
        Database::at("DATABASE_URL", url)
    }

    /// As [`Database::new`], of a database that is named elsewhere, by `name`.
    ///
    /// # Errors
    ///
    /// When the connection string is malformed.
    pub fn at(name: &'static str, url: &ConnectionString) -> Result<Self, ConfigError> {
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
        // A server that vanished without a word is given up within a minute.
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(30));
        Ok(Database { config, shown: url.to_string() })
    }

    /// A pool of connections that work as the application's role and whose unqualified names are
    /// looked up in `search_path`.
    ///
    /// # Errors
    ///
    /// Only when the pool is built wrongly; it connects when first used.
    pub fn pool(&self, size: usize, search_path: Option<&str>) -> Result<Pool> {
        self.pool_of(size, session(search_path))
    }

    /// A pool for answering requests: names are qualified, and a query is given up by the server
    /// before the request is, so that its connection is free for the next.
    ///
    /// # Errors
    ///
    /// As [`Database::pool`].
    pub fn query_pool(&self, size: usize) -> Result<Pool> {
        // Rows of one thing lie a page each, in the order of time: asked for one after the other, a
        // disk takes four times as long. Where a server cannot ask ahead, the setting is 0.
        let ask_ahead = "SELECT set_config('effective_io_concurrency', '32', false)
                         WHERE current_setting('effective_io_concurrency')::int BETWEEN 1 AND 31";
        let session = session(None);
        self.pool_of(size, format!("{session}; SET statement_timeout = '25s'; {ask_ahead}"))
    }

    fn pool_of(&self, size: usize, prepare: String) -> Result<Pool> {
        let manager = Manager::from_config(
            self.config.clone(),
            NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
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
            .build()?;
        Ok(pool)
    }

    /// One connection outside a pool, as the application's role: for LISTEN, and for those who
    /// keep one for life. The connection ends when the client is dropped.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses.
    pub async fn connect(
        &self,
        search_path: Option<&str>,
    ) -> Result<Client, tokio_postgres::Error> {
        let client = self.connect_as_given().await?;
        client.batch_execute(&session(search_path)).await?;
        Ok(client)
    }

    /// As [`Database::connect`], but with the role of the connection string.
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

    /// The configuration itself, for who needs the connection's messages (LISTEN).
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// Brings the schema to this version. Two at once: one migrates, the other waits.
    ///
    /// # Errors
    ///
    /// When the schema is newer than this program, or a migration fails (nothing of it stays).
    pub async fn migrate(&self) -> Result<Migrated> {
        let mut client = self.connect_as_given().await.with_context(|| {
            format!("no PostgreSQL answers at {self}: run scripts/up, or set DATABASE_URL")
        })?;
        // The history of migrations is looked for in public, whatever this role's search path.
        client
            .batch_execute(
                "SET search_path = public; SELECT pg_advisory_lock(hashtext('stackledger.migrate'))",
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
        Ok(Migrated { applied, role })
    }

    /// Whether the schema is the one this program knows.
    ///
    /// # Errors
    ///
    /// When it is older or newer, saying what to do, or the database is away.
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
        f.write_str(&self.shown)
    }
}

/// Whether the session's user may take the role `oid`: from PostgreSQL 16 on, being a member of it
/// does not say so any more.
const MAY_TAKE_ROLE: &str = "CASE WHEN current_setting('server_version_num')::int >= 160000
     THEN pg_has_role(current_user, oid, 'SET') ELSE pg_has_role(current_user, oid, 'MEMBER') END";

/// What every session starts with. A client that vanished in the middle of a transaction holds its
/// locks, the head's for one, no longer than its idle timeout. The role is taken where it exists and may be taken.
fn session(search_path: Option<&str>) -> String {
    let search_path = search_path.unwrap_or("public");
    format!(
        "SET timezone = 'UTC'; SET search_path = {search_path}; SET jit = off;
         SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
         SET idle_in_transaction_session_timeout = '60s';
         SELECT set_config('role', rolname, false) FROM pg_roles
         WHERE rolname = '{APP_ROLE}' AND {MAY_TAKE_ROLE}"
    )
}

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

async fn refuse_newer(client: &Client, known: &[refinery::Migration]) -> Result<()> {
    let latest = known.iter().map(|migration| i64::from(migration.version())).max();
    if let Some(applied) = applied_version(client).await?
        && Some(applied) > latest
    {
        bail!(
            "the database's schema is at version {applied}, this program knows up to {}: use a newer stackledger",
            latest.unwrap_or(0)
        );
    }
    Ok(())
}

/// Makes the application's role where that is allowed, and lets the migrating role take it.
async fn ensure_role(client: &Client) -> Result<bool> {
    let made = client
        .batch_execute(&format!(
            "{};
             DO $$ BEGIN
                IF NOT (SELECT {MAY_TAKE_ROLE} FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
                    EXECUTE format('GRANT {APP_ROLE} TO %I', current_user);
                END IF;
             END $$",
            make_role(APP_ROLE)
        ))
        .await;
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            tracing::warn!(
                "the role {APP_ROLE} cannot be made or taken by this user: the log is guarded by \
                 its triggers alone (a superuser can: CREATE ROLE {APP_ROLE}; GRANT {APP_ROLE} TO …)"
            );
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a role where it is missing. Roles are the cluster's, not the database's: another migrate
/// may be making it right now.
fn make_role(name: &str) -> String {
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

/// Makes the role that reads where that is allowed, and lets it read the views in `public`; the
/// read models let it read them when their tables are made.
async fn ensure_reader(client: &Client) -> Result<()> {
    let made = client
        .batch_execute(&format!(
            "{};
             GRANT USAGE ON SCHEMA public TO {READER_ROLE};
             GRANT SELECT ON public.meter_samples TO {READER_ROLE};",
            make_role(READER_ROLE)
        ))
        .await;
    match made {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            tracing::info!("this user may not make the role {READER_ROLE}: there is none");
            Ok(())
        }
        made => Ok(made?),
    }
}

/// Whether waiting and trying again can help: the server or the way to it is away, it is out of
/// some resource, or another transaction was in the way.
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

/// The error with its cause and, for the server's own, its detail: tokio-postgres prints only
/// "db error".
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
