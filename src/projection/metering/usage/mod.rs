//! Usage: what resources used in each window, kept up to date as samples arrive.
//!
//! `series` determines which readings changed and which others are needed beside them, `load` reads
//! those, `windows` computes the windows that can have changed, and `write` replaces the rows of these.
//! Samples without a mapping cost nothing.

mod load;
mod series;
mod windows;
mod write;

use std::collections::HashMap;

use anyhow::Result;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::fold::Changes;
use super::located::LocatedRow;
use super::metadata_text::MetadataText;
use super::resource::Resource;
use crate::billing::{Mapping, Metadata};

pub(super) use series::{MappingsByMeter, changed_series};
pub(super) use windows::Windows;

/// Updates `usage_window` for changes of the samples, which are not written yet. `resources` are the
/// stored rows of the changed samples' resources, of all projects, `texts` the metadata of the stretch itself.
pub(super) async fn apply(
    tx: &Transaction<'_>,
    mappings: &[Mapping],
    changes: &Changes,
    resources: &[LocatedRow<Resource>],
    texts: &HashMap<Uuid, MetadataText>,
) -> Result<()> {
    if mappings.is_empty() {
        return Ok(());
    }
    let mappings = MappingsByMeter::new(mappings);
    let mut metadata: HashMap<Uuid, Metadata> =
        texts.iter().map(|(id, text)| (*id, Metadata::read(&text.body))).collect();
    let mut all = changed_series(&mappings, changes, resources, &metadata);
    if all.is_empty() {
        return Ok(());
    }
    load::metadata(tx, &all, &mut metadata).await?;
    for series in &mut all {
        series.find_hosts(&metadata);
    }
    load::next_readings(tx, &mut all).await?;
    load::readings(tx, &mut all).await?;
    load::other_meters(tx, &mut all).await?;
    load::other_projects(tx, &mut all).await?;
    load::metadata(tx, &all, &mut metadata).await?;
    load::starts_of_counters(tx, &mut all, &metadata).await?;
    load::metadata(tx, &all, &mut metadata).await?;
    let mut windows = Windows::default();
    for series in &all {
        windows.add(series, &metadata);
    }
    write::windows(tx, &windows).await
}
