//! The usage of windows, computed from their readings.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::series::ChangedSeries;
use crate::billing::transform::{
    changed_windows, compute_usage, describe_resource, source_readings,
};
use crate::billing::window::{Change, reach};
use crate::billing::{Metadata, Usage};
use crate::projection::metering::read::timeline;

/// A window of one mapping, with all its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::projection::metering) struct Window<'a> {
    pub project_id: &'a str,
    pub resource_id: &'a str,
    /// The mapping's index in the configuration.
    pub mapping: i16,
    /// The window's start.
    pub at: Timestamp,
    /// The usage of each service.
    pub usage: Vec<Usage>,
    /// The description of a resource that used something, as JSON.
    pub description: Option<String>,
    /// The latest position of the readings that the window depends on.
    pub position: i64,
    /// Whether the window may have stored rows.
    pub may_be_stored: bool,
}

/// The windows whose rows in `usage_window` are replaced.
#[derive(Debug, Default)]
pub(in crate::projection::metering) struct Windows<'a>(pub Vec<Window<'a>>);

impl<'a> Windows<'a> {
    /// Computes the windows of the series that can have changed.
    pub fn add(&mut self, series: &ChangedSeries<'a>, metadata: &HashMap<Uuid, Metadata>) {
        let ChangedSeries { project_id, readings, others, foreign, .. } = series;
        let timeline = timeline(project_id, readings, others, foreign, metadata);
        for (index, mapping) in series.mappings {
            let reach = |at| reach(mapping, Change { at, ended_at: None });
            let stored_to = series.stored_to.map(|at| reach(at).to);
            for window in changed_windows(mapping, &timeline, &series.changes) {
                let sources = source_readings(mapping, &timeline, window);
                let own = sources.readings.iter().map(|index| readings[*index].position);
                let positions = own
                    .chain(sources.others.iter().map(|index| others[*index].reading.position))
                    .chain(sources.foreign.iter().map(|index| foreign[*index].reading.position));
                // No reading determines this window, and none ever did: readings do not go away.
                let Some(position) = positions.max() else { continue };
                let usage = compute_usage(mapping, &timeline, window);
                let description =
                    (!usage.is_empty()).then(|| describe_resource(mapping, &timeline, window));
                self.0.push(Window {
                    project_id: series.project_id,
                    resource_id: series.resource_id,
                    mapping: *index,
                    at: window.from,
                    usage,
                    description: description
                        .filter(|description| !description.is_empty())
                        .and_then(|description| serde_json::to_string(&description).ok()),
                    position,
                    may_be_stored: stored_to > Some(window.from),
                });
            }
        }
    }
}
