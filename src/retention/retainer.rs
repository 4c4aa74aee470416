//! The retainer: takes the steps of a plan, one process at a time.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Client;

use super::plan::{FAMILY, READ_MODEL, RetentionState, Step, plan};
use super::state::read_state;
use crate::config::Retention;
use crate::db::{self, Database};
use crate::log::{self, Appender, HorizonMove, Target};
use crate::projection::rollup::{self, Resolution};
use crate::projection::{self, Projection, Slot};

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The step is done.
    Done,
    /// The step has to wait, for this reason; the next run tries it again.
    Waiting(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Waiting(why) => write!(f, "waits: {why}"),
        }
    }
}

/// The one process that drops old data. A lock excludes others until the retainer is dropped.
pub struct Retainer {
    client: Client,
    appender: Appender,
    /// The projections that read the family.
    readers: Vec<&'static Projection>,
    horizon: Option<Date>,
}

impl Retainer {
    /// Takes the lock; `None` if another process has it. Steps wait until these projections have applied the
    /// events concerned.
    ///
    /// # Errors
    ///
    /// If the database is unavailable.
    pub async fn begin(
        database: &Database,
        projections: &[&'static Projection],
    ) -> Result<Option<Retainer>> {
        let client = database.connect(None).await?;
        // The lock lasts as long as the connection.
        let lock = "SELECT pg_try_advisory_lock(hashtext('stackledger.retention'))";
        if !client.query_one(lock, &[]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let appender = Appender::new(database.connect(None).await?).await?;
        let readers = projections.iter().copied().filter(|p| p.families.contains(&FAMILY));
        Ok(Some(Retainer { client, appender, readers: readers.collect(), horizon: None }))
    }

    /// Reads the present state, from which a plan is made.
    ///
    /// # Errors
    ///
    /// If the database is unavailable.
    pub async fn read_state(&mut self, retention: &Retention) -> Result<RetentionState> {
        let state = read_state(&self.client, retention).await?;
        self.horizon = state.horizon;
        Ok(state)
    }

    /// Takes a step of a plan for the state read last.
    ///
    /// # Errors
    ///
    /// If the database is unavailable or refuses; then nothing of the step is done.
    pub async fn take(&mut self, step: &Step, now: Timestamp) -> Result<Outcome> {
        if let Some(end) = step.end()
            && self.horizon < Some(end)
        {
            return Ok(Outcome::Waiting("the horizon has not passed it".to_owned()));
        }
        let taken = match step {
            Step::MoveHorizon { to } => self.move_horizon(*to, now).await,
            Step::DropLeaf { day } => self.drop_leaf(*day).await,
            Step::DropMinutes { .. } | Step::DropHours { .. } | Step::DeleteDays { .. } => {
                self.change_read_model(step).await
            }
        };
        match taken {
            // The table is in use at the moment, or the server lacks a resource.
            Err(error)
                if !self.client.is_closed()
                    && error
                        .downcast_ref::<tokio_postgres::Error>()
                        .is_some_and(db::is_transient) =>
            {
                let why = error.downcast_ref().map(db::explain).unwrap_or_default();
                Ok(Outcome::Waiting(why))
            }
            taken => taken.with_context(|| step.to_string()),
        }
    }

    async fn move_horizon(&mut self, to: Date, now: Timestamp) -> Result<Outcome> {
        // Rows that the live read models have computed become frozen; a read model that has not applied
        // the events yet would lose them.
        let (reader, read_to) = self.find_slowest_reader(&self.client, &[Slot::Live]).await?;
        let target = Target { family: FAMILY, day: to, read_to };
        Ok(match self.appender.move_horizon(&target, now).await? {
            HorizonMove::NotYet(position) => Outcome::Waiting(format!(
                "{reader} has not applied the event at position {position}"
            )),
            HorizonMove::Now | HorizonMove::Already => {
                self.horizon = self.horizon.max(Some(to));
                Outcome::Done
            }
        })
    }

    async fn drop_leaf(&mut self, day: Date) -> Result<Outcome> {
        let readers = self.readers.clone();
        let (reader, read_to) =
            self.find_slowest_reader(&self.client, &[Slot::Live, Slot::Next]).await?;
        if !log::list_days(&self.client, FAMILY).await?.contains(&day) {
            return Ok(Outcome::Done);
        }
        let transaction = self.client.transaction().await?;
        for projection in readers {
            if !projection::try_lock_tables_exclusive(&transaction, projection.name).await? {
                return Ok(wait_for_tables(projection.name));
            }
        }
        let last = log::last_position_of_day(&transaction, FAMILY, day).await?;
        if let Some(last) = last.filter(|last| *last > read_to) {
            let why = format!("{reader} has not read the event at position {last}");
            return Ok(Outcome::Waiting(why));
        }
        log::drop_day(&transaction, FAMILY, day).await?;
        transaction.commit().await?;
        Ok(Outcome::Done)
    }

    /// Takes a step that drops rows of the read model; does nothing for another one.
    async fn change_read_model(&mut self, step: &Step) -> Result<Outcome> {
        let transaction = self.client.transaction().await?;
        if !projection::try_lock_tables_exclusive(&transaction, READ_MODEL).await? {
            return Ok(wait_for_tables(READ_MODEL));
        }
        // While this waits for its lock, all others queue up behind it, so it waits only briefly.
        transaction.batch_execute("SET LOCAL lock_timeout = '1s'").await?;
        match step {
            Step::DropMinutes { day } => {
                rollup::drop_partition(&transaction, Resolution::Minute, *day).await?;
            }
            Step::DropHours { month } => {
                rollup::drop_partition(&transaction, Resolution::Hour, *month).await?;
            }
            Step::DeleteDays { before } => {
                rollup::delete_days_before(&transaction, *before).await?;
            }
            Step::MoveHorizon { .. } | Step::DropLeaf { .. } => {}
        }
        transaction.commit().await?;
        Ok(Outcome::Done)
    }

    /// Returns the reader of the family that is furthest behind, and its position. A reader that never ran
    /// is at position 0.
    async fn find_slowest_reader(&self, client: &Client, slots: &[Slot]) -> Result<(String, i64)> {
        let mut slowest = (String::new(), i64::MAX);
        for projection in &self.readers {
            for slot in slots {
                // A replay copies the frozen rows that it cannot compute from the live tables.
                let copies_frozen = projection.frozen.iter().any(|frozen| frozen.family == FAMILY);
                if *slot == Slot::Next && copies_frozen {
                    continue;
                }
                let position = projection::position(client, projection, *slot).await?;
                // The other slot exists only during a replay.
                let position = position.or((*slot == Slot::Live).then_some(0));
                if let Some(position) = position.filter(|position| *position < slowest.1) {
                    slowest = (projection.name.to_owned(), position);
                }
            }
        }
        Ok(slowest)
    }
}

fn wait_for_tables(projection: &str) -> Outcome {
    Outcome::Waiting(format!("the tables of {projection} are being compared or swapped"))
}

/// Returns the steps that are due at `now`, without taking them.
///
/// # Errors
///
/// If the database is unavailable.
pub async fn list_due_steps(
    database: &Database,
    retention: &Retention,
    now: Timestamp,
) -> Result<Vec<Step>> {
    let client = database.connect(None).await?;
    Ok(plan(now, retention, &read_state(&client, retention).await?))
}
