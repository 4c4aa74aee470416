//! Deployments: their progress, their failures, and what everything is waiting for.
//!
//! Each event is kept as a row (`fact`), because events may come in any order. Reports are derived from the
//! facts whenever an event arrives or a report is requested: `attempt` divides the facts of an instance into
//! its registrations, `generation` the facts of a deployment into its lifetimes, `stack` follows Heat's
//! operations, `deployments` holds all of them and resolves references, `cycle` finds references that will never resolve, `path` shows where the time went.
//! All these are pure. `read` and `write` carry rows from and to the database (`rows`); the summary of each
//! deployment and instance is kept beside the facts, for lists.

mod attempt;
mod cycle;
mod deployments;
mod fact;
mod generation;
mod path;
mod read;
mod rows;
mod stack;
mod state;
#[cfg(test)]
mod tests;
mod write;

use std::any::Any;

use anyhow::{Result, anyhow};
use tokio_postgres::Transaction;
use utoipa_axum::router::OpenApiRouter;

pub use self::attempt::{AbandonReport, Attempt, Run, Service};
pub use self::cycle::{Cycle, find_cycles};
pub use self::deployments::{Deployments, ResolvedValue, UnresolvedParameter};
pub use self::fact::Fact;
pub use self::generation::Deployment;
pub use self::path::{Phases, Step, find_critical_path, measure_phases};
pub use self::read::{
    DeploymentFilter, DeploymentSummary, list_deployments, load_facts_of_deployment,
    load_facts_of_instance,
};
pub use self::stack::StackState;
pub use self::state::{SilenceLimit, State, Status};

use crate::event::Family;
use crate::log::Limit;
use crate::projection::Projection;

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "deployment",
    version: 2,
    families: &[Family::Deployment],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/deployment.sql"),
    indexes: include_str!("../../../schema/deployment_indexes.sql"),
    tables: &["fact", "deployment", "instance"],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |_| Box::<fact::Decoder>::default(),
    apply: |tx, _, facts| Box::pin(async move { apply(tx, facts).await }),
    routes: OpenApiRouter::new,
};

/// Deployments that are loaded and summarized together, so that not all of them are in memory at once.
const DEPLOYMENTS_MAX: usize = 200;

/// Inserts facts into the search path's schema, and replaces the summaries that they can change.
async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let facts: Box<Vec<Fact>> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of deployments"))?;
    if facts.is_empty() {
        return Ok(());
    }
    read::prefer_indexes(tx).await?;
    // The new facts name their deployments themselves: no row of theirs is needed for that.
    let affected = read::list_affected(tx, &facts).await?;
    write::insert_facts(tx, *facts).await?;
    for ids in affected.chunks(DEPLOYMENTS_MAX) {
        let facts = read::load_facts(tx, "", ids, &[]).await?;
        write::replace_summaries(tx, &Deployments::of(&facts), ids).await?;
    }
    Ok(())
}
