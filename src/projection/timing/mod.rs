//! Timing: how long builds, operations and recipes took, and which are stuck.
//!
//! While the log is read, `decoder` reads events as facts (`fact`) and condenses them instance by instance
//! (`instance_facts`). `fold` makes new rows of the existing rows and these facts, by the rules in
//! `instance`, `attributes` and `launch` (registers), `pair` and `operations`, `recipes`, `build` (the state of a
//! build) and `requests`; `hours` sums up the operations. `read` contains every query on the tables: of the rows that
//! facts can change, and of the answers in `routes` and in TTM's shapes. `write` stores a change. Everything
//! except `read`, `write` and `routes` is pure.
//!
//! Nothing depends on the order in which facts arrive: rows keep the facts themselves, and conclusions are
//! drawn again whenever a fact is added.

mod attributes;
mod build;
mod change;
mod decoder;
mod fact;
mod fold;
mod hours;
mod instance;
mod instance_facts;
mod keys;
mod launch;
mod operations;
mod pair;
pub(crate) mod read;
mod recipes;
mod requests;
pub mod routes;
mod rows;
mod sides;
mod stamp;
#[cfg(test)]
mod tests;
mod write;

use std::any::Any;

use anyhow::{Result, anyhow};
use tokio_postgres::Transaction;

use self::instance_facts::InstanceFacts;
use crate::event::Family;
use crate::log::Limit;
use crate::projection::Projection;

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "timing",
    version: 2,
    families: &[Family::Instance, Family::Recipe],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/timing.sql"),
    indexes: include_str!("../../../schema/timing_indexes.sql"),
    tables: &[
        "instance",
        "operation",
        "failed_call",
        "operation_hour",
        "recipe",
        "ttm_recipe_call",
        "request",
    ],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |_| Box::<decoder::Decoder>::default(),
    apply: |tx, _, facts| Box::pin(async move { apply(tx, facts).await }),
    routes: routes::routes,
};

/// Folds facts into the rows of the search path's schema.
async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let facts: Box<Vec<InstanceFacts>> =
        facts.downcast().map_err(|_| anyhow!("the facts are not timing's"))?;
    if facts.is_empty() {
        return Ok(());
    }
    let rows = read::load_rows(tx, &facts).await?;
    write::write_change(tx, &fold::fold(rows, *facts)).await
}
