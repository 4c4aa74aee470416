//! The part of a batch that goes into one leaf, from before its duplicates are known until it is copied.

use std::collections::HashSet;

use jiff::Timestamp;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::copy::{NO_TIME, Rows};
use super::dead_letter::DeadLetter;
use super::outcome::Refusal;
use crate::event::Event;

/// Approximate size of a row without its body, in bytes.
const ROW_OVERHEAD_BYTES: usize = 400;

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

    /// Returns the events as dead letters with the refusal as their reason.
    pub fn to_dead_letters(&self, refusal: Refusal) -> Vec<DeadLetter> {
        let letter = |event: &&Event| DeadLetter {
            reason: refusal.to_string(),
            origin: "the log".to_owned(),
            compression: None,
            body: event.body.clone(),
        };
        self.events.iter().map(letter).collect()
    }

    /// Returns the ordinals (from 1) of the events that the log contains already. Without a statement the
    /// leaf does not exist, and there are none.
    pub async fn find_duplicates(
        &self,
        client: &Client,
        statement: Option<&Statement>,
    ) -> Result<HashSet<i64>, tokio_postgres::Error> {
        let Some(statement) = statement else { return Ok(HashSet::new()) };
        let times: Vec<Timestamp> =
            self.events.iter().map(|e| e.key_at.unwrap_or(NO_TIME)).collect();
        let ids: Vec<Uuid> = self.events.iter().map(|event| event.id).collect();
        let rows = client.query(statement, &[&times, &ids]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Removes the duplicates and encodes the remaining rows again. This is rare enough to be done under the
    /// lock.
    pub fn remove_duplicates(&mut self, duplicates: &HashSet<i64>, now: Timestamp) {
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
