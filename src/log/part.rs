//! What a batch puts into one leaf, until it is known which of it is new.

use std::collections::HashSet;

use jiff::Timestamp;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::copy::{NO_TIME, Rows};
use super::dead_letter::DeadLetter;
use super::outcome::Refusal;
use crate::event::Event;

/// About what all columns of a row but the body take.
const OTHER_BYTES: usize = 400;

/// What a batch puts into one leaf.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub events: Vec<&'a Event>,
    /// Where each event stands in the batch as it was given.
    pub indexes: Vec<usize>,
    /// Laid out; their positions come later.
    pub rows: Option<Rows>,
}

impl<'a> Part<'a> {
    pub fn push(&mut self, index: usize, event: &'a Event) {
        self.indexes.push(index);
        self.events.push(event);
    }

    /// Lays out and hashes the rows; positions come later.
    pub fn lay_out(&mut self, now: Timestamp) {
        let capacity = self.events.iter().map(|event| event.body.len() + OTHER_BYTES).sum();
        let mut rows = Rows::new(now, capacity);
        self.events.iter().for_each(|event| rows.push(event));
        self.rows = Some(rows);
    }

    /// The events as dead letters.
    pub fn refused(&self, refusal: Refusal) -> Vec<DeadLetter> {
        let letter = |event: &&Event| DeadLetter {
            reason: refusal.to_string(),
            origin: "the log".to_owned(),
            compression: None,
            body: event.body.clone(),
        };
        self.events.iter().map(letter).collect()
    }

    /// Which of the events, counted from 1, stand in the log; none where there is no such leaf.
    pub async fn duplicates(
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

    /// Lays out again without the duplicates. Rare, hence under the lock.
    pub fn leave_out(&mut self, duplicates: &HashSet<i64>, now: Timestamp) {
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
