//! The links that an append adds to the chain, and the head that moves with them.

use jiff::Timestamp;
use tokio_postgres::{Client, Statement};

use super::chain::{self, Hash};
use super::copy::Rows;
use super::horizon::Horizons;
use super::leaf::Leaf;
use crate::db::CopyRows;

/// The statement that [`Links::store`] executes.
pub(super) const STORE: &str = "-- append: chain, head and wake-up
    WITH batches AS (
        INSERT INTO log.batch (batch, leaf, family, first_position, last_position,
                               bytes, digest, hash, recorded_at)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[],
                             $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[]),
                      (SELECT $9::timestamptz) AS t
    ), head AS (
        UPDATE log.head SET position = $10, batch = $11, hash = $12,
                            perf_horizon = $13, meter_horizon = $14
    )
    SELECT pg_notify('stackledger_log', $10::bigint::text)";

/// The chain's new links, one per leaf of a batch, and the head after them.
pub(super) struct Links {
    recorded_at: Timestamp,
    horizons: Horizons,
    /// The last position that was assigned.
    pub position: i64,
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
    /// Starts after the head that the row contains.
    pub fn after(head: &tokio_postgres::Row, horizons: Horizons, recorded_at: Timestamp) -> Self {
        let hash: &[u8] = head.get("hash");
        Links {
            recorded_at,
            horizons,
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

    /// Assigns the next positions to the rows and returns the first of them.
    pub fn push(&mut self, leaf: Leaf, rows: &Rows) -> i64 {
        let first = self.position + 1;
        self.position += rows.len() as i64;
        self.batch += 1;
        let name = leaf.name();
        let digest = rows.digest();
        let bytes = rows.body_bytes() as i64;
        // In the order of `chain::BATCH_COLUMNS`.
        let mut columns = CopyRows::with_capacity(name.len() + 128);
        let at = columns.at();
        columns.bytes(&self.batch.to_be_bytes());
        columns.text(Some(&name));
        columns.text(Some(leaf.family.as_str()));
        for number in [first, self.position, bytes] {
            columns.bytes(&number.to_be_bytes());
        }
        columns.bytes(&digest);
        columns.time(Some(self.recorded_at));
        self.hash = chain::hash(&self.hash, columns.since(at));
        self.batches.push(self.batch);
        self.leaves.push(name);
        self.families.push(leaf.family.as_str());
        self.firsts.push(first);
        self.lasts.push(self.position);
        self.bytes.push(bytes);
        self.digests.push(digest.to_vec());
        self.hashes.push(self.hash.to_vec());
        first
    }

    /// Inserts the links, moves the head and notifies readers, with the prepared [`STORE`].
    pub async fn store(
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
                    &self.horizons.perf,
                    &self.horizons.meter,
                ],
            )
            .await?;
        Ok(())
    }
}
