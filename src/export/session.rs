//! One connection to each side, from finding out where the target stands to the first failure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use super::source::{Source, Standing};
use super::target::{SyncPoint, Target};
use super::{Exported, Job, progress};
use crate::lifecycle::Backoff;

/// Why the target is left as it is: somebody has to decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It holds the samples of another selection.
    #[error("it holds what another selection selected{ANEW}")]
    Selection,
    /// Its rows are of another version or configuration of the read model.
    #[error("the read model was made anew since ({was} then, {is} now){ANEW}")]
    ReadModel {
        /// What the rows were made by.
        was: String,
        /// What the read model is made by.
        is: String,
    },
    /// Its rows are of another log.
    #[error("it holds the samples of another log{ANEW}")]
    Log,
    /// It has seen more than there is: the log was restored to an earlier point.
    #[error("it is at position {target}, the read model only at {checkpoint}{ANEW}")]
    Ahead {
        /// Where the target stands.
        target: i64,
        /// Where the read model stands.
        checkpoint: i64,
    },
    /// There are rows, and nothing that says where they come from.
    #[error("it holds rows that no export wrote{ANEW}")]
    NotOurs,
    /// There is a view of that name, as in our own database.
    #[error("it is a view: name another table by export.table")]
    View,
    /// Another exporter writes to it.
    #[error("another exporter writes to it")]
    Claimed,
}

/// What helps.
const ANEW: &str = "; `stackledger export --once --from-start` empties it and begins anew";

/// How long the end of an exporter that was killed may take to show at the target.
const CLAIM_PATIENCE: Duration = Duration::from_secs(5);

/// How often it is noted how far an export has got.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Session<'a> {
    job: &'a Job,
    source: Source,
    target: Target,
    point: SyncPoint,
    exported: Exported,
    /// When the position was noted last, and which.
    noted: Option<(Instant, i64)>,
}

impl<'a> Session<'a> {
    /// Connects to both, and finds out where the target stands. While another exporter has the
    /// table it waits: for as long as it takes where `stands_by`, else for a moment. `None` when
    /// asked to stop meanwhile.
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
        let Standing { origin, checkpoint } = source
            .standing()
            .await?
            .context("there is no read model of meters yet: run `stackledger project`, or `up`")?;
        target.create().await?;
        let new = SyncPoint { position: 0, selection: job.selection.text(), origin };
        let known = if from_start { None } else { target.sync_point().await? };
        let point = match known {
            // Nothing was exported yet: whatever it was to be, it is begun now.
            None | Some(SyncPoint { position: 0, .. }) => {
                if !from_start && !target.is_empty().await? {
                    return Err(Refused::NotOurs.into());
                }
                target.begin(&new).await?;
                new
            }
            Some(point) => {
                check(&point, &new, checkpoint)?;
                point
            }
        };
        let exported = Exported { position: point.position, ..Exported::default() };
        Ok(Some(Session { job, source, target, point, exported, noted: None }))
    }

    /// Exports everything up to where the read model stands now.
    pub async fn pass(&mut self, stop: &CancellationToken) -> Result<()> {
        let Some(standing) = self.source.standing().await? else { return Ok(()) };
        while self.point.position < standing.checkpoint && !stop.is_cancelled() {
            let Some((chunk, standing)) = self.source.next(self.point.position).await? else {
                break;
            };
            if standing.origin != self.point.origin {
                // Opening anew tells what to do about it.
                return Err(Changed.into());
            }
            self.target
                .write(self.point.position, &chunk)
                .await
                .context("the target does not take a chunk")?;
            self.point.position = chunk.to;
            self.exported.position = chunk.to;
            self.exported.samples += chunk.samples.len() as u64;
            self.exported.superseded += chunk.superseded.len() as u64;
            if self.noted.is_none_or(|(at, _)| at.elapsed() > NOTE_INTERVAL) {
                self.note().await?;
            }
        }
        let is_noted = self.noted.is_some_and(|(_, position)| position == self.point.position);
        if is_noted { Ok(()) } else { self.note().await }
    }

    /// What was done since the session was opened.
    pub fn exported(&self) -> Exported {
        self.exported
    }

    async fn note(&mut self) -> Result<()> {
        progress::note(self.source.client(), self.job, self.point.position).await?;
        self.noted = Some((Instant::now(), self.point.position));
        Ok(())
    }
}

/// The read model is not the one that the session began with.
#[derive(Debug, thiserror::Error)]
#[error("the read model was made anew meanwhile")]
struct Changed;

fn check(point: &SyncPoint, wanted: &SyncPoint, checkpoint: i64) -> Result<(), Refused> {
    if point.origin.log != wanted.origin.log {
        return Err(Refused::Log);
    }
    if point.selection != wanted.selection {
        return Err(Refused::Selection);
    }
    if point.origin.made != wanted.origin.made {
        let (was, is) = (point.origin.made.clone(), wanted.origin.made.clone());
        return Err(Refused::ReadModel { was, is });
    }
    if point.position > checkpoint {
        return Err(Refused::Ahead { target: point.position, checkpoint });
    }
    Ok(())
}

/// `false` when asked to stop meanwhile.
async fn claim(target: &mut Target, stands_by: bool, stop: &CancellationToken) -> Result<bool> {
    let started = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut is_told = false;
    while !target.claim().await? {
        if !stands_by && started.elapsed() > CLAIM_PATIENCE {
            return Err(Refused::Claimed.into());
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::info!("export: another exporter writes to the table, waiting for its end");
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
        let point = |selection: &str, log: &str, made: &str, position| SyncPoint {
            position,
            selection: selection.into(),
            origin: Origin { log: log.into(), made: made.into() },
        };
        let wanted = point("s", "l", "1", 0);
        assert_eq!(check(&point("s", "l", "1", 5), &wanted, 5), Ok(()));
        assert_eq!(check(&point("t", "l", "1", 5), &wanted, 5), Err(Refused::Selection));
        assert_eq!(check(&point("s", "m", "1", 5), &wanted, 5), Err(Refused::Log));
        let made = check(&point("s", "l", "2", 5), &wanted, 5).unwrap_err();
        assert_eq!(made, Refused::ReadModel { was: "2".into(), is: "1".into() });
        let ahead = check(&point("s", "l", "1", 6), &wanted, 5).unwrap_err();
        assert_eq!(ahead, Refused::Ahead { target: 6, checkpoint: 5 });
        for refused in [Refused::Selection, made, ahead, Refused::Log, Refused::NotOurs] {
            assert!(refused.to_string().contains("--from-start"), "{refused}");
        }
    }
}
