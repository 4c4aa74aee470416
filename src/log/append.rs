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
use uuid::Uuid;

use super::chain::{BatchLink, Hash, batch_hash};
use super::claim::Claim;
use super::copy::{COLUMNS, NO_TIME, Rows};
use super::dead_letter::{self, DeadLetter};
use super::leaf::{self, Leaf};
use crate::db;
use crate::event::Event;

/// Why nothing of a batch was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The database is away, overloaded or out of some resource: later it will succeed.
    #[error("the database does not take the batch now: {}", db::explain(.0))]
    Transient(#[source] tokio_postgres::Error),
    /// The database refuses a value of one of the events (SQLSTATE class 22): it always will.
    #[error("the database refuses a value: {}", db::explain(.0))]
    BadData(#[source] tokio_postgres::Error),
    /// Anything else is a defect of ours, or the schema is not ours. Nothing is acked.
    #[error("the log refused the batch: {}", db::explain(.0))]
    Refused(#[source] tokio_postgres::Error),
    /// Another order has the time, or some of it, that an order was to cover.
    #[error("another sales order covers the time already")]
    Claimed,
}

impl From<tokio_postgres::Error> for AppendError {
    fn from(error: tokio_postgres::Error) -> Self {
        if db::is_transient(&error) {
            AppendError::Transient(error)
        } else if error.code().is_some_and(|state| state.code().starts_with("22")) {
            AppendError::BadData(error)
        } else {
            AppendError::Refused(error)
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The log's last position after it.
    pub head: i64,
    /// Events that were new.
    pub events: usize,
    /// Events that were in the log already, or twice in the batch.
    pub duplicates: usize,
    /// Dead letters that were new.
    pub dead_letters: u64,
    /// For each event of the batch, in its order, whether it was new.
    pub is_new: Vec<bool>,
    /// For each event of the batch, in its order, whether the database refuses one of its values, so
    /// that it is a dead letter instead.
    pub is_refused: Vec<bool>,
}

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
            .prepare("-- append: lock\nSELECT position, batch, hash FROM log.head FOR UPDATE")
            .await?;
        let move_head = client
            .prepare(
                "-- append: chain, head and wake-up
                 WITH batches AS (
                     INSERT INTO log.batch (batch, leaf, family, first_position, last_position,
                                            bytes, digest, hash, recorded_at)
                     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[],
                                          $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[]),
                                   (SELECT $9::timestamptz) AS t
                 ), head AS (
                     UPDATE log.head SET position = $10, batch = $11, hash = $12
                 )
                 SELECT pg_notify('stackledger_log', $10::bigint::text)",
            )
            .await?;
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
        self.append_with(events, dead_letters, None, now).await
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
        let appended = self.append_with(std::slice::from_ref(event), &[], Some(claim), now).await?;
        Ok(appended.head)
    }

    async fn append_with(
        &mut self,
        events: &[Event],
        dead_letters: &[DeadLetter],
        claim: Option<&Claim>,
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
        for leaf in batch.keys() {
            self.know(*leaf).await?;
        }
        let result = self.transaction(&mut batch, dead_letters, claim, now).await;
        if result.is_err() && !self.client.is_closed() {
            // The next batch starts afresh; an error here shows at its first statement.
            let _ = self.client.batch_execute("ROLLBACK").await;
        }
        let (head, dead_letters) = result?;
        let mut is_new = vec![false; events.len()];
        for part in batch.values() {
            part.indexes.iter().for_each(|index| is_new[*index] = true);
        }
        let appended = is_new.iter().filter(|new| **new).count();
        Ok(Appended {
            head,
            events: appended,
            duplicates: events.len() - appended,
            dead_letters,
            is_refused: vec![false; events.len()],
            is_new,
        })
    }

    /// Whether the connection is lost and another appender is needed.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    async fn know(&mut self, leaf: Leaf) -> Result<(), AppendError> {
        if self.leaves.contains_key(&leaf) {
            return Ok(());
        }
        leaf::ensure(&self.client, leaf).await?;
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
        claim: Option<&Claim>,
        now: Timestamp,
    ) -> Result<(i64, u64), AppendError> {
        let client = &self.client;
        // Sent together: the server runs them in this order, the look-ups after the lock is held. Of
        // several errors the first counts, those after it only say that the transaction is over.
        let lookups = batch.iter().map(|(leaf, part)| part.duplicates(client, &self.leaves[leaf]));
        let (_, head, duplicates) = try_join3(
            client.batch_execute("BEGIN"),
            client.query_one(&self.statements.lock_head, &[]),
            try_join_all(lookups),
        )
        .await?;
        let stored = dead_letter::insert(client, dead_letters, now).await?;
        for (part, duplicates) in batch.values_mut().zip(duplicates) {
            part.leave_out(&duplicates, now);
        }
        batch.retain(|_, part| !part.events.is_empty());

        let mut links = Links::after(&head, now);
        for (leaf, part) in batch.iter_mut() {
            let rows = part.rows.take().unwrap_or_else(|| Rows::new(now, 0));
            let first = links.push(*leaf, &rows);
            let statement =
                format!("COPY log.{} ({COLUMNS}) FROM STDIN (FORMAT binary)", leaf.name());
            db::copy_in(client, &statement, rows.at(first)).await?;
        }
        if let Some(claim) = claim {
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
        Ok((links.position, stored))
    }
}

/// What a batch puts into one leaf.
#[derive(Default)]
struct Part<'a> {
    events: Vec<&'a Event>,
    /// Where each event stands in the batch as it was given.
    indexes: Vec<usize>,
    rows: Option<Rows>,
}

