//! Names that messages report for the ids of projects, users and volume types. The latest report counts. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use bytes::BytesMut;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use uuid::Uuid;

use super::located::{LocatedRow, RowChanges};
use crate::event::ID_MAX;
use crate::event::names::IdName;
use crate::projection::engine::table::{Columns, TableRow, table, text_enum};

/// The things that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::projection) enum NameKind {
    Project,
    User,
    VolumeType,
}

text_enum!(NameKind: Project = "project", User = "user", VolumeType = "volume_type");

table! {
    /// A run of reports, in the order of the log, with one name of an id.
    ReportedName in metering.reported_name;
    kind: NameKind = TEXT,
    id: String = TEXT,
    name: String = TEXT,
    /// The time of the latest report; the two columns below are of the same report.
    told_at: Timestamp = TIMESTAMPTZ,
    told_message_id: String = TEXT,
    told_event_id: Uuid = UUID,
    /// Position of the first event of the run.
    position: i64 = INT8,
    /// Position of the event with another name that counts instead; `None` while this one counts.
    superseded_at: Option<i64> = INT8,
}

/// The values that distinguish one named thing from another.
pub(super) type NameKey<'a> = (NameKind, &'a str);

/// Where and when a name is reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub at: Timestamp,
    pub message_id: &'a str,
    pub event_id: Uuid,
    pub position: i64,
}

impl ReportedName {
    /// Creates the row of one report. `None` if the id or the name is too long to be one.
    pub fn new(kind: NameKind, named: IdName, report: Report<'_>) -> Option<Self> {
        let IdName { id, name } = named;
        (id.len() <= ID_MAX && name.len() <= ID_MAX).then(|| ReportedName {
            kind,
            id,
            name,
            told_at: report.at,
            told_message_id: report.message_id.to_owned(),
            told_event_id: report.event_id,
            position: report.position,
            superseded_at: None,
        })
    }

    /// Returns the row's [`NameKey`].
    pub fn key(&self) -> NameKey<'_> {
        (self.kind, &self.id)
    }

    /// Returns the report's rank among those of its id: the smallest counts. The time decides; the rest only
    /// makes the choice independent of the order in which reports arrive.
    fn rank(&self) -> impl Ord + '_ {
        (Reverse(self.told_at), &self.told_message_id, self.told_event_id, &self.name)
    }
}

/// Reduces the reports of one event, which become known at once, to one for each id.
pub(super) fn reports_of_event(reports: Vec<ReportedName>) -> impl Iterator<Item = ReportedName> {
    let mut best = BTreeMap::<(NameKind, String), ReportedName>::new();
    for report in reports {
        let key = (report.kind, report.id.clone());
        match best.get_mut(&key) {
            Some(before) if report.rank() >= before.rank() => {}
            Some(before) => *before = report,
            None => {
                best.insert(key, report);
            }
        }
    }
    best.into_values()
}

/// Folds reports, in order of their positions and one for each id and event, into the stored names. `rows` are
/// the names that count so far, of the same ids.
pub(super) fn fold(
    rows: Vec<LocatedRow<ReportedName>>,
    reports: Vec<ReportedName>,
) -> RowChanges<ReportedName> {
    let mut latest: HashMap<(NameKind, String), ReportedName> = rows
        .iter()
        .map(|located| ((located.row.kind, located.row.id.clone()), located.row.clone()))
        .collect();
    let mut changes = RowChanges::default();
    for report in reports {
        let key = (report.kind, report.id.clone());
        let Some(current) = latest.get_mut(&key) else {
            latest.insert(key, report);
            continue;
        };
        if report.rank() >= current.rank() {
            continue;
        }
        if report.name == current.name {
            *current = ReportedName { position: current.position, ..report };
        } else {
            let superseded_at = Some(report.position);
            let before = std::mem::replace(current, report);
            changes.new.push(ReportedName { superseded_at, ..before });
        }
    }
    for located in &rows {
        if let Some(row) = latest.remove(&(located.row.kind, located.row.id.clone())) {
            changes.replace(located, row);
        }
    }
    changes.new.extend(latest.into_values());
    changes
}
