//! `stackledger up`, and its roles on their own: `consume`, `project` and `serve`.

mod hourly;
mod service_manager;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use crate::api;
use crate::health::Health;
use crate::ingest::{Decoder, amqp, intake::Intake};
use crate::sales::SalesOrders;
use crate::supervise::supervise;
use crate::{lifecycle, projection, telemetry};

/// Database connections that answer queries: more than the cores of most servers, and fewer than the
/// connections that PostgreSQL accepts.
const QUERY_CONNECTIONS: usize = 16;

/// Database connections for health and metrics: one for each of the readings that a scrape makes at once.
const HEALTH_CONNECTIONS: usize = 3;

/// The roles that a process has.
#[derive(Clone, Copy)]
pub(super) struct Roles {
    migrate: bool,
    consume: bool,
    project: bool,
    serve: bool,
}

impl Roles {
    pub const ALL: Roles = Roles { migrate: true, consume: true, project: true, serve: true };
    const NONE: Roles = Roles { migrate: false, consume: false, project: false, serve: false };
    pub const CONSUME: Roles = Roles { consume: true, ..Roles::NONE };
    pub const PROJECT: Roles = Roles { project: true, ..Roles::NONE };
    pub const SERVE: Roles = Roles { serve: true, ..Roles::NONE };
}

/// Runs the roles until a signal asks to stop, and then finishes the work in hand.
pub(super) async fn run(env: &Environment, roles: Roles) -> Result<()> {
    telemetry::init_metrics();
    let stop = lifecycle::stop_on_signal()?;
    lifecycle::ignore_hangup()?;
    let database = if roles.migrate {
        let database = env.database()?;
        let client = database.connect_as_given().await;
        client.map_err(|error| database.explain_connecting(&error))?;
        // A migration waits while another process migrates, so the stop has to end it, too.
        let migrated = tokio::select! {
            migrated = database.migrate() => migrated?,
            () = stop.cancelled() => return Ok(()),
        };
        for name in migrated.applied {
            tracing::info!("applied migration {name}");
        }
        database
    } else {
        env.checked_database().await?
    };
    let health = Arc::new(Health::default());
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    let keep = |task: &'static str, begin| keep(task, Arc::clone(&health), stop.clone(), begin);
    tasks.spawn(keep("upkeep of metrics", |stop| Box::pin(telemetry::run_upkeep(stop))));
    if let Some(address) = env.config.health_listen {
        let listener = listen("HEALTH_LISTEN", address).await?;
        // Only those who project or answer need the read models.
        let needed = if roles.project || roles.serve { projection::ALL } else { &[] };
        let pool = database.query_pool(HEALTH_CONNECTIONS)?;
        let monitor = api::Monitor::new(pool, database.clone(), Arc::clone(&health), needed);
        let stop = stop.clone();
        tasks.spawn(async move { api::serve_health(listener, monitor, stop).await });
    }
    if roles.serve {
        let listener = listen("LISTEN", env.config.listen).await?;
        let decoder = Decoder::new(&env.config);
        let (intake, requests) = Intake::new(decoder);
        let appending = requests.append(database.clone(), Arc::clone(&health), stop.clone());
        tasks.spawn(async move { Ok(appending.await?) });
        let pool = database.query_pool(QUERY_CONNECTIONS)?;
        let read_pool = match env.standby().await? {
            Some(standby) => standby.standby_pool(&database, QUERY_CONNECTIONS)?,
            None => pool.clone(),
        };
        let state = api::State {
            pool,
            read_pool,
            intake,
            health: Arc::clone(&health),
            database: database.clone(),
            sales_orders: SalesOrders::new(database.clone(), Arc::clone(&env.config.file)),
            tokens: env.config.tokens.clone().into(),
            file: Arc::clone(&env.config.file),
        };
        let stop = stop.clone();
        tasks.spawn(async move { api::serve(listener, state, stop).await });
    }
    if roles.consume {
        tasks.spawn(hourly::create_partitions(database.clone(), stop.clone()));
        let (database, config) = (database.clone(), Arc::clone(&env.config));
        let (health, stop) = (Arc::clone(&health), stop.clone());
        tasks.spawn(amqp::run(database, config, health, stop));
    }
    if roles.project {
        let file = Arc::clone(&env.config.file);
        tasks.spawn(hourly::drop_old_data(database.clone(), file, stop.clone()));
        tasks.spawn(hourly::note_sizes(database.clone(), stop.clone()));
        let (database, config) = (database.clone(), Arc::clone(&env.config));
        let (health, stop) = (Arc::clone(&health), stop.clone());
        tasks.spawn(projection::run(projection::ALL, database, config, health, stop));
    }
    tasks.spawn(keep("telling the service manager", |stop| {
        Box::pin(service_manager::keep_informed(stop))
    }));
    // A task ends only when it is asked to stop, or fails. The first one that ends stops the others.
    let first = tokio::select! {
        first = tasks.join_next() => first,
        () = stop.cancelled() => None,
    };
    let is_asked_to_stop = stop.is_cancelled();
    stop.cancel();
    let rest = tokio::time::timeout(lifecycle::STOP_TIMEOUT, async {
        while tasks.join_next().await.is_some() {}
    });
    if rest.await.is_err() {
        tracing::warn!("stopped before all work was finished: the brokers redeliver the rest");
    }
    match first {
        None => Ok(()),
        Some(Ok(result)) if is_asked_to_stop => result,
        Some(Ok(Ok(()))) => bail!("a task ended without being asked to"),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(panic)) => Err(Error::new(panic).context("a task cannot go on")),
    }
}

/// Runs a task that lives as long as the process.
async fn keep(
    task: &str,
    health: Arc<Health>,
    stop: CancellationToken,
    begin: fn(CancellationToken) -> BoxFuture<'static, ()>,
) -> Result<()> {
    Ok(supervise(task, &health, &stop, || begin(stop.clone())).await?)
}

/// Listens on the address that a variable gives.
async fn listen(variable: &str, address: SocketAddr) -> Result<TcpListener> {
    let listening = TcpListener::bind(address).await;
    listening.with_context(|| format!("{variable}={address} cannot be listened on"))
}