impl<'a> Part<'a> {
    fn push(&mut self, index: usize, event: &'a Event) {
        self.indexes.push(index);
        self.events.push(event);
    }

    /// Hashes and lays out the rows; positions come later.
    fn lay_out(&mut self, now: Timestamp) {
        let capacity = self.events.iter().map(|event| event.body.len() + 400).sum();
        let mut rows = Rows::new(now, capacity);
        self.events.iter().for_each(|event| rows.push(event));
        self.rows = Some(rows);
    }

    /// Which of the events, counted from 1, stand in the log.
    async fn duplicates(
        &self,
        client: &Client,
        statement: &Statement,
    ) -> Result<HashSet<i64>, tokio_postgres::Error> {
        let times: Vec<Timestamp> =
            self.events.iter().map(|e| e.key_at.unwrap_or(NO_TIME)).collect();
        let ids: Vec<Uuid> = self.events.iter().map(|event| event.id).collect();
        let rows = client.query(statement, &[&times, &ids]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Lays out again without the duplicates. Rare, hence under the lock.
    fn leave_out(&mut self, duplicates: &HashSet<i64>, now: Timestamp) {
        if duplicates.is_empty() {
            return;
        }
        let mut numbers = 1..;
        self.events.retain(|_| !numbers.next().is_some_and(|n| duplicates.contains(&n)));
        let mut numbers = 1..;
        self.indexes.retain(|_| !numbers.next().is_some_and(|n| duplicates.contains(&n)));
        self.lay_out(now);
    }
}

/// The links that a batch adds to the chain.
struct Links {
    recorded_at: Timestamp,
    position: i64,
    batch: i64,
    hash: Hash,
    batches: Vec<i64>,
    leaves: Vec<String>,
    families: Vec<&'static str>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    bytes: Vec<i64>,
    digests: Vec<Vec<u8>>,
    hashes: Vec<Vec<u8>>,
}

impl Links {
    fn after(head: &tokio_postgres::Row, recorded_at: Timestamp) -> Self {
        let hash: &[u8] = head.get("hash");
        Links {
            recorded_at,
            position: head.get("position"),
            batch: head.get("batch"),
            hash: hash.try_into().unwrap_or_default(),
            batches: Vec::new(),
            leaves: Vec::new(),
            families: Vec::new(),
            firsts: Vec::new(),
            lasts: Vec::new(),
            bytes: Vec::new(),
            digests: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// Gives the rows the next positions; returns the first of them.
    fn push(&mut self, leaf: Leaf, rows: &Rows) -> i64 {
        let first = self.position + 1;
        self.position += rows.len() as i64;
        self.batch += 1;
        let name = leaf.name();
        let digest = rows.digest();
        self.hash = batch_hash(
            &self.hash,
            &BatchLink {
                batch: self.batch,
                leaf: &name,
                family: leaf.family.as_str(),
                bytes: rows.bytes() as i64,
                recorded_at: self.recorded_at,
                first_position: first,
                last_position: self.position,
                digest: &digest,
            },
        );
        self.batches.push(self.batch);
        self.leaves.push(name);
        self.families.push(leaf.family.as_str());
        self.firsts.push(first);
        self.lasts.push(self.position);
        self.bytes.push(rows.bytes() as i64);
        self.digests.push(digest.to_vec());
        self.hashes.push(self.hash.to_vec());
        first
    }

    async fn store(
        &self,
        client: &Client,
        statement: &Statement,
    ) -> Result<(), tokio_postgres::Error> {
        client
            .query_one(
                statement,
                &[
                    &self.batches,
                    &self.leaves,
                    &self.families,
                    &self.firsts,
                    &self.lasts,
                    &self.bytes,
                    &self.digests,
                    &self.hashes,
                    &self.recorded_at,
                    &self.position,
                    &self.batch,
                    &self.hash.as_slice(),
                ],
            )
            .await?;
        Ok(())
    }
}
