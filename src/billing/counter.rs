//! Counters: the readings of one resource and meter that one host reported.
//!
//! While an instance migrates, its domain exists on two hosts, each with counters of its own, and the agents of
//! both report them by turns. So a reading is compared with the last one of its own host, at any distance.
//! Readings that name no host are one counter.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::metadata::Metadata;
use super::reading::{Reading, Timeline};
use super::window::Span;

impl<'a> Reading<'a> {
    /// Returns the name of the host that measured; `""` if the reading names none.
    pub fn host(&self) -> &'a str {
        self.metadata.map_or("", Metadata::host)
    }
}

impl Timeline<'_> {
    /// Returns the index of the last reading before the one of this index that is of the same host.
    pub(super) fn index_before_of_host(&self, index: usize) -> Option<usize> {
        let host = self.readings()[index].host();
        self.readings()[..index].iter().rposition(|reading| reading.host() == host)
    }

    /// Returns the time of the host's first reading after a time.
    pub fn next_of_host(&self, at: Timestamp, host: &str) -> Option<Timestamp> {
        let later = self.readings().partition_point(|reading| reading.at <= at);
        let next = self.readings()[later..].iter().find(|reading| reading.host() == host);
        next.map(|reading| reading.at)
    }

    /// Returns the hosts of the readings within the span, except that of the last reading before it: their
    /// own last readings before the span, which determine their first increases in it, may be missing in
    /// a timeline that has only the last reading of all.
    pub fn hosts_without_start(&self, span: Span) -> BTreeSet<&str> {
        let mut hosts: BTreeSet<_> = self.within(span).iter().map(Reading::host).collect();
        if let Some(before) = self.before(span.from) {
            hosts.remove(before.host());
        }
        hosts
    }
}
