//! Folds new samples into the stored ones: decides which rows of `sample` and `superseded` change. Pure.

use std::collections::HashMap;

use super::month::Month;
use super::sample::Sample;

/// The place of a row of `sample`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The partition's month.
    pub month: Month,
    /// The row's `ctid` in the partition.
    pub ctid: String,
}

/// A row of `sample`, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredSample {
    pub location: Location,
    pub sample: Sample,
}

/// A sample that counted until a better one of its identity arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SupersededSample {
    pub sample: Sample,
    /// Position of the event that contains the better one.
    pub at: i64,
    /// Its row of `sample`, if it has one.
    pub row: Option<Location>,
}

/// How `sample` and `superseded` change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// New rows of `sample`.
    pub new: Vec<Sample>,
    /// New rows of `superseded`; the row of `sample` is deleted where there is one.
    pub superseded: Vec<SupersededSample>,
}

/// Sorts samples as [`fold`] needs them: by identity, then by position.
pub(super) fn sort(samples: &mut [Sample]) {
    samples.sort_unstable_by(|a, b| {
        a.identity().cmp(&b.identity()).then_with(|| a.position.cmp(&b.position))
    });
}

/// Returns how samples in the order of [`sort`] change the stored ones. `rows` are the stored samples of
/// the same identities, each by the index of the first new sample of its identity.
pub(super) fn fold(samples: Vec<Sample>, mut rows: HashMap<usize, StoredSample>) -> Changes {
    let mut changes = Changes::default();
    let mut winner: Option<Winner> = None;
    for (index, sample) in samples.into_iter().enumerate() {
        match &mut winner {
            Some(winner) if winner.sample.identity() == sample.identity() => {
                changes.challenge(winner, sample);
            }
            _ => {
                changes.keep(winner.take());
                winner = Some(match rows.remove(&index) {
                    None => Winner { sample, row: None },
                    Some(StoredSample { sample: stored, location }) => {
                        let mut winner = Winner { sample: stored, row: Some(location) };
                        changes.challenge(&mut winner, sample);
                        winner
                    }
                });
            }
        }
    }
    changes.keep(winner);
    changes
}

/// The sample of an identity that counts so far.
struct Winner {
    sample: Sample,
    /// Its row of `sample`, if it has one.
    row: Option<Location>,
}

impl Changes {
    /// Replaces the winner by the sample if that is better.
    fn challenge(&mut self, winner: &mut Winner, sample: Sample) {
        if !sample.beats(&winner.sample) {
            return;
        }
        let at = sample.position;
        let sample = std::mem::replace(&mut winner.sample, sample);
        let row = winner.row.take();
        // All samples of an event become known at once: no reader ever saw an earlier one of them alone.
        if sample.position < at {
            self.superseded.push(SupersededSample { sample, at, row });
        }
    }

    /// Adds a row for a winner that has none.
    fn keep(&mut self, winner: Option<Winner>) {
        self.new.extend(winner.filter(|winner| winner.row.is_none()).map(|winner| winner.sample));
    }
}
