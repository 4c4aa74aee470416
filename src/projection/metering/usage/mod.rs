//! Usage: what resources used in each window, kept as samples come.
//!
//! `series` says which readings changed and which others are needed beside them, `load` brings
//! these, `windows` computes the windows that can be others now, and `write` puts them in the place
//! of what stood there. What is not mapped costs nothing.

mod load;
mod series;
mod windows;
mod write;

use std::collections::HashMap;

use anyhow::Result;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::fold::Changes;
use super::located::Placed;
use super::resource::Resource;
use crate::billing::Mapping;

#[cfg(test)]
pub(super) use series::Known;
pub(super) use series::{Mapped, series};
pub(super) use windows::{Texts, Windows};

/// Brings `usage_window` up to what the changes make of the samples, which are not written yet.
/// `resources` are the rows of the changed samples' resources, `texts` the stretch's own metadata.
pub(super) async fn apply(
    tx: &Transaction<'_>,
    mappings: &[Mapping],
    changes: &Changes,
    resources: &[Placed<Resource>],
    texts: &HashMap<Uuid, String>,
) -> Result<()> {
    let mapped = Mapped::new(mappings);
    let mut all = series(&mapped, changes, resources);
    if all.is_empty() {
        return Ok(());
    }
    load::next(tx, &mut all).await?;
    load::readings(tx, &mut all).await?;
    let bodies = load::metadata(tx, &all, texts).await?;
    let texts = Texts::read(bodies.iter().map(|(id, body)| (*id, body.as_ref())));
    let mut windows = Windows::default();
    for series in &all {
        windows.add(series, &texts);
    }
    write::windows(tx, &windows).await
}
