//! Metering: every valid sample once, by whichever routes and however often it came, and the meters
//! and resources they are of.
//!
//! `fact` reads events; `fold` says which of several samples of one identity counts (`sample`) and
//! what that changes; `meter` and `resource` sum up. All these are pure. `month` makes partitions,
//! `load` and `write` carry rows (`located`) from and to the database.
//!
//! Events are applied in the order of their positions, and rows hold them: that is how samples can
//! be had as of a position. But for positions, nothing depends on the order in which samples came.

mod fact;
mod fold;
mod load;
mod located;
mod meter;
mod month;
pub mod read;
mod reader;
mod resource;
pub mod routes;
mod sample;
#[cfg(test)]
mod tests;
mod usage;
mod write;

use std::any::Any;

use anyhow::{Result, anyhow};
use futures_util::future::try_join3;
use tokio_postgres::Transaction;

pub use self::reader::{Session, Snapshot, Unread};

use self::fact::Facts;
use self::month::Month;
use crate::config::{File, Pattern};
use crate::event::Family;
use crate::log::Limit;
use crate::projection::Projection;

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "metering",
    version: 2,
    families: &[Family::Meter],
    config,
    ddl: include_str!("../../../schema/metering.sql"),
    indexes: include_str!("../../../schema/metering_indexes.sql"),
    tables: &["sample", "superseded", "usage_window", "metadata", "meter", "resource", "rejected"],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |file| Box::new(fact::Decoder::new(&file.metering)),
    apply: |tx, file, facts| Box::pin(apply(tx, file, facts)),
    routes: routes::routes,
};

/// Whose samples are trusted, and what is made of them. What it costs decides no row.
fn config(file: &File) -> String {
    let mut parts = Vec::new();
    if let Some(patterns) = &file.metering.trust_sources {
        let patterns: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
        parts.push(format!("trust_sources = {patterns:?}"));
    }
    for mapping in &file.billing.mappings {
        // Texts and numbers, by names: JSON holds all of them.
        parts.push(format!("usage = {}", serde_json::to_string(mapping).unwrap_or_default()));
    }
    parts.join("\n")
}

/// Folds facts into the rows of the search path's schema.
async fn apply(tx: &Transaction<'_>, file: &File, facts: Box<dyn Any + Send>) -> Result<()> {
    let facts: Box<Facts> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of metering"))?;
    write::rejected(tx, &facts.rejected).await?;
    if facts.samples.is_empty() {
        return Ok(());
    }
    load::by_index(tx).await?;
    let months = facts.samples.iter().map(|sample| Month::of(sample.timestamp)).collect();
    let (resources, meters, ()) = try_join3(
        load::resources(tx, &facts),
        load::meters(tx, &facts),
        month::ensure(tx, "sample", &months),
    )
    .await?;
    let stored = load::samples(tx, &facts.samples, &resources).await?;
    let Facts { samples, resources: seen, meters: seen_meters, metadata, .. } = *facts;
    let changes = fold::fold(samples, stored);
    usage::apply(tx, &file.billing.mappings, &changes, &resources, &metadata).await?;
    write::samples(tx, &changes).await?;
    write::metadata(tx, &metadata).await?;
    write::resources(tx, &resource::fold(resources, seen)).await?;
    write::meters(tx, &meter::fold(meters, seen_meters, &changes)).await
}
