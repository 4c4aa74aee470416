//! Finds the names that events report: in the fields and the metadata of samples, and in the request contexts of
//! notifications.

use std::collections::HashMap;

use uuid::Uuid;

use super::name::{NameKind, Report, ReportedName, reports_of_event};
use crate::billing::{Metadata, VolumeType};
use crate::event::Event;
use crate::event::meter::Sample;
use crate::event::names::{IdName, context_names};

/// The names that the events so far report.
#[derive(Debug, Default)]
pub(super) struct Reports {
    names: Vec<ReportedName>,
    /// Those of the event that is being read.
    of_event: Vec<ReportedName>,
    /// The names in metadata, by the metadata's id: many samples share their metadata.
    in_metadata: HashMap<Uuid, MetadataNames>,
}

/// The names that the metadata of a sample contains.
#[derive(Clone, Debug, Default)]
struct MetadataNames {
    project: Option<String>,
    user: Option<String>,
    volume_type: Option<IdName>,
}

impl MetadataNames {
    fn read(body: &str) -> Self {
        // Nearly all metadata contain none of the keys: a look for them is cheaper than parsing.
        if !["project_name", "user_name", "volume_type_id"].iter().any(|key| body.contains(key)) {
            return MetadataNames::default();
        }
        let metadata = Metadata::read(body);
        let text = |key| metadata.get(key).map(std::borrow::Cow::into_owned);
        let volume_type = VolumeType::read(&metadata)
            .and_then(|reported| IdName::new(reported.id.as_deref(), reported.name.as_deref()));
        MetadataNames { project: text("project_name"), user: text("user_name"), volume_type }
    }
}

impl Reports {
    /// Adds the names in the request context of an event. One without a time cannot be compared with others, and
    /// reports nothing.
    pub fn add_context(&mut self, event: &Event, position: i64) {
        let Some(at) = event.occurred_at else { return };
        let names = context_names(&event.body);
        if names.project.is_none() && names.user.is_none() {
            return;
        }
        let message_id = event.id.to_string();
        let report = Report { at, message_id: &message_id, event_id: event.id, position };
        self.add(NameKind::Project, names.project, report);
        self.add(NameKind::User, names.user, report);
    }

    /// Adds the names in a trusted sample and its metadata, of which the id and the text are given.
    pub fn add_sample(
        &mut self,
        sample: &Sample,
        metadata: Option<(Uuid, &str)>,
        report: Report<'_>,
    ) {
        let described = metadata.map(|(id, body)| {
            self.in_metadata.entry(id).or_insert_with(|| MetadataNames::read(body)).clone()
        });
        let described = described.unwrap_or_default();
        let named = |id: &Option<String>, field: &Option<String>, other: &Option<String>| {
            IdName::new(id.as_deref(), field.as_deref().or(other.as_deref()))
        };
        let project = named(&sample.project_id, &sample.project_name, &described.project);
        let user = named(&sample.user_id, &sample.user_name, &described.user);
        self.add(NameKind::Project, project, report);
        self.add(NameKind::User, user, report);
        self.add(NameKind::VolumeType, described.volume_type, report);
    }

    fn add(&mut self, kind: NameKind, named: Option<IdName>, report: Report<'_>) {
        self.of_event.extend(named.and_then(|named| ReportedName::new(kind, named, report)));
    }

    /// Ends an event: its names become known at once.
    pub fn end_event(&mut self) {
        if !self.of_event.is_empty() {
            self.names.extend(reports_of_event(std::mem::take(&mut self.of_event)));
        }
    }

    /// Returns all names, in the order of the events.
    pub fn into_names(self) -> Vec<ReportedName> {
        self.names
    }
}
