//! Taking the steps, one process at a time.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use tokio_postgres::Client;

use super::plan::{FAMILY, READ_MODEL, Standing, Step};
use crate::config::{Retention, RetentionPeriod};
use crate::db::{self, Database};
use crate::log::{self, Appender, HorizonMove, Target};
use crate::projection::{self, Projection, Slot};

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Not yet, for this reason; the next run tries it again.
    Waits(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Waits(why) => write!(f, "waits: {why}"),
        }
    }
}

/// The one process that drops what is old, until it is dropped itself.
pub struct Retainer {
    client: Client,
    appender: Appender,
    /// Those that read the family.
    readers: Vec<&'static Projection>,
    horizon: Option<Date>,
}

impl Retainer {
    /// `None`: another process is at it. `projections` are those that are waited for.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn begin(
        database: &Database,
        projections: &[&'static Projection],
    ) -> Result<Option<Retainer>> {
        let client = database.connect(None).await?;
        // Held until the connection ends.
        let lock = "SELECT pg_try_advisory_lock(hashtext('stackledger.retention'))";
        if !client.query_one(lock, &[]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let appender = Appender::new(database.connect(None).await?).await?;
        let readers = projections.iter().copied().filter(|p| p.families.contains(&FAMILY));
        Ok(Some(Retainer { client, appender, readers: readers.collect(), horizon: None }))
    }

    /// What stands now.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn standing(&mut self, retention: &Retention) -> Result<Standing> {
        let standing = standing(&self.client, retention).await?;
        self.horizon = standing.horizon;
        Ok(standing)
    }

    /// Takes a step of a plan for what stands.
    ///
    /// # Errors
    ///
    /// When the database is away or refuses; nothing of the step is done then.
    pub async fn take(&mut self, step: &Step, now: Timestamp) -> Result<Outcome> {
        if let Some(end) = step.end()
            && self.horizon < Some(end)
        {
            return Ok(Outcome::Waits("the horizon has not passed it".to_owned()));
        }
        let taken = match step {
            Step::MoveHorizon { to } => self.move_horizon(*to, now).await,
            Step::DropLeaf { day } => self.drop_leaf(*day).await,
            Step::DropMinutes { .. } | Step::DropHours { .. } => {
                self.change_read_model(&format!("DROP TABLE IF EXISTS {step}")).await
            }
            Step::DeleteDays { before } => {
                let before = format!("'{before} 00:00:00+00'");
                self.change_read_model(&format!(
                    "DELETE FROM {READ_MODEL}.day WHERE start < {before}"
                ))
                .await
            }
        };
        match taken {
            // It is being read or written right now, or the server is short of something.
            Err(error)
                if !self.client.is_closed()
                    && error
                        .downcast_ref::<tokio_postgres::Error>()
                        .is_some_and(db::is_transient) =>
            {
                let why = error.downcast_ref().map(db::explain).unwrap_or_default();
                Ok(Outcome::Waits(why))
            }
            taken => taken.with_context(|| step.to_string()),
        }
    }

    async fn move_horizon(&mut self, to: Date, now: Timestamp) -> Result<Outcome> {
        // What was applied by those that answer is frozen; who has not applied it loses it.
        let (reader, read_to) = self.last_reader(&self.client, &[Slot::Live]).await?;
        let target = Target { family: FAMILY, day: to, read_to };
        Ok(match self.appender.move_horizon(&target, now).await? {
            HorizonMove::NotYet(position) => {
                Outcome::Waits(format!("{reader} has not applied the event at position {position}"))
            }
            HorizonMove::Now | HorizonMove::Already => {
                self.horizon = self.horizon.max(Some(to));
                Outcome::Done
            }
        })
    }

