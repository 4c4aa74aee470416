//! Retention: what is old goes, by whole partitions. First the log's horizon moves and says so in the
//! chain, then the log's days before it are dropped one by one, then partitions of the read model
//! that holds what they came to. Each step is a transaction of its own and is found again by what
//! stands: ended anywhere, the next run does what is left.

mod plan;
mod retainer;

use jiff::Timestamp;

use crate::config::Retention;
use crate::db::Database;
use crate::projection::Projection;

pub use plan::{FAMILY, Standing, Step, plan};
pub use retainer::{Outcome, Retainer, due};

/// Does all that is due at `now`, and says what became of each step. `None`: another process is at it.
///
/// # Errors
///
/// When the database is away or refuses; what was done by then stays.
pub async fn retain(
    database: &Database,
    projections: &[&'static Projection],
    retention: &Retention,
    now: Timestamp,
) -> anyhow::Result<Option<Vec<(Step, Outcome)>>> {
    let Some(mut retainer) = Retainer::begin(database, projections).await? else {
        return Ok(None);
    };
    let steps = plan(now, retention, &retainer.standing(retention).await?);
    let mut taken = Vec::with_capacity(steps.len());
    for step in steps {
        let outcome = retainer.take(&step, now).await?;
        taken.push((step, outcome));
    }
    Ok(Some(taken))
}
