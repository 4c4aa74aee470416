//! Attributes of an instance: the reports that can decide their values, and the values.
//!
//! Of each attribute only the reports are kept that no other known one beats whatever else arrives. So the
//! values are those of the set of all reports: order of arrival, duplicates and batches do not matter.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::Instance;
use super::stamp::Stamp;
use crate::event::nova::Notification;
use crate::event::nova::evidence::{Attribute, Rank, outweighs};

/// The reports of an instance's attributes that can decide, ordered by attribute and rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attributes(Vec<Report>);

/// A report of an attribute's value.
#[derive(Clone, Debug, PartialEq)]
struct Report {
    attribute: Attribute,
    rank: Rank,
    stamp: Stamp,
    /// The request in which it was sent, as a hash of its id.
    request: Option<Uuid>,
    /// The value, `None` if it was sent empty on purpose. Times are texts, too.
    value: Option<String>,
}

impl Attributes {
    /// Adds what a notification reports.
    pub fn record(&mut self, stamp: Stamp, notification: &Notification) {
        let request = notification
            .request_id
            .as_ref()
            .map(|id| Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()));
        for attribute in Attribute::ALL {
            if let Some(rank) = notification.rank_of(attribute) {
                self.offer(attribute, rank, stamp, request, || read_value(notification, attribute));
            }
        }
    }

    /// Adds the name that a report of a build contains.
    pub fn record_name(&mut self, stamp: Stamp, name: &Option<String>) {
        if name.is_some() {
            self.offer(Attribute::Name, Rank::Mention, stamp, None, || name.clone());
        }
    }

    /// Adds the reports that other facts left.
    pub fn merge(&mut self, other: Attributes) {
        for Report { attribute, rank, stamp, request, value } in other.0 {
            self.offer(attribute, rank, stamp, request, || value);
        }
    }

    /// The reports that are stored in a row.
    pub fn of(row: &Instance) -> Self {
        let stamps = row.evidence_at.iter().copied().zip(row.evidence_id.iter().copied());
        let contents = row.evidence_request.iter().copied().zip(row.evidence_value.iter().cloned());
        let reports = row.evidence.iter().zip(stamps.zip(contents));
        let read = |(code, (stamp, (request, value))): (&i32, _)| {
            let (attribute, rank) = decode(*code)?;
            Some(Report { attribute, rank, stamp, request, value })
        };
        Attributes(reports.filter_map(read).collect())
    }

    /// Stores the reports in a row, and the values that they decide.
    pub fn write(self, row: &mut Instance) {
        let decide = |attribute| self.decide(attribute);
        let text = |attribute| decide(attribute).and_then(|report| report.value.clone());
        let time = |attribute| decide(attribute)?.value.as_deref()?.parse::<Timestamp>().ok();
        row.name = text(Attribute::Name);
        row.project_id = text(Attribute::ProjectId);
        row.host = text(Attribute::Host);
        row.flavor = text(Attribute::Flavor);
        row.image = text(Attribute::Image);
        row.state = text(Attribute::State);
        row.state_at = decide(Attribute::State).map(|report| report.stamp.0);
        row.launched_at = time(Attribute::LaunchedAt);
        row.deleted_at = time(Attribute::DeletedAt);
        row.evidence = self.0.iter().map(|report| encode(report.attribute, report.rank)).collect();
        row.evidence_at = self.0.iter().map(|report| report.stamp.0).collect();
        row.evidence_id = self.0.iter().map(|report| report.stamp.1).collect();
        row.evidence_request = self.0.iter().map(|report| report.request).collect();
        row.evidence_value = self.0.into_iter().map(|report| report.value).collect();
    }

    /// Returns the report that decides an attribute's value.
    fn decide(&self, attribute: Attribute) -> Option<&Report> {
        let mut reports = self.0.iter().filter(|report| report.attribute == attribute);
        let strongest = reports.next()?;
        // It is later than the change: earlier mentions are not kept.
        let mention = reports.next().filter(|report| report.rank == Rank::Mention);
        let later = mention.filter(|mention| outweighs(mention.request, strongest.request));
        Some(later.unwrap_or(strongest))
    }

    /// Adds a report unless a known one beats it, and drops the ones that it beats.
    fn offer(
        &mut self,
        attribute: Attribute,
        rank: Rank,
        stamp: Stamp,
        request: Option<Uuid>,
        value: impl FnOnce() -> Option<String>,
    ) {
        let first = self.0.partition_point(|known| known.attribute < attribute);
        let mut end = first + self.0[first..].partition_point(|known| known.attribute == attribute);
        let known = &self.0[first..end];
        if known.iter().any(|known| beats((known.rank, known.stamp), (rank, stamp))) {
            return;
        }
        for index in (first..end).rev() {
            if beats((rank, stamp), (self.0[index].rank, self.0[index].stamp)) {
                self.0.remove(index);
                end -= 1;
            }
        }
        let index = first + self.0[first..end].partition_point(|known| known.rank < rank);
        self.0.insert(index, Report { attribute, rank, stamp, request, value: value() });
    }
}

/// Whether a report makes another one of the same attribute irrelevant, or is the same. Of the reports of a
/// deletion the first of the strongest rank counts, because later ones only repeat it; of the others the
/// newest. A mention that is later than a change does not make it irrelevant: see [`outweighs`].
fn beats(a: (Rank, Stamp), b: (Rank, Stamp)) -> bool {
    let ((a_rank, a_stamp), (b_rank, b_stamp)) = (a, b);
    match (a_rank.is_final(), b_rank.is_final()) {
        (true, true) => a <= b,
        (true, false) => true,
        (false, true) => false,
        (false, false) => match b_rank {
            Rank::Filler if a_rank < Rank::Filler => true,
            _ => a_rank <= b_rank && a_stamp >= b_stamp,
        },
    }
}

fn read_value(notification: &Notification, attribute: Attribute) -> Option<String> {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    match attribute {
        Attribute::Name => notification.name.clone(),
        Attribute::ProjectId => notification.project_id.clone(),
        Attribute::Host => notification.host.clone(),
        Attribute::Flavor => notification.flavor.clone(),
        Attribute::Image => notification.image.clone(),
        // An instance that was never given to a host is deleted in its last state.
        Attribute::State if notification.ends_life() => Some("deleted".to_owned()),
        Attribute::State => notification.state.clone(),
        Attribute::LaunchedAt => time(notification.launched_at),
        Attribute::DeletedAt => time(notification.deleted_at),
    }
}

/// The number in `instance.evidence` of an attribute and a rank: both count from 0, in their orders of
/// declaration.
fn encode(attribute: Attribute, rank: Rank) -> i32 {
    attribute as i32 * 10 + rank as i32
}

fn decode(code: i32) -> Option<(Attribute, Rank)> {
    let code = usize::try_from(code).ok()?;
    Some((*Attribute::ALL.get(code / 10)?, *Rank::ALL.get(code % 10)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_are_written() {
        for attribute in Attribute::ALL {
            for rank in Rank::ALL {
                assert_eq!(decode(encode(attribute, rank)), Some((attribute, rank)));
            }
        }
        assert_eq!(decode(80), None);
        assert_eq!(decode(6), None);
        assert_eq!(decode(-1), None);
    }
}
