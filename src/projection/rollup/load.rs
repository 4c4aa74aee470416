//! Brings the rows that facts can change.

use std::collections::HashMap;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Row, Transaction};

use super::bucket::{Bucket, Last};
use super::fact::{Key, Span, Told};
use super::resolution::Partition;
use crate::sketch::numbers::Sketch;

/// A row of a table of buckets.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Its `ctid`.
    pub place: String,
    pub bucket: Bucket,
}

/// Lets the look-ups by lists of keys go through the indexes: however many keys there are, reading a
/// whole table in their stead takes longer and longer.
pub(super) async fn by_index(tx: &Transaction<'_>) -> Result<()> {
    tx.batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off").await?;
    Ok(())
}

/// What is known of each key.
pub(super) async fn series(tx: &Transaction<'_>, keys: &[Key]) -> Result<Vec<Option<Span>>> {
    let hosts: Vec<&str> = keys.iter().map(|key| &*key.host).collect();
    let metrics: Vec<&str> = keys.iter().map(|key| &*key.metric).collect();
    let rows = tx
        .query(
            "-- rollup::load_series
             SELECT k.n, s.first_at, s.last_at
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (host, metric, n)
             JOIN series AS s ON s.host = k.host AND s.metric = k.metric",
            &[&hosts, &metrics],
        )
        .await
        .context("reading series")?;
    let mut known = vec![None; keys.len()];
    for row in &rows {
        let span = Span { first_at: row.get(1), last_at: row.get(2) };
        *known.get_mut(nth(row)?).context("a row of no key")? = Some(span);
    }
    Ok(known)
}

/// The rows of the buckets that are told of, each by its place in the list. What the series say is new
/// is not looked for.
pub(super) async fn buckets(
    tx: &Transaction<'_>,
    partition: &Partition,
    keys: &[Key],
    told: &[&Told],
    known: &[Option<Span>],
) -> Result<HashMap<usize, Stored>> {
    let width = SignedDuration::from_micros(partition.resolution.width());
    let wanted: Vec<usize> = (0..told.len())
        .filter(|index| {
            let Told { key, start, .. } = told[*index];
            known[*key].is_some_and(|span| may_hold(span, *start, *start + width))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let of = |index: &usize| told[*index];
    let hosts: Vec<&str> = wanted.iter().map(|i| &*keys[of(i).key].host).collect();
    let metrics: Vec<&str> = wanted.iter().map(|i| &*keys[of(i).key].metric).collect();
    let starts: Vec<Timestamp> = wanted.iter().map(|i| of(i).start).collect();
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
            let index = *wanted.get(nth(row)?).context("a row of no key")?;
            Ok((index, stored(row).with_context(|| format!("reading {table}"))?))
        })
        .collect()
}

/// Whether a series with such samples can have one in [start, end).
fn may_hold(span: Span, start: Timestamp, end: Timestamp) -> bool {
    span.first_at < end && span.last_at >= start
}

/// Which of the keys the row belongs to.
fn nth(row: &Row) -> Result<usize> {
    Ok(usize::try_from(row.get::<_, i64>(0) - 1)?)
}

fn stored(row: &Row) -> Result<Stored> {
    Ok(Stored {
        place: row.get(1),
        bucket: Bucket {
            count: row.get(2),
            sum: row.get::<_, &str>(3).parse()?,
            min: row.get(4),
            max: row.get(5),
            last: Last { value: row.get(6), at: row.get(7), id: row.get(8), index: row.get(9) },
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
    fn rows_are_looked_for_only_where_samples_may_be() {
        let time = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let span = Span { first_at: time(10), last_at: time(12) };
        let may = |minute| may_hold(span, time(minute), time(minute + 1));
        assert_eq!([9, 10, 11, 12, 13].map(may), [false, true, true, true, false]);
    }
}
