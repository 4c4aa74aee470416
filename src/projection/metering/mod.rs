//! Metering: every valid sample once, whatever routes it took and however often it arrived, with the
//! meters and resources of the samples, and the usage computed from them.
//!
//! `fact` reads events. `fold` decides which of several samples of one identity (`sample`) counts and
//! which rows that changes; `meter` and `resource` sum samples up, `metadata_text` finds the host in metadata,
//! `name` keeps the names of ids, which `reports` finds. All these are pure. `load` and `write` read and write
//! rows, most of them by their place (`located`), `month` creates partitions, and `usage` keeps the usage of
//! each hour. Everybody else reads the tables through `read`; a computation that takes
//! longer than one statement does so with a [`Reader`].
//!
//! Events are applied in the order of their positions, and rows contain the position: so the samples as
//! of an earlier position can be read. Except for positions, no row depends on the order of arrival.

mod fact;
mod fold;
mod load;
mod located;
mod metadata_text;
mod meter;
mod month;
mod name;
pub mod read;
mod reader;
mod reports;
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

pub use self::reader::{NotReady, Reader};

use self::fact::Facts;
use self::located::write_changes;
use self::month::Month;
use crate::config::{File, Metering, Pattern};
use crate::event::Family;
use crate::log::Limit;
use crate::projection::Projection;
use crate::projection::engine::table::copy;

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "metering",
    version: 4,
    // The request contexts of all notifications have the names of projects and users.
    families: &[Family::Meter, Family::Instance, Family::Other],
    config,
    ddl: include_str!("../../../schema/metering.sql"),
    indexes: include_str!("../../../schema/metering_indexes.sql"),
    tables: &[
        "sample",
        "superseded",
        "usage_window",
        "metadata",
        "reported_name",
        "meter",
        "resource",
        "rejected",
    ],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |file| Box::new(fact::Decoder::new(&file.metering)),
    apply: |tx, file, facts| Box::pin(apply(tx, file, facts)),
    routes: routes::routes,
};

/// Returns the configuration that rows depend on: the trusted sources and times, and how samples become usage.
/// Rates are left out: no row contains a price.
fn config(file: &File) -> String {
    let mut parts = Vec::new();
    if let Some(patterns) = &file.metering.trust_sources {
        let patterns: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
        parts.push(format!("trust_sources = {patterns:?}"));
    }
    let Metering { clock_ahead_s, clock_behind_s, .. } = file.metering;
    parts.push(format!("clock = {clock_ahead_s}, {clock_behind_s}"));
    for mapping in &file.billing.mappings {
        // A mapping contains only texts and numbers by names, which JSON can express.
        parts.push(format!("usage = {}", serde_json::to_string(mapping).unwrap_or_default()));
    }
    parts.join("\n")
}

/// Folds facts into the rows of the schema that the search path names.
async fn apply(tx: &Transaction<'_>, file: &File, facts: Box<dyn Any + Send>) -> Result<()> {
    let mut facts: Box<Facts> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of metering"))?;
    copy(tx, &facts.rejected).await?;
    if !facts.names.is_empty() {
        let stored = load::names(tx, &facts).await?;
        write_changes(tx, &name::fold(stored, std::mem::take(&mut facts.names))).await?;
    }
    if facts.samples.is_empty() {
        return Ok(());
    }
    load::prefer_indexes(tx).await?;
    let months = facts.samples.iter().map(|sample| Month::of(sample.timestamp)).collect();
    let (resources, meters, ()) = try_join3(
        load::resources(tx, &facts),
        load::meters(tx, &facts),
        month::ensure(tx, "sample", &months),
    )
    .await?;
    let stored = load::samples(tx, &facts.samples, &resources).await?;
    let changes = fold::fold(facts.samples, stored);
    usage::apply(tx, &file.billing.mappings, &changes, &resources, &facts.metadata).await?;
    write::samples(tx, &changes).await?;
    write::metadata(tx, facts.metadata).await?;
    write_changes(tx, &resource::fold(resources, facts.resources)).await?;
    write_changes(tx, &meter::fold(meters, facts.meters, &changes)).await
}
