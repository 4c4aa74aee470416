//! Appending: one transaction, one durable commit, for a whole batch.
//!
//! Rows are hashed and encoded before the lock is taken. Under the lock of the single head row, duplicates
//! are removed, the remaining rows get the next positions and are copied straight into their leaves, and
//! the chain is extended. Only the holder of that lock assigns positions, and it holds the lock until the
//! commit: positions are contiguous and become visible in order.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::{try_join, try_join_all, try_join3};
use jiff::Timestamp;
use tokio_postgres::{Client, Statement};

use super::claim::Claim;
use super::copy::Rows;
use super::dead_letter::{self, DeadLetter};
use super::horizon::{COLUMNS as HORIZONS, HorizonMove, Horizons, Target};
use super::leaf::{self, Leaf};
use super::leaf_batch::LeafBatch;
use super::links::{self, Links};
use super::outcome::{AppendError, AppendOutcome, Refusal};
use super::read::{COLUMNS, is_missing_leaf};
use crate::db;
use crate::event::{Event, is_same_report};

/// Appends batches over one connection of its own.
pub struct Appender {
    client: Client,
    statements: Statements,
    /// Leaves that are known to exist, each with the statement that looks up duplicates in it.
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
        // Duplicates are always looked up through the key's index, even while the planner has no
        // statistics of a new leaf. And everything committed here is acked: a server that is configured
        // not to wait for its disk would lose it in a crash.
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
    /// transaction. Appending the same batch again changes nothing. A CloudEvent that says something else than the one
    /// with its `source` and `id` becomes a dead letter.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]. Nothing of the batch is stored then.
    pub async fn append(
        &mut self,
        events: &[Event],
        dead_letters: &[DeadLetter],
        now: Timestamp,
    ) -> Result<AppendOutcome, AppendError> {
        self.append_with(events, dead_letters, Companion::None, now).await
    }

    /// Appends the event of a sales order together with the row that protects the time it covers from
    /// being billed again: both or neither. Returns the event's position.
    ///
    /// # Errors
    ///
    /// [`AppendError::Claimed`] when another order covers some of that time, or was issued after the
    /// order that this one follows. Nothing is stored then, as with any other error.
    pub async fn append_order(
        &mut self,
        event: &Event,
        claim: &Claim,
        now: Timestamp,
    ) -> Result<i64, AppendError> {
        let events = std::slice::from_ref(event);
        let outcome = self.append_with(events, &[], Companion::Claim(claim), now).await?;
        Ok(outcome.head)
    }

    /// Moves a family's horizon and appends the event that records the move: both or neither. All readers
    /// must have read the family's events before the new horizon, up to [`Target::read_to`]; otherwise
    /// nothing is moved.
    ///
    /// # Errors
    ///
    /// When the database is away, or refuses: the horizon of `meter` may not pass the end of a tenant's
    /// last order.
    pub async fn move_horizon(
        &mut self,
        to: &Target,
        now: Timestamp,
    ) -> Result<HorizonMove, AppendError> {
        match self.append_with(&[to.event(now)], &[], Companion::Horizon(to), now).await {
            Ok(outcome) if outcome.events > 0 => Ok(HorizonMove::Now),
            Ok(_) => Ok(HorizonMove::Already),
            Err(AppendError::UnreadEvent(position)) => Ok(HorizonMove::NotYet(position)),
            Err(error) => Err(error),
        }
    }

