//! Appending: one transaction, one durable commit, for a whole batch.
//!
//! Rows are hashed and laid out before the lock. Under the lock of the single head row duplicates
//! are left out, the rest gets the next positions and is copied straight into its leaves, and the
//! chain is carried on. Whoever holds that lock is the only one who gives out positions, and it is
//! held until the commit: positions are contiguous and become visible in order.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::{try_join, try_join_all, try_join3};
use jiff::Timestamp;
use tokio_postgres::{Client, Statement};

use super::claim::Claim;
use super::copy::Rows;
use super::dead_letter::{self, DeadLetter};
use super::horizon::{COLUMNS as HORIZONS, Horizons, Moved, Target};
use super::leaf::{self, Leaf};
use super::links::{self, Links};
use super::outcome::{AppendError, Appended, Refusal};
use super::part::Part;
use super::read::{COLUMNS, is_gone};
use crate::db;
use crate::event::Event;

/// Appends batches over one connection of its own.
pub struct Appender {
    client: Client,
    statements: Statements,
    /// Leaves that are known to exist, with the statement that looks for duplicates in them.
    leaves: BTreeMap<Leaf, Statement>,
}

struct Statements {
    lock_head: Statement,
    move_head: Statement,
}

impl Appender {
    /// Takes over a connection made by [`db::Database::connect`].
    ///
    /// # Errors
    ///
    /// When the database is away or its schema is not ours.
    pub async fn new(client: Client) -> Result<Self, AppendError> {
        // Duplicates are looked up by the key's index whatever the planner thinks of a leaf that
        // nobody has analysed yet. And what is committed here is acked: a server that was told not
        // to wait for its disk would lose it in a crash.
        client
            .batch_execute(
                "SET idle_in_transaction_session_timeout = '30s';
                 SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
                 SET plan_cache_mode = force_generic_plan;
                 SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') = 'off'",
            )
            .await?;
        let lock_head = client
            .prepare(&format!(
                "-- append: lock
                 SELECT position, batch, hash, {HORIZONS} FROM log.head FOR UPDATE"
            ))
            .await?;
        let move_head = client.prepare(links::STORE).await?;
        Ok(Appender {
            client,
            statements: Statements { lock_head, move_head },
            leaves: BTreeMap::new(),
        })
    }

    /// Appends the events that are not in the log yet and stores the dead letters, durably, in one
    /// transaction. The same batch again changes nothing.
    ///
    /// # Errors
    ///
    /// Then nothing of the batch is stored.
    pub async fn append(
        &mut self,
        events: &[Event],
        dead_letters: &[DeadLetter],
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        self.append_with(events, dead_letters, Along::Nothing, now).await
    }

    /// Appends the event of a sales order together with the row that keeps the time it covers from
    /// being billed again: both or neither. Returns the event's position.
    ///
    /// # Errors
    ///
    /// [`AppendError::Claimed`] when another order has that time, or has come after the one that
    /// this one follows. Nothing is stored then, as with any other error.
    pub async fn append_order(
        &mut self,
        event: &Event,
        claim: &Claim,
        now: Timestamp,
    ) -> Result<i64, AppendError> {
        let events = std::slice::from_ref(event);
        let appended = self.append_with(events, &[], Along::Claim(claim), now).await?;
        Ok(appended.head)
    }

    /// Moves a family's horizon, and appends the event that says so: both or neither. What of the
    /// family lies before it must have been read by everybody, up to the position that is given.
    ///
    /// # Errors
    ///
    /// When the database is away, or refuses: `meter` may not pass the end of a tenant's last order.
    pub async fn move_horizon(
        &mut self,
        to: &Target,
        now: Timestamp,
    ) -> Result<Moved, AppendError> {
        match self.append_with(&[to.event(now)], &[], Along::Horizon(to), now).await {
            Ok(appended) if appended.events > 0 => Ok(Moved::Now),
            Ok(_) => Ok(Moved::Already),
            Err(AppendError::Unread(position)) => Ok(Moved::NotYet(position)),
            Err(error) => Err(error),
        }
    }

