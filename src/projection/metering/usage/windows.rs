//! The usage of windows, computed from their readings.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use super::series::ChangedSeries;
use crate::billing::transform::{compute_usage, describe_resource, source_readings};
use crate::billing::window::{affected_windows, reach};
use crate::billing::{Mapping, Metadata, Span, Timeline, Transformer, Usage};
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
        let timeline = timeline(&series.readings, metadata);
        for (index, mapping) in series.mappings {
            let stored_to = series.stored_to.map(|at| reach(mapping, at).to);
            for window in changed_windows(mapping, series, &timeline, metadata) {
                let source_readings = source_readings(mapping, &timeline, window).into_iter();
                let positions = source_readings.map(|index| series.readings[index].position);
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

/// Returns the windows whose usage can differ from before.
fn changed_windows(
    mapping: &Mapping,
    series: &ChangedSeries<'_>,
    timeline: &Timeline<'_>,
    metadata: &HashMap<Uuid, Metadata>,
) -> BTreeSet<Span> {
    let next = |at: Timestamp| {
        let later = series.readings.partition_point(|reading| reading.at <= at);
        series.readings.get(later).map(|reading| reading.at)
    };
    let affected = |at: &Timestamp| {
        let next_of_hosts = match mapping.transformer {
            Transformer::Cumulative => series.next_of_hosts(*at, timeline, metadata),
            _ => BTreeSet::new(),
        };
        affected_windows(mapping, *at, next(*at), next_of_hosts)
    };
    series.changed.iter().flat_map(affected).collect()
}
