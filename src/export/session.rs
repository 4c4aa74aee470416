//! One connection to each side: from reading the target's position to the first failure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use super::refusal::Refusal;
use super::source::{Source, SourcePosition};
use super::target::{SyncPoint, Target};
use super::{Job, Totals, progress};
use crate::lifecycle::Backoff;

/// Time for the target to notice that an exporter was killed.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two records of the progress.
const RECORD_INTERVAL: Duration = Duration::from_secs(1);

/// An export in progress.
pub(super) struct Session<'a> {
    job: &'a Job,
    source: Source,
    target: Target,
    point: SyncPoint,
    totals: Totals,
    /// The time of the last record of the progress, and the position recorded.
    recorded: Option<(Instant, i64)>,
}

impl<'a> Session<'a> {
    /// Connects to both sides and reads or creates the target's synchronisation point. While another exporter
    /// has the table it waits: without limit if `stands_by`, else for 5 s. `None` if `stop` came meanwhile.
    pub async fn open(
        job: &'a Job,
        from_start: bool,
        stands_by: bool,
        stop: &CancellationToken,
    ) -> Result<Option<Session<'a>>> {
        let client = job.database.connect(None).await.context("our database does not answer")?;
        let mut source = Source::new(client, job.selection.clone(), job.batch);
        let mut target =
            job.address.connect(&job.table).await.context("the target does not answer")?;
        if !claim(&mut target, stands_by, stop).await? {
            return Ok(None);
        }
        let SourcePosition { origin, checkpoint } = source
            .position()
            .await?
            .context("there is no read model of meters yet: run `stackledger project`, or `up`")?;
        target.create().await?;
        let new = SyncPoint { position: 0, selection: job.selection.text(), origin };
        let known = if from_start { None } else { target.sync_point().await? };
        let point = match known {
            // Nothing was exported yet: the point is set anew, whatever it was meant for.
            None | Some(SyncPoint { position: 0, .. }) => {
                if !from_start && !target.is_empty().await? {
                    return Err(Refusal::NotOurs.into());
                }
                target.begin(&new).await?;
                new
            }
            Some(point) => {
                check(&point, &new, checkpoint)?;
                point
            }
        };
        let totals = Totals { position: point.position, ..Totals::default() };
        Ok(Some(Session { job, source, target, point, totals, recorded: None }))
    }

    /// Exports everything up to the read model's present position.
    pub async fn pass(&mut self, stop: &CancellationToken) -> Result<()> {
        let Some(present) = self.source.position().await? else { return Ok(()) };
        while self.point.position < present.checkpoint && !stop.is_cancelled() {
            let Some((chunk, read_at)) = self.source.next(self.point.position).await? else {
                break;
            };
            if read_at.origin != self.point.origin {
                // The next session refuses with the remedy.
                return Err(OriginChange.into());
            }
            self.target
                .write(self.point.position, &chunk)
                .await
                .context("the target does not accept a chunk")?;
            self.point.position = chunk.to;
            self.totals.position = chunk.to;
            self.totals.samples += chunk.samples.len() as u64;
            self.totals.superseded += chunk.superseded.len() as u64;
            if self.recorded.is_none_or(|(at, _)| at.elapsed() > RECORD_INTERVAL) {
                self.record().await?;
            }
        }
        let is_recorded =
            self.recorded.is_some_and(|(_, position)| position == self.point.position);
        if is_recorded { Ok(()) } else { self.record().await }
    }

    /// Returns the work since the session was opened.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    async fn record(&mut self) -> Result<()> {
        progress::record(self.source.client(), self.job, self.point.position).await?;
        self.recorded = Some((Instant::now(), self.point.position));
        Ok(())
    }
}

/// The read model is no longer the one that the session began with.
#[derive(Debug, thiserror::Error)]
#[error("a replay replaced the read model meanwhile")]
struct OriginChange;

/// Checks that a target goes on where its synchronisation point is.
fn check(point: &SyncPoint, wanted: &SyncPoint, checkpoint: i64) -> Result<(), Refusal> {
    if point.origin.log != wanted.origin.log {
        return Err(Refusal::Log);
    }
    if point.selection != wanted.selection {
        return Err(Refusal::Selection);
    }
    if point.origin.rows_version != wanted.origin.rows_version {
        let was = point.origin.rows_version.clone();
        let is = wanted.origin.rows_version.clone();
        return Err(Refusal::ReadModel { was, is });
    }
    if point.position > checkpoint {
        return Err(Refusal::Beyond { target: point.position, checkpoint });
    }
    Ok(())
}

/// Claims the table for this process; `false` if `stop` came meanwhile.
async fn claim(target: &mut Target, stands_by: bool, stop: &CancellationToken) -> Result<bool> {
    let started = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut is_logged = false;
    while !target.claim().await? {
        if !stands_by && started.elapsed() > CLAIM_TIMEOUT {
            return Err(Refusal::Claimed.into());
        }
        if !std::mem::replace(&mut is_logged, true) {
            tracing::info!("export: another exporter writes to the table; waiting until it ends");
        }
        if !backoff.wait(stop).await {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Origin;

    #[test]
    fn a_target_of_something_else_is_refused() {
        let point = |selection: &str, log: &str, rows_version: &str, position| SyncPoint {
            position,
            selection: selection.into(),
            origin: Origin { log: log.into(), rows_version: rows_version.into() },
        };
        let wanted = point("s", "l", "1", 0);
        assert_eq!(check(&point("s", "l", "1", 5), &wanted, 5), Ok(()));
        assert_eq!(check(&point("t", "l", "1", 5), &wanted, 5), Err(Refusal::Selection));
        assert_eq!(check(&point("s", "m", "1", 5), &wanted, 5), Err(Refusal::Log));
        let replayed = check(&point("s", "l", "2", 5), &wanted, 5).unwrap_err();
        assert_eq!(replayed, Refusal::ReadModel { was: "2".into(), is: "1".into() });
        let beyond = check(&point("s", "l", "1", 6), &wanted, 5).unwrap_err();
        assert_eq!(beyond, Refusal::Beyond { target: 6, checkpoint: 5 });
        for refusal in [Refusal::Selection, replayed, beyond, Refusal::Log, Refusal::NotOurs] {
            assert!(refusal.to_string().contains("--from-start"), "{refusal}");
        }
    }
}
