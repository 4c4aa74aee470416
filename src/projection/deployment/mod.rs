//! Deployments: what is done, what failed, and what everything is waiting for.
//!
//! Rows hold what was said, a row per event (`fact`), as it may come in any order. What follows from
//! it is concluded whenever something is said or asked: `attempt` tells an instance's story,
//! `generation` a deployment's, `world` holds both and resolves references, `cycle` finds those that
//! never will be, `path` where the time went. All these are pure. `load` and `store` carry rows from
//! and to the database; what is concluded of a deployment as a whole is kept beside the facts, for
//! lists.

mod attempt;
mod cycle;
mod fact;
mod generation;
mod load;
mod path;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod world;

use std::any::Any;

use anyhow::{Result, anyhow};
use tokio_postgres::Transaction;

pub use self::attempt::{Abandoned, Attempt, Run, Service};
pub use self::cycle::{Cycle, cycles};
pub use self::fact::Fact;
pub use self::generation::{Deployment, StackState};
pub use self::load::{of_deployment, of_instance};
pub use self::path::{Phases, Step, critical_path, phases};
pub use self::state::{Asked, State, Status, state_sql};
pub use self::world::{Resolved, Unresolved, World};

use crate::event::Family;
use crate::log::Limit;
use crate::projection::Projection;

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "deployment",
    version: 1,
    families: &[Family::Deployment],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/deployment.sql"),
    indexes: include_str!("../../../schema/deployment_indexes.sql"),
    tables: &["fact", "deployment", "instance"],
    frozen: &[],
    stretch: Limit::USUAL,
    decode: |_| Box::<fact::Decoder>::default(),
    apply: |tx, _, facts| Box::pin(async move { apply(tx, facts).await }),
};

/// How many deployments are concluded at once.
const AT_ONCE: usize = 200;

/// Adds facts to the rows of the search path's schema, and concludes anew what they are about.
async fn apply(tx: &Transaction<'_>, facts: Box<dyn Any + Send>) -> Result<()> {
    let facts: Box<Vec<Fact>> =
        facts.downcast().map_err(|_| anyhow!("these are not facts of deployments"))?;
    if facts.is_empty() {
        return Ok(());
    }
    load::by_index(tx).await?;
    store::facts(tx, &facts).await?;
    let touched = load::touched(tx, &facts).await?;
    for ids in touched.chunks(AT_ONCE) {
        let facts = load::facts(tx, "", ids, &[]).await?;
        store::conclusions(tx, &World::of(&facts), ids).await?;
    }
    Ok(())
}