    async fn append_with(
        &mut self,
        events: &[Event],
        dead_letters: &[DeadLetter],
        along: Along<'_>,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let mut seen = HashSet::with_capacity(events.len());
        let mut batch: BTreeMap<Leaf, Part<'_>> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            let leaf = Leaf::of(event);
            if seen.insert((leaf, event.key_at, event.id)) {
                batch.entry(leaf).or_default().push(index, event);
            }
        }
        for part in batch.values_mut() {
            part.lay_out(now);
        }
        // Each failure for want of a leaf is of one more that was dropped since it became known. It
        // shows when duplicates are looked up, before anything is taken from the batch.
        let leaves = batch.len();
        let mut tries = leaves;
        let result = loop {
            match self.attempt(&mut batch, dead_letters, along, now).await {
                Err(AppendError::Refused(error))
                    if tries > 0 && is_gone(&error) && batch.len() == leaves =>
                {
                    tries -= 1;
                    self.leaves.retain(|leaf, _| leaf.day.is_none());
                }
                result => break result,
            }
        };
        let Stored { head, dead_letters, horizons } = result?;
        let mut is_new = vec![false; events.len()];
        for part in batch.values() {
            part.indexes.iter().for_each(|index| is_new[*index] = true);
        }
        let refused: Vec<Option<Refusal>> =
            events.iter().map(|event| Refusal::of_leaf(horizons, Leaf::of(event))).collect();
        let appended = is_new.iter().filter(|new| **new).count();
        Ok(Appended {
            head,
            events: appended,
            duplicates: events.len() - appended - refused.iter().flatten().count(),
            dead_letters,
            refused,
            is_new,
        })
    }

    /// Whether the connection is lost and another appender is needed.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Once, and undone where it fails.
    async fn attempt(
        &mut self,
        batch: &mut BTreeMap<Leaf, Part<'_>>,
        dead_letters: &[DeadLetter],
        along: Along<'_>,
        now: Timestamp,
    ) -> Result<Stored, AppendError> {
        for leaf in batch.keys() {
            self.know(*leaf).await?;
        }
        let result = self.transaction(batch, dead_letters, along, now).await;
        if result.is_err() && !self.client.is_closed() {
            // The next batch starts afresh; an error here shows at its first statement.
            let _ = self.client.batch_execute("ROLLBACK").await;
        }
        result
    }

    /// Makes the leaf where it is missing. One that is not to be had stays unknown.
    async fn know(&mut self, leaf: Leaf) -> Result<(), AppendError> {
        if self.leaves.contains_key(&leaf) {
            return Ok(());
        }
        if !leaf::ensure(&self.client, leaf).await? {
            return Ok(());
        }
        let statement = self
            .client
            .prepare(&format!(
                "-- append: duplicates
                 SELECT u.n FROM unnest($1::timestamptz[], $2::uuid[]) WITH ORDINALITY AS u (key_at, id, n)
                 JOIN log.{} AS e ON e.key_at = u.key_at AND e.id = u.id",
                leaf.name()
            ))
            .await?;
        self.leaves.insert(leaf, statement);
        Ok(())
    }

    async fn transaction(
        &self,
        batch: &mut BTreeMap<Leaf, Part<'_>>,
        dead_letters: &[DeadLetter],
        along: Along<'_>,
        now: Timestamp,
    ) -> Result<Stored, AppendError> {
        let client = &self.client;
        // Sent together: the server runs them in this order, the look-ups after the lock is held. Of
        // several errors the first counts, those after it only say that the transaction is over.
        let lookups =
            batch.iter().map(|(leaf, part)| part.duplicates(client, self.leaves.get(leaf)));
        let (_, head, duplicates) = try_join3(
            client.batch_execute("BEGIN"),
            client.query_one(&self.statements.lock_head, &[]),
            try_join_all(lookups),
        )
        .await?;
        let mut horizons = Horizons::of_row(&head)?;
        let mut stored = dead_letter::insert(client, dead_letters, now).await?;
        for (part, duplicates) in batch.values_mut().zip(duplicates) {
            part.leave_out(&duplicates, now);
        }
        for (leaf, part) in batch.iter() {
            if let Some(refusal) = Refusal::of_leaf(horizons, *leaf) {
                stored += dead_letter::insert(client, &part.refused(refusal), now).await?;
            }
        }
        batch.retain(|leaf, part| !part.events.is_empty() && !horizons.are_past(*leaf));
        if let Along::Horizon(to) = along {
            if horizons.of(to.family) >= Some(to.before()) {
                batch.clear();
            } else if let Some(position) = to.unread(client).await? {
                return Err(AppendError::Unread(position));
            }
            horizons.advance(to.family, to.before());
        }

        let mut links = Links::after(&head, horizons, now);
        for (leaf, part) in batch.iter_mut() {
            let rows = part.rows.take().unwrap_or_else(|| Rows::new(now, 0));
            let first = links.push(*leaf, &rows);
            let statement =
                format!("COPY log.{} ({COLUMNS}, hash) FROM STDIN (FORMAT binary)", leaf.name());
            db::copy_in(client, &statement, rows.at(first)).await?;
        }
        if let Along::Claim(claim) = along {
            // An event that is there already was appended with its claim.
            if batch.is_empty() || !claim.insert(client, links.position).await? {
                return Err(AppendError::Claimed);
            }
        }
        if batch.is_empty() {
            client.batch_execute("COMMIT").await?;
        } else {
            try_join(
                links.store(client, &self.statements.move_head),
                client.batch_execute("COMMIT"),
            )
            .await?;
        }
        Ok(Stored { head: links.position, dead_letters: stored, horizons })
    }
}

/// What a batch is appended along with, in one transaction.
#[derive(Clone, Copy)]
enum Along<'a> {
    Nothing,
    Claim(&'a Claim),
    Horizon(&'a Target),
}

/// What a transaction has stored.
struct Stored {
    /// The last position after it.
    head: i64,
    /// Dead letters that were new.
    dead_letters: u64,
    /// The horizons that it was held against.
    horizons: Horizons,
}
