//! An export that ends, and one that goes on.

use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::session::{Refused, Session};
use super::{Exported, Job, progress};
use crate::db;
use crate::lifecycle::Backoff;

/// Exports everything up to where the read model stands now. With `from_start` the table is emptied
/// before, whatever it holds.
///
/// # Errors
///
/// When either database is away or refuses; or with [`Refused`].
pub async fn once(job: &Job, from_start: bool, stop: &CancellationToken) -> Result<Exported> {
    let export = async {
        let Some(mut session) = Session::open(job, from_start, false, stop).await? else {
            return Ok(Exported::default());
        };
        session.pass(stop).await?;
        Ok(session.exported())
    };
    let done = export.await;
    if let Err(error) = &done {
        progress::note_error(job, &describe(error)).await;
    }
    done
}

/// Exports what is new, again and again, `interval` apart, until asked to stop. While either
/// database is away it waits and tries again.
///
/// # Errors
///
/// [`Refused`] alone.
pub async fn follow(job: &Job, interval: Duration, stop: &CancellationToken) -> Result<()> {
    let mut backoff = Backoff::for_service();
    // What was said last: a fault is told once, not at every try.
    let mut fault: Option<String> = None;
    loop {
        let mut on_success = || {
            backoff.reset();
            if fault.take().is_some() {
                tracing::info!("export: goes on");
            }
        };
        let Err(error) = session(job, interval, stop, &mut on_success).await else { return Ok(()) };
        let described = describe(&error);
        progress::note_error(job, &described).await;
        if error.is::<Refused>() {
            return Err(error);
        }
        if fault.as_ref() != Some(&described) {
            tracing::warn!("export: {described}; trying again until it works");
        }
        fault = Some(described);
        if !backoff.wait(stop).await {
            return Ok(());
        }
    }
}

/// Ends well only when asked to stop.
async fn session(
    job: &Job,
    interval: Duration,
    stop: &CancellationToken,
    on_success: &mut impl FnMut(),
) -> Result<()> {
    let Some(mut session) = Session::open(job, false, true, stop).await? else { return Ok(()) };
    tracing::info!(
        "export: writing to {} at {}, from position {}",
        job.table,
        job.address,
        session.exported().position
    );
    loop {
        session.pass(stop).await?;
        on_success();
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// The error in one line, with what PostgreSQL said.
fn describe(error: &anyhow::Error) -> String {
    let of_postgres = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<tokio_postgres::Error>().map(db::explain)
    };
    let mut parts = Vec::new();
    for cause in error.chain() {
        if let Some(explained) = of_postgres(cause) {
            parts.push(explained);
            break;
        }
        parts.push(cause.to_string());
    }
    parts.join(": ")
}
