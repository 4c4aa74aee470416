//! Timing: how long builds, operations and recipes took, and what is stuck.
//!
//! `fact` reads events, and `instance_facts` keeps of them what rows are made of, instance by instance: that
//! is done while the log is read. `fold` then makes new rows of it and of the rows there were, with
//! the rules in `instance` (registers), `pair` and `operations`, `recipes`, `build` (how a build
//! stands) and `requests`; `load` and `write` carry rows from and to the database, and `hours` sums
//! up how they changed. All but `load`, `write`, `stored` and the routes is pure.
//!
//! Nothing depends on the order in which facts arrive: rows hold facts, each as it was told, and
//! what is concluded from them is concluded anew whenever one is added.

mod build;
mod fact;
mod fold;
mod hours;
mod instance;
mod instance_facts;
mod keys;
mod load;
mod operations;
mod pair;
mod recipes;
mod requests;
pub mod routes;
mod rows;
mod sides;
#[cfg(test)]
mod tests;
mod write;

use std::any::Any;

use anyhow::{Result, anyhow};
use tokio_postgres::Transaction;

use self::instance_facts::Heard;
use crate::event::Family;
use crate::log::Limit;
use crate::projection::Projection;

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "timing",
    version: 1,
    families: &[Family::Instance, Family::Recipe],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/timing.sql"),
    indexes: include_str!("../../../schema/timing_indexes.sql"),
    tables: &["instance", "operation", "operation_hour", "recipe", "ttm_recipe_call", "request"],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |_| Box::<fact::Decoder>::default(),
    apply: |tx, _, facts| Box::pin(async move { apply(tx, facts).await }),
};

/// Folds facts into the rows of the search path's schema.
async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let heard: Box<Vec<Heard>> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of timing"))?;
    if heard.is_empty() {
        return Ok(());
    }
    let rows = load::rows(tx, &heard).await?;
    write::change(tx, &fold::fold(rows, *heard)).await
}
