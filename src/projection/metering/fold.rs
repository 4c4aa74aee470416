//! Samples that were told and rows that are there in, changes of rows out. Pure.

use std::collections::HashMap;

use super::month::Month;
use super::sample::Sample;

/// Where a row of `sample` stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In which partition.
    pub month: Month,
    /// Its `ctid` there.
    pub ctid: String,
}

/// A row of `sample`, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub place: Place,
    pub sample: Sample,
}

/// A sample that held its identity's place until a better one was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superseded {
    pub sample: Sample,
    /// Position of the event that told of the better one.
    pub at: i64,
    /// Where it stands, if it was a row before.
    pub row: Option<Place>,
}

/// How `sample` and `superseded` change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// New rows of `sample`.
    pub new: Vec<Sample>,
    /// New rows of `superseded`; those that have a place leave it.
    pub superseded: Vec<Superseded>,
}

/// Puts samples in the order that [`fold`] needs: by identity, then by position.
pub(super) fn sort(samples: &mut [Sample]) {
    samples.sort_unstable_by(|a, b| {
        a.identity().cmp(&b.identity()).then_with(|| a.position.cmp(&b.position))
    });
}

/// What samples that are [`sort`]ed change about the rows there are. `rows` holds those of the same
/// identities, each by the index of the first sample of its own.
pub(super) fn fold(samples: Vec<Sample>, mut rows: HashMap<usize, Stored>) -> Changes {
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
                    Some(Stored { sample: stored, place }) => {
                        let mut winner = Winner { sample: stored, row: Some(place) };
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
    /// Where it stands, if it is a row.
    row: Option<Place>,
}

impl Changes {
    /// Lets the sample take the winner's place if it is better.
    fn challenge(&mut self, winner: &mut Winner, sample: Sample) {
        if !sample.beats(&winner.sample) {
            return;
        }
        let at = sample.position;
        let sample = std::mem::replace(&mut winner.sample, sample);
        let row = winner.row.take();
        // An event tells all its samples at once: none of them ever stood for another to see.
        if sample.position < at {
            self.superseded.push(Superseded { sample, at, row });
        }
    }

    /// A winner that is no row yet becomes one.
    fn keep(&mut self, winner: Option<Winner>) {
        self.new.extend(winner.filter(|winner| winner.row.is_none()).map(|winner| winner.sample));
    }
}
