//! Retention: drops old data by whole partitions. First the log's horizon moves, recorded by an event in the
//! chain; then the log's days before it are dropped one by one; then old partitions of the read model
//! that was computed from them. Each step is a transaction of its own. A plan is made from the present
//! state alone, so that after an interruption the next run does the rest.

mod plan;
mod retainer;
mod state;

use jiff::Timestamp;

use crate::config::Retention;
use crate::db::Database;
use crate::projection::Projection;

pub use plan::{FAMILY, RetentionState, Step, plan};
pub use retainer::{Outcome, Retainer, list_due_steps};

/// Takes all steps that are due at `now` and returns their outcomes; `None` if another process is doing so.
///
/// # Errors
///
/// If the database is unavailable or refuses; the steps taken by then remain done.
pub async fn retain(
    database: &Database,
    projections: &[&'static Projection],
    retention: &Retention,
    now: Timestamp,
) -> anyhow::Result<Option<Vec<(Step, Outcome)>>> {
    let Some(mut retainer) = Retainer::begin(database, projections).await? else {
        return Ok(None);
    };
    let steps = plan(now, retention, &retainer.read_state(retention).await?);
    let mut taken = Vec::with_capacity(steps.len());
    for step in steps {
        let outcome = retainer.take(&step, now).await?;
        taken.push((step, outcome));
    }
    Ok(Some(taken))
}