    async fn drop_leaf(&mut self, day: Date) -> Result<Outcome> {
        let readers = self.readers.clone();
        let (reader, read_to) = self.last_reader(&self.client, &[Slot::Live, Slot::Next]).await?;
        if !log::list_days(&self.client, FAMILY).await?.contains(&day) {
            return Ok(Outcome::Done);
        }
        let transaction = self.client.transaction().await?;
        for projection in readers {
            if !projection::try_lock_tables_exclusive(&transaction, projection.name).await? {
                return Ok(in_use(projection.name));
            }
        }
        let last = log::last_position_of_day(&transaction, FAMILY, day).await?;
        if let Some(last) = last.filter(|last| *last > read_to) {
            let why = format!("{reader} has not read the event at position {last}");
            return Ok(Outcome::Waits(why));
        }
        log::drop_day(&transaction, FAMILY, day).await?;
        transaction.commit().await?;
        Ok(Outcome::Done)
    }

    async fn change_read_model(&mut self, sql: &str) -> Result<Outcome> {
        let transaction = self.client.transaction().await?;
        if !projection::try_lock_tables_exclusive(&transaction, READ_MODEL).await? {
            return Ok(in_use(READ_MODEL));
        }
        // Whoever comes while this waits queues up behind it.
        transaction.batch_execute(&format!("SET LOCAL lock_timeout = '1s'; {sql}")).await?;
        transaction.commit().await?;
        Ok(Outcome::Done)
    }

    /// Which reader of the family is the last, and where it stands. One that never ran has read nothing.
    async fn last_reader(&self, client: &Client, slots: &[Slot]) -> Result<(String, i64)> {
        let mut last = (String::new(), i64::MAX);
        for projection in &self.readers {
            for slot in slots {
                // What a replay misses of frozen rows it carries over from the live ones.
                let carries = projection.frozen.iter().any(|frozen| frozen.family == FAMILY);
                if *slot == Slot::Next && carries {
                    continue;
                }
                let position = projection::position(client, projection, *slot).await?;
                // Only a replay that is under way has the other slot.
                let position = position.or((*slot == Slot::Live).then_some(0));
                if let Some(position) = position.filter(|position| *position < last.1) {
                    last = (projection.name.to_owned(), position);
                }
            }
        }
        Ok(last)
    }
}

fn in_use(projection: &str) -> Outcome {
    Outcome::Waits(format!("the tables of {projection} are being compared or swapped"))
}

/// What stands, as this client sees it.
async fn standing(client: &Client, retention: &Retention) -> Result<Standing> {
    let date = |at: Timestamp| Offset::UTC.to_datetime(at).date();
    let first_day = match retention.perf.days {
        RetentionPeriod::Forever => None,
        RetentionPeriod::Days(_) => first_day(client).await?,
    };
    Ok(Standing {
        horizon: log::read_horizon(client, FAMILY).await?.map(date),
        leaves: log::list_days(client, FAMILY).await?,
        minutes: partitions(client, "minute", "%Y%m%d", "").await?,
        hours: partitions(client, "hour", "%Y%m%d", "01").await?,
        first_day: first_day.map(date),
    })
}

/// The days that partitions of a table of the live read model begin at, by their names.
async fn partitions(client: &Client, table: &str, format: &str, day: &str) -> Result<Vec<Date>> {
    let sql = "-- retention::partitions
        SELECT relname::text FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = to_regclass($1) ORDER BY 1";
    let rows = client.query(sql, &[&format!("{READ_MODEL}.{table}")]).await?;
    let begins = |name: &str| {
        let begin = name.strip_prefix(table)?.strip_prefix('_')?;
        Date::strptime(format, format!("{begin}{day}")).ok()
    };
    Ok(rows.iter().filter_map(|row| begins(row.get(0))).collect())
}

async fn first_day(client: &Client) -> Result<Option<Timestamp>> {
    let table = format!("{READ_MODEL}.day");
    let is_there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
    if !is_there.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = format!("-- retention::first_day\nSELECT min(start) FROM {table}");
    Ok(client.query_one(&sql, &[]).await?.get(0))
}

/// What would be done at `now`, without doing it.
///
/// # Errors
///
/// When the database is away.
pub async fn due(database: &Database, retention: &Retention, now: Timestamp) -> Result<Vec<Step>> {
    let client = database.connect(None).await?;
    Ok(super::plan(now, retention, &standing(&client, retention).await?))
}
