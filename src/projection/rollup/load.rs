//! Loads the rows that facts can change.

use std::collections::HashMap;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Row, Transaction};

use super::bucket::{Bucket, LatestSample};
use super::fact::{BucketFact, Key, Span};
use super::resolution::Partition;
use crate::sketch::numbers::Sketch;

/// A row of a table of buckets.
#[derive(Clone, Debug)]
pub(super) struct BucketRow {
    pub ctid: String,
    pub bucket: Bucket,
}

/// Has lists of keys looked up by the indexes for the rest of the transaction: however many keys there are,
/// reading a whole table instead takes longer and longer as it grows.
pub(super) async fn prefer_indexes(tx: &Transaction<'_>) -> Result<()> {
    tx.batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off").await?;
    Ok(())
}

/// Reads the span of each key's samples; `None` for new keys.
pub(super) async fn load_spans(tx: &Transaction<'_>, keys: &[Key]) -> Result<Vec<Option<Span>>> {
    let hosts: Vec<&str> = keys.iter().map(|key| &*key.host).collect();
    let metrics: Vec<&str> = keys.iter().map(|key| &*key.metric).collect();
    let rows = tx
        .query(
            "-- rollup::load_spans
             SELECT k.n, s.first_at, s.last_at, coalesce(s.alive_at, s.last_at)
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (host, metric, n)
             JOIN series AS s ON s.host = k.host AND s.metric = k.metric",
            &[&hosts, &metrics],
        )
        .await
        .context("reading series")?;
    let mut spans = vec![None; keys.len()];
    for row in &rows {
        let span = Span { first_at: row.get(1), last_at: row.get(2), alive_at: row.get(3) };
        *spans.get_mut(key_index(row)?).context("a row without a key")? = Some(span);
    }
    Ok(spans)
}

/// Reads the rows of the buckets that facts are about, each by the index of its fact. Buckets that lie before
/// or after all samples of their series are new, and are not looked up.
pub(super) async fn load_buckets(
    tx: &Transaction<'_>,
    partition: &Partition,
    keys: &[Key],
    facts: &[&BucketFact],
    spans: &[Option<Span>],
) -> Result<HashMap<usize, BucketRow>> {
    let width = SignedDuration::from_micros(partition.resolution.width());
    let wanted: Vec<usize> = (0..facts.len())
        .filter(|index| {
            let BucketFact { key, start, .. } = facts[*index];
            spans[*key].is_some_and(|span| may_overlap(span, *start, *start + width))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let fact = |index: &usize| facts[*index];
    let hosts: Vec<&str> = wanted.iter().map(|i| &*keys[fact(i).key].host).collect();
    let metrics: Vec<&str> = wanted.iter().map(|i| &*keys[fact(i).key].metric).collect();
    let starts: Vec<Timestamp> = wanted.iter().map(|i| fact(i).start).collect();
    let table = partition.table();
    let statement = format!(
        "-- rollup::load_buckets
         SELECT k.n, b.ctid::text, b.count, b.sum::text, b.min, b.max, b.last, b.last_at, b.last_id,
                b.last_index, b.edge_count, b.edge_sum::text, b.sketch
         FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY
              AS k (host, metric, start, n)
         JOIN {table} AS b ON b.host = k.host AND b.metric = k.metric AND b.start = k.start"
    );
    let rows = tx
        .query(&statement, &[&hosts, &metrics, &starts])
        .await
        .with_context(|| format!("reading {table}"))?;
    rows.iter()
        .map(|row| {
            let index = *wanted.get(key_index(row)?).context("a row without a key")?;
            Ok((index, read_bucket(row).with_context(|| format!("reading {table}"))?))
        })
        .collect()
}

/// Whether a series with this span can have a sample in [start, end).
fn may_overlap(span: Span, start: Timestamp, end: Timestamp) -> bool {
    span.first_at < end && span.last_at >= start
}

/// Returns the index of the key that a row belongs to.
fn key_index(row: &Row) -> Result<usize> {
    Ok(usize::try_from(row.get::<_, i64>(0) - 1)?)
}

fn read_bucket(row: &Row) -> Result<BucketRow> {
    Ok(BucketRow {
        ctid: row.get(1),
        bucket: Bucket {
            count: row.get(2),
            sum: row.get::<_, &str>(3).parse()?,
            min: row.get(4),
            max: row.get(5),
            last: LatestSample {
                value: row.get(6),
                at: row.get(7),
                id: row.get(8),
                index: row.get(9),
            },
            edge_count: row.get(10),
            edge_sum: row.get::<_, &str>(11).parse()?,
            sketch: Sketch::from_bytes(row.get(12))?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_looked_up_only_where_samples_may_be() {
        let time = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let span = Span { first_at: time(10), last_at: time(12), alive_at: time(12) };
        let may = |minute| may_overlap(span, time(minute), time(minute + 1));
        assert_eq!([9, 10, 11, 12, 13].map(may), [false, true, true, true, false]);
    }
}
