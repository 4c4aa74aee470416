//! `stackledger up`, and its roles one by one: `consume`, `project`, `serve`.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Env, unreachable};
use crate::api;
use crate::config::File;
use crate::health::Health;
use crate::ingest::{Decoder, amqp, intake::Intake};
use crate::retention::Outcome;
use crate::sales::Desk;
use crate::{lifecycle, log, projection, retention, telemetry};

/// Connections that answer queries: more than the cores of most servers, fewer than its limit.
const SERVE_CONNECTIONS: usize = 16;

/// What a process does.
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

/// Runs until a signal asks to stop, and then finishes what it holds.
pub(super) async fn run(env: &Env, roles: Roles) -> Result<()> {
    telemetry::init_metrics();
    tokio::spawn(telemetry::keep_up());
    let stop = lifecycle::stop_on_signal()?;
    let database = if roles.migrate {
        let database = env.database()?;
        let client = database.connect_as_given().await;
        client.map_err(|error| unreachable(&database, &error))?;
        // It may wait for another process's migration.
        let migrated = tokio::select! {
            migrated = database.migrate() => migrated?,
            () = stop.cancelled() => return Ok(()),
        };
        for applied in migrated.applied {
            tracing::info!("applied migration {applied}");
        }
        database
    } else {
        env.checked_database().await?
    };
    let health = Arc::new(Health::default());
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    if roles.serve {
        let address = env.config.listen;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("LISTEN={address} cannot be listened on"))?;
        let decoder = Decoder::new(&env.config);
        let intake = Intake::start(database.clone(), decoder, Arc::clone(&health), stop.clone());
        let state = api::State {
            pool: database.query_pool(SERVE_CONNECTIONS)?,
            intake,
            health: Arc::clone(&health),
            database: database.clone(),
            desk: Desk::new(database.clone(), Arc::clone(&env.config.file)),
            tokens: env.config.tokens.clone().into(),
            file: Arc::clone(&env.config.file),
        };
        let stop = stop.clone();
        tasks.spawn(async move { api::serve(listener, state, stop).await });
    }
    if roles.consume {
        tasks.spawn(keep_days_ahead(database.clone(), stop.clone()));
        let (database, config) = (database.clone(), Arc::clone(&env.config));
        let (health, stop) = (Arc::clone(&health), stop.clone());
        tasks.spawn(async move {
            amqp::run(database, config, health, stop).await;
            Ok(())
        });
    }
    if roles.project {
        let retaining =
            keep_retaining(database.clone(), Arc::clone(&env.config.file), stop.clone());
        tasks.spawn(retaining);
        let (database, config) = (database.clone(), Arc::clone(&env.config));
        let (health, stop) = (Arc::clone(&health), stop.clone());
        tasks.spawn(async move {
            projection::run(projection::ALL, database, config, health, stop).await;
            Ok(())
        });
    }
    // All of them end well only when asked to stop: the first that ends takes the rest with it.
    let first = tokio::select! {
        first = tasks.join_next() => first,
        () = stop.cancelled() => None,
    };
    let asked = stop.is_cancelled();
    stop.cancel();
    let rest = tokio::time::timeout(lifecycle::STOP_TIMEOUT, async {
        while tasks.join_next().await.is_some() {}
    });
    if rest.await.is_err() {
        tracing::warn!("not everything in hand could be finished: the brokers deliver it again");
    }
    match first {
        None => Ok(()),
        Some(Ok(result)) if asked => result,
        Some(Ok(Ok(()))) => bail!("a task ended that should go on"),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(panic)) => Err(panic.into()),
    }
}

/// Makes the next days' partitions now and every hour. One that is missing all the same is made
/// when its first message comes.
async fn keep_days_ahead(
    database: crate::db::Database,
    stop: tokio_util::sync::CancellationToken,
) -> Result<()> {
    let mut hourly = tokio::time::interval(std::time::Duration::from_secs(3600));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = hourly.tick() => {}
        }
        let made = match database.connect(None).await {
            Ok(client) => log::ensure_days_ahead(&client, lifecycle::now()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            tracing::warn!("partitions could not be made ahead: {}", crate::db::explain(&error));
        }
    }
}

/// Drops what is old, now and every hour; in a minute again where something waits or fails.
async fn keep_retaining(
    database: crate::db::Database,
    file: Arc<File>,
    stop: tokio_util::sync::CancellationToken,
) -> Result<()> {
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
    const SOON: std::time::Duration = std::time::Duration::from_secs(60);
    loop {
        let now = lifecycle::now();
        let again = match retention::retain(&database, projection::ALL, &file.retention, now).await
        {
            // Another process does it.
            Ok(None) => HOUR,
            Ok(Some(steps)) => {
                let waiting = steps.iter().filter(|(_, outcome)| *outcome != Outcome::Done).count();
                for (step, outcome) in steps {
                    tracing::info!("retention: {} {step}: {outcome}", step.name());
                }
                if waiting > 0 { SOON } else { HOUR }
            }
            Err(error) => {
                tracing::warn!("what is old could not be dropped: {error:#}");
                SOON
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(again) => {}
        }
    }
}
