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
use crate::billing::Mapping;

pub(super) use series::{MappingsByMeter, changed_series};
pub(super) use windows::Windows;

/// Updates `usage_window` for changes of the samples, which are not written yet. `resources` are the
/// stored rows of the changed samples' resources, `texts` the metadata of the stretch itself.
pub(super) async fn apply(
    tx: &Transaction<'_>,
    mappings: &[Mapping],
    changes: &Changes,
    resources: &[LocatedRow<Resource>],
    texts: &HashMap<Uuid, MetadataText>,
) -> Result<()> {
    let mappings = MappingsByMeter::new(mappings);
    let mut all = changed_series(&mappings, changes, resources);
    if all.is_empty() {
        return Ok(());
    }
    let mut metadata = HashMap::new();
    load::metadata(tx, &all, texts, &mut metadata).await?;
    load::next_readings(tx, &mut all, &metadata).await?;
    load::readings(tx, &mut all).await?;
    load::metadata(tx, &all, texts, &mut metadata).await?;
    load::starts_of_counters(tx, &mut all, &metadata).await?;
    load::metadata(tx, &all, texts, &mut metadata).await?;
    let mut windows = Windows::default();
    for series in &all {
        windows.add(series, &metadata);
    }
    write::windows(tx, &windows).await
}
