//! The part of a batch that goes into one leaf, from before its duplicates are known until it is copied.

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::copy::{NO_TIME, Rows};
use super::leaf::Leaf;
use crate::event::{Event, is_same_report};

/// Approximate size of a row without its body, in bytes.
const ROW_OVERHEAD_BYTES: usize = 400;

/// An event that the log contains already.
pub(super) struct StoredEvent {
    pub position: i64,
    /// The hash of its body.
    pub sha256: Vec<u8>,
}

/// The events of a batch that belong to one leaf.
#[derive(Default)]
pub(super) struct LeafBatch<'a> {
    pub events: Vec<&'a Event>,
    /// The index of each event in the batch as it was passed in.
    pub indexes: Vec<usize>,
    /// The encoded rows, still without their positions.
    pub rows: Option<Rows>,
}

impl<'a> LeafBatch<'a> {
    pub fn push(&mut self, index: usize, event: &'a Event) {
        self.indexes.push(index);
        self.events.push(event);
    }

    /// Encodes and hashes the rows. Their positions are filled in later, under the lock.
    pub fn lay_out(&mut self, now: Timestamp) {
        let capacity = self.events.iter().map(|event| event.body.len() + ROW_OVERHEAD_BYTES).sum();
        let mut rows = Rows::new(now, capacity);
        self.events.iter().for_each(|event| rows.push(event));
        self.rows = Some(rows);
    }

    /// Returns what the log contains of these events already, by the ordinal (from 1) of each. Without a statement
    /// the leaf does not exist, and there is nothing.
    pub async fn find_stored(
        &self,
        client: &Client,
        statement: Option<&Statement>,
    ) -> Result<HashMap<i64, StoredEvent>, tokio_postgres::Error> {
        let Some(statement) = statement else { return Ok(HashMap::new()) };
        let times: Vec<Timestamp> =
            self.events.iter().map(|e| e.key_at.unwrap_or(NO_TIME)).collect();
        let ids: Vec<Uuid> = self.events.iter().map(|event| event.id).collect();
        let rows = client.query(statement, &[&times, &ids]).await?;
        let stored = |row: &Row| StoredEvent { position: row.get(1), sha256: row.get(2) };
        Ok(rows.iter().map(|row| (row.get(0), stored(row))).collect())
    }

    /// Returns the events that say something else than the stored ones with the same identity: the index of each in
    /// the batch as it was passed in, and the position of the stored one.
    pub async fn find_conflicts(
        &self,
        client: &Client,
        leaf: Leaf,
        stored: &HashMap<i64, StoredEvent>,
    ) -> Result<Vec<(usize, i64)>, tokio_postgres::Error> {
        let mut conflicts = Vec::new();
        for ((ordinal, event), index) in (1..).zip(&self.events).zip(&self.indexes) {
            let Some(StoredEvent { position, sha256 }) = stored.get(&ordinal) else { continue };
            if Sha256::digest(&event.body).as_slice() == sha256 {
                continue;
            }
            let body = format!("SELECT body FROM log.{} WHERE position = $1", leaf.name());
            let body: Vec<u8> = client.query_one(&body, &[position]).await?.get(0);
            if !is_same_report(&body, &event.body) {
                conflicts.push((*index, *position));
            }
        }
        Ok(conflicts)
    }

    /// Removes the stored events and encodes the remaining rows again. This is rare enough to be done under the
    /// lock.
    pub fn remove_stored(&mut self, stored: &HashMap<i64, StoredEvent>, now: Timestamp) {
        if stored.is_empty() {
            return;
        }
        let mut numbers = 1..;
        self.events.retain(|_| !numbers.next().is_some_and(|n| stored.contains_key(&n)));
        let mut numbers = 1..;
        self.indexes.retain(|_| !numbers.next().is_some_and(|n| stored.contains_key(&n)));
        self.lay_out(now);
    }
}