    async fn append_with(
        &mut self,
        events: &[Event],
        dead_letters: &[DeadLetter],
        companion: Companion<'_>,
        now: Timestamp,
    ) -> Result<AppendOutcome, AppendError> {
        let mut firsts = HashMap::with_capacity(events.len());
        let mut batch: BTreeMap<Leaf, LeafBatch<'_>> = BTreeMap::new();
        let mut conflicts = Conflicts::new();
        for (index, event) in events.iter().enumerate() {
            let leaf = Leaf::of(event);
            match firsts.entry((leaf, event.key_at, event.id)) {
                Entry::Vacant(entry) => {
                    entry.insert(event);
                    batch.entry(leaf).or_default().push(index, event);
                }
                Entry::Occupied(first) if is_same_report(&first.get().body, &event.body) => {}
                Entry::Occupied(_) => {
                    conflicts.insert(index, Refusal::OtherBody { position: None });
                }
            }
        }
        for leaf_batch in batch.values_mut() {
            leaf_batch.lay_out(now);
        }
        let request = AppendRequest { events, dead_letters, companion, conflicts };
        // Each missing-partition error means that one more leaf was dropped since we last looked. It is
        // raised by the look-up of duplicates, before anything is removed from the batch.
        let leaves = batch.len();
        let mut tries = leaves;
        let result = loop {
            match self.attempt(&mut batch, &request, now).await {
                Err(AppendError::Refused(error))
                    if tries > 0 && is_missing_leaf(&error) && batch.len() == leaves =>
                {
                    tries -= 1;
                    self.leaves.retain(|leaf, _| leaf.day.is_none());
                }
                result => break result,
            }
        };
        let TransactionOutcome { head, dead_letters, refused } = result?;
        let mut is_new = vec![false; events.len()];
        for leaf_batch in batch.values() {
            leaf_batch.indexes.iter().for_each(|index| is_new[*index] = true);
        }
        let appended = is_new.iter().filter(|new| **new).count();
        Ok(AppendOutcome {
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

    /// Runs the transaction once, and rolls it back if it fails.
    async fn attempt(
        &mut self,
        batch: &mut BTreeMap<Leaf, LeafBatch<'_>>,
        request: &AppendRequest<'_>,
        now: Timestamp,
    ) -> Result<TransactionOutcome, AppendError> {
        for leaf in batch.keys() {
            self.prepare_leaf(*leaf).await?;
        }
        let result = self.run_transaction(batch, request, now).await;
        if result.is_err() && !self.client.is_closed() {
            // The next batch starts afresh; if this fails, its first statement will fail, too.
            let _ = self.client.batch_execute("ROLLBACK").await;
        }
        result
    }

    /// Creates the leaf partition if it does not exist, and prepares the look-up of duplicates in it.
    /// A leaf whose day lies before the horizon is not created and gets no statement.
    async fn prepare_leaf(&mut self, leaf: Leaf) -> Result<(), AppendError> {
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
                 SELECT u.n, e.position, sha256(e.body)
                 FROM unnest($1::timestamptz[], $2::uuid[]) WITH ORDINALITY AS u (key_at, id, n)
                 JOIN log.{} AS e ON e.key_at = u.key_at AND e.id = u.id",
                leaf.name()
            ))
            .await?;
        self.leaves.insert(leaf, statement);
        Ok(())
    }

    async fn run_transaction(
        &self,
        batch: &mut BTreeMap<Leaf, LeafBatch<'_>>,
        request: &AppendRequest<'_>,
        now: Timestamp,
    ) -> Result<TransactionOutcome, AppendError> {
        let AppendRequest { events, dead_letters, companion, .. } = *request;
        let client = &self.client;
        // Sent together; the server runs them in this order, the look-ups once it holds the lock. Only
        // the first of several errors counts: later ones merely report that the transaction is aborted.
        let lookups = batch
            .iter()
            .map(|(leaf, leaf_batch)| leaf_batch.find_stored(client, self.leaves.get(leaf)));
        let (_, head, stored) = try_join3(
            client.batch_execute("BEGIN"),
            client.query_one(&self.statements.lock_head, &[]),
            try_join_all(lookups),
        )
        .await?;
        let mut horizons = Horizons::of_row(&head)?;
        let mut conflicts = request.conflicts.clone();
        for ((leaf, leaf_batch), stored) in batch.iter_mut().zip(stored) {
            // Of our own events the first one counts, such as the move of a horizon: its time is when it was done.
            if matches!(companion, Companion::None) {
                for (index, position) in leaf_batch.find_conflicts(client, *leaf, &stored).await? {
                    conflicts.insert(index, Refusal::OtherBody { position: Some(position) });
                }
            }
            leaf_batch.remove_stored(&stored, now);
        }
        let refuse = |(index, event): (usize, &Event)| {
            conflicts.get(&index).copied().or_else(|| Refusal::of_leaf(horizons, Leaf::of(event)))
        };
        let refused: Vec<Option<Refusal>> = events.iter().enumerate().map(refuse).collect();
        let mut stored = dead_letter::insert(client, dead_letters, now).await?;
        stored += dead_letter::insert(client, &keep_refused(events, &refused, batch), now).await?;
        batch.retain(|leaf, leaf_batch| {
            !leaf_batch.events.is_empty() && !horizons.have_passed(*leaf)
        });
        if let Companion::Horizon(to) = companion {
            if horizons.of(to.family) >= Some(to.horizon()) {
                batch.clear();
            } else if let Some(position) = to.find_unread(client).await? {
                return Err(AppendError::UnreadEvent(position));
            }
            horizons.advance(to.family, to.horizon());
        }

        let mut links = Links::after(&head, horizons, now);
        for (leaf, leaf_batch) in batch.iter_mut() {
            let rows = leaf_batch.rows.take().unwrap_or_else(|| Rows::new(now, 0));
            let first = links.push(*leaf, &rows);
            let statement =
                format!("COPY log.{} ({COLUMNS}, hash) FROM STDIN (FORMAT binary)", leaf.name());
            db::copy_in(client, &statement, rows.place_from(first)).await?;
        }
        if let Companion::Claim(claim) = companion {
            // If the batch is empty, the event was in the log already, appended with its claim.
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
        Ok(TransactionOutcome { head: links.position, dead_letters: stored, refused })
    }
}

/// Returns the dead letters of the events that are refused, except those that the log contains already.
fn keep_refused(
    events: &[Event],
    refused: &[Option<Refusal>],
    batch: &BTreeMap<Leaf, LeafBatch<'_>>,
) -> Vec<DeadLetter> {
    if refused.iter().all(Option::is_none) {
        return Vec::new();
    }
    let new: HashSet<usize> =
        batch.values().flat_map(|leaf_batch| leaf_batch.indexes.iter().copied()).collect();
    let letter = |(index, refusal): (usize, &Option<Refusal>)| {
        let refusal =
            refusal.filter(|it| matches!(it, Refusal::OtherBody { .. }) || new.contains(&index))?;
        Some(DeadLetter {
            reason: refusal.to_string(),
            origin: "the log".to_owned(),
            compression: None,
            body: events[index].body.clone(),
        })
    };
    refused.iter().enumerate().filter_map(letter).collect()
}

/// Events that say something else than the one with their identity, by their index in the batch.
type Conflicts = HashMap<usize, Refusal>;

/// What is to be appended in one transaction.
struct AppendRequest<'a> {
    events: &'a [Event],
    dead_letters: &'a [DeadLetter],
    companion: Companion<'a>,
    /// The conflicts within the batch.
    conflicts: Conflicts,
}

/// The change that commits in the same transaction as a batch.
#[derive(Clone, Copy)]
enum Companion<'a> {
    None,
    Claim(&'a Claim),
    Horizon(&'a Target),
}

/// The state of the log after a transaction.
struct TransactionOutcome {
    /// The log's last position.
    head: i64,
    /// Number of dead letters that were new.
    dead_letters: u64,
    /// For each event of the batch, in its order, why it was stored as a dead letter, if it was.
    refused: Vec<Option<Refusal>>,
}
