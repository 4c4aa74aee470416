//! An export that ends at the present position, and one that goes on.

use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::refusal::Refusal;
use super::session::Session;
use super::{Job, Totals, progress};
use crate::db;
use crate::lifecycle::Backoff;

/// Exports everything up to the read model's present position. With `from_start` the table is emptied before,
/// whatever it contains.
///
/// # Errors
///
/// When either database fails; or a [`Refusal`].
pub async fn run_once(job: &Job, from_start: bool, stop: &CancellationToken) -> Result<Totals> {
    let export = async {
        let Some(mut session) = Session::open(job, from_start, false, stop).await? else {
            return Ok(Totals::default());
        };
        session.pass(stop).await?;
        Ok(session.totals())
    };
    let done = export.await;
    if let Err(error) = &done {
        progress::record_error(job, &describe(error)).await;
    }
    done
}

/// Exports new samples every `interval` until `stop`. While either database is away it waits and tries again.
///
/// # Errors
///
/// Only a [`Refusal`]; every other failure is retried.
pub async fn follow(job: &Job, interval: Duration, stop: &CancellationToken) -> Result<()> {
    let mut backoff = Backoff::for_service();
    // The fault that was logged last: each is logged once, not at every try.
    let mut fault: Option<String> = None;
    loop {
        let mut on_success = || {
            backoff.reset();
            if fault.take().is_some() {
                tracing::info!("export: working again");
            }
        };
        let Err(error) = run_session(job, interval, stop, &mut on_success).await else {
            return Ok(());
        };
        let described = describe(&error);
        progress::record_error(job, &described).await;
        if error.is::<Refusal>() {
            return Err(error);
        }
        if fault.as_ref() != Some(&described) {
            tracing::warn!("export: {described}; retrying until it works");
        }
        fault = Some(described);
        if !backoff.wait(stop).await {
            return Ok(());
        }
    }
}

/// Exports over one connection to each side, until `stop` or the first failure.
async fn run_session(
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
        session.totals().position
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

/// Returns the error in one line, with PostgreSQL's explanation if it is one of PostgreSQL's.
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
