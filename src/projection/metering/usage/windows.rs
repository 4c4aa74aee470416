//! What windows come to, from their readings.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use super::series::{Known, Series};
use crate::billing::transform::{compute_usage, describe_resource, source_readings};
use crate::billing::window::{affected_windows, reach};
use crate::billing::{Mapping, Metadata, Reading, Span, Timeline, Usage};

/// Metadata, each text read once.
#[derive(Debug, Default)]
pub(in crate::projection::metering) struct Texts(HashMap<Uuid, Metadata>);

impl Texts {
    /// Reads them.
    pub fn read<'a>(bodies: impl IntoIterator<Item = (Uuid, &'a str)>) -> Self {
        Texts(bodies.into_iter().map(|(id, body)| (id, Metadata::read(body))).collect())
    }
}

/// A window of one mapping, all its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::projection::metering) struct Window<'a> {
    pub project_id: &'a str,
    pub resource_id: &'a str,
    pub mapping: i16,
    /// Its start.
    pub at: Timestamp,
    /// By service.
    pub usage: Vec<Usage>,
    /// What was said of a resource that used something, as JSON.
    pub description: Option<String>,
    /// The latest position of the readings that tell of it.
    pub position: i64,
    /// Whether it may have rows already.
    pub may_be_there: bool,
}

/// How `usage_window` changes: all rows of these windows are replaced.
#[derive(Debug, Default)]
pub(in crate::projection::metering) struct Windows<'a>(pub Vec<Window<'a>>);

impl<'a> Windows<'a> {
    /// Computes the series' windows that can have changed.
    pub fn add(&mut self, series: &Series<'a>, texts: &Texts) {
        let reading = |known: &Known| Reading {
            at: known.at,
            volume: known.volume,
            metadata: known.metadata_id.and_then(|id| texts.0.get(&id)),
            // There is one for each time: none has to be chosen.
            message_id: "",
        };
        let timeline = Timeline::new(series.known.iter().map(reading).collect());
        for (index, mapping) in series.mappings {
            let stored_to = series.stored_to.map(|at| reach(mapping, at).to);
            for window in changed(mapping, series) {
                let told_by = source_readings(mapping, &timeline, window);
                let Some(position) = series.known[told_by].iter().map(|it| it.position).max()
                else {
                    // It tells nothing of it, and never did: readings do not go away.
                    continue;
                };
                let usage = compute_usage(mapping, &timeline, window);
                let said = match usage.is_empty() {
                    true => None,
                    false => Some(describe_resource(mapping, &timeline, window)),
                };
                self.0.push(Window {
                    project_id: series.project_id,
                    resource_id: series.resource_id,
                    mapping: *index,
                    at: window.from,
                    usage,
                    description: said
                        .filter(|said| !said.is_empty())
                        .and_then(|said| serde_json::to_string(&said).ok()),
                    position,
                    may_be_there: stored_to > Some(window.from),
                });
            }
        }
    }
}

/// The windows that can be others than before.
fn changed(mapping: &Mapping, series: &Series<'_>) -> BTreeSet<Span> {
    let next = |at: Timestamp| {
        let later = series.known.partition_point(|reading| reading.at <= at);
        series.known.get(later).map(|reading| reading.at)
    };
    series.changed.iter().flat_map(|at| affected_windows(mapping, *at, next(*at))).collect()
}
