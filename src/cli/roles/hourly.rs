//! The hourly tasks of processes that consume or project: partitions for the next days, retention, and
//! notes of sizes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::config::File;
use crate::db::{self, Database};
use crate::retention::Outcome;
use crate::{capacity, lifecycle, log, projection, retention};

const INTERVAL: Duration = Duration::from_secs(3600);

/// Pause before retention is tried again if a step failed or has to wait.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Creates the log's partitions of the next days, at start and every hour. A partition that is missing
/// all the same is created when its first message arrives.
pub(super) async fn create_partitions(database: Database, stop: CancellationToken) -> Result<()> {
    let fault = "the partitions of the next days could not be created";
    each_hour(&database, &stop, fault, async |client| {
        log::ensure_days_ahead(client, lifecycle::now()).await
    })
    .await;
    Ok(())
}

/// Notes the sizes of the log and the read models, at start and every hour.
pub(super) async fn note_sizes(database: Database, stop: CancellationToken) -> Result<()> {
    each_hour(&database, &stop, "sizes could not be noted", async |client| {
        capacity::note_sizes(client, lifecycle::now()).await
    })
    .await;
    Ok(())
}

/// Does something with a connection at start and every hour, until asked to stop. A failure is logged.
async fn each_hour(
    database: &Database,
    stop: &CancellationToken,
    fault: &str,
    task: impl AsyncFn(&Client) -> Result<(), tokio_postgres::Error>,
) {
    let mut hourly = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = hourly.tick() => {}
        }
        let result = match database.connect(None).await {
            Ok(client) => task(&client).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!("{fault}: {}", db::explain(&error));
        }
    }
}

/// Drops data that is older than its retention, at start and every hour; after a minute if a step
/// failed or has to wait.
pub(super) async fn drop_old_data(
    database: Database,
    file: Arc<File>,
    stop: CancellationToken,
) -> Result<()> {
    loop {
        let now = lifecycle::now();
        let steps = retention::retain(&database, projection::ALL, &file.retention, now).await;
        let pause = match steps {
            // Another process is doing it.
            Ok(None) => INTERVAL,
            Ok(Some(steps)) => {
                let is_done = steps.iter().all(|(_, outcome)| *outcome == Outcome::Done);
                for (step, outcome) in steps {
                    tracing::info!("retention: {} {step}: {outcome}", step.name());
                }
                if is_done { INTERVAL } else { RETRY_PAUSE }
            }
            Err(error) => {
                tracing::warn!("old data could not be dropped: {error:#}");
                RETRY_PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
