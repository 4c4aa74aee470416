//! Writes the rows that changed: known buckets are updated in place, new ones copied in.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::bucket::Bucket;
use super::fact::{BucketFact, Facts, Key, Rejection, Span};
use super::load::BucketRow;
use super::resolution::Partition;
use crate::db::{CopyRows, copy_in};

const COLUMNS: &str = "host, metric, start, last_at, last_id, last_index, count, edge_count, sum, min, \
    max, last, edge_sum, sketch";
const COLUMN_COUNT: i16 = 14;

/// Merges facts into the buckets of one table. `rows` are the known buckets, by the index of their fact.
pub(super) async fn write_buckets(
    tx: &Transaction<'_>,
    partition: &Partition,
    keys: &[Key],
    facts: &[&BucketFact],
    mut rows: HashMap<usize, BucketRow>,
) -> Result<()> {
    let table = partition.table();
    let mut changed = Vec::with_capacity(rows.len());
    let mut new = CopyRows::with_capacity((facts.len() - rows.len()) * 250);
    for (index, fact) in facts.iter().enumerate() {
        match rows.remove(&index) {
            Some(mut row) => {
                row.bucket.add(&fact.bucket);
                changed.push(row);
            }
            None => lay_out(&mut new, &keys[fact.key], fact)
                .with_context(|| format!("writing {table}"))?,
        }
    }
    update(tx, &table, &changed).await?;
    if new.is_empty() {
        return Ok(());
    }
    let statement = format!("-- rollup::copy\nCOPY {table} ({COLUMNS}) FROM STDIN BINARY");
    copy_in(tx, &statement, new).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}

/// Lays out a row of [`COLUMNS`].
fn lay_out(
    rows: &mut CopyRows,
    key: &Key,
    BucketFact { start, bucket, .. }: &BucketFact,
) -> Result<()> {
    rows.row(COLUMN_COUNT);
    rows.text(Some(&key.host));
    rows.text(Some(&key.metric));
    rows.time(Some(*start));
    rows.time(Some(bucket.last.at));
    rows.uuid(Some(bucket.last.id));
    rows.bytes(&bucket.last.index.to_be_bytes());
    rows.bytes(&bucket.count.to_be_bytes());
    rows.bytes(&bucket.edge_count.to_be_bytes());
    rows.numeric(Some(&bucket.sum.to_string()))?;
    for value in [bucket.min, bucket.max, bucket.last.value] {
        rows.value(&value.normalize(), &Type::NUMERIC)
            .map_err(|error| anyhow!("the value {value}: {error}"))?;
    }
    rows.numeric(Some(&bucket.edge_sum.to_string()))?;
    rows.bytes(&bucket.sketch.to_bytes());
    Ok(())
}

/// Updates rows in place.
async fn update(tx: &Transaction<'_>, table: &str, rows: &[BucketRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ctids: Vec<&str> = rows.iter().map(|row| row.ctid.as_str()).collect();
    let buckets = || rows.iter().map(|row| &row.bucket);
    let last_at: Vec<Timestamp> = buckets().map(|bucket| bucket.last.at).collect();
    let last_ids: Vec<Uuid> = buckets().map(|bucket| bucket.last.id).collect();
    let last_indexes: Vec<i32> = buckets().map(|bucket| bucket.last.index).collect();
    let counts: Vec<i64> = buckets().map(|bucket| bucket.count).collect();
    let edge_counts: Vec<i64> = buckets().map(|bucket| bucket.edge_count).collect();
    let sums: Vec<String> = buckets().map(|bucket| bucket.sum.to_string()).collect();
    let edge_sums: Vec<String> = buckets().map(|bucket| bucket.edge_sum.to_string()).collect();
    let of = |value: fn(&Bucket) -> Decimal| -> Vec<Decimal> {
        buckets().map(|bucket| value(bucket).normalize()).collect()
    };
    let (min, max) = (of(|bucket| bucket.min), of(|bucket| bucket.max));
    let last = of(|bucket| bucket.last.value);
    let sketches: Vec<Vec<u8>> = buckets().map(|bucket| bucket.sketch.to_bytes()).collect();
    let statement = format!(
        "-- rollup::update
         UPDATE {table} AS b
         SET last_at = u.last_at, last_id = u.last_id, last_index = u.last_index, count = u.count,
             edge_count = u.edge_count, sum = u.sum::numeric, min = u.min, max = u.max, last = u.last,
             edge_sum = u.edge_sum::numeric, sketch = u.sketch
         FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::integer[], $5::bigint[],
                     $6::bigint[], $7::text[], $8::numeric[], $9::numeric[], $10::numeric[],
                     $11::text[], $12::bytea[])
              AS u (place, last_at, last_id, last_index, count, edge_count, sum, min, max, last,
                    edge_sum, sketch)
         WHERE b.ctid = u.place::tid"
    );
    let updated = tx
        .execute(
            &statement,
            &[
                &ctids,
                &last_at,
                &last_ids,
                &last_indexes,
                &counts,
                &edge_counts,
                &sums,
                &min,
                &max,
                &last,
                &edge_sums,
                &sketches,
            ],
        )
        .await
        .with_context(|| format!("writing {table}"))?;
    anyhow::ensure!(updated == rows.len() as u64, "{table} changed while it was being written");
    Ok(())
}

/// Writes the series whose span is longer than before. Most stretches move the end of every series, so that
/// the rows are updated in place rather than replaced.
pub(super) async fn write_series(
    tx: &Transaction<'_>,
    facts: &Facts,
    known: &[Option<Span>],
) -> Result<()> {
    let (mut keys, mut spans) = (Vec::<&Key>::new(), Vec::<Span>::new());
    for ((key, span), known) in facts.keys.iter().zip(facts.spans()).zip(known) {
        let Some(span) = span else { continue };
        let span = known.map_or(span, |known| known.union(span));
        if *known != Some(span) {
            keys.push(key);
            spans.push(span);
        }
    }
    let hosts: Vec<&str> = keys.iter().map(|key| &*key.host).collect();
    let metrics: Vec<&str> = keys.iter().map(|key| &*key.metric).collect();
    let first_at: Vec<Timestamp> = spans.iter().map(|span| span.first_at).collect();
    let last_at: Vec<Timestamp> = spans.iter().map(|span| span.last_at).collect();
    let alive_at: Vec<Timestamp> = spans.iter().map(|span| span.alive_at).collect();
    tx.execute(
        "-- rollup::write_series
         INSERT INTO series (host, metric, first_at, last_at, alive_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[],
                              $5::timestamptz[])
         ON CONFLICT (host, metric)
         DO UPDATE SET first_at = excluded.first_at, last_at = excluded.last_at,
                       alive_at = excluded.alive_at",
        &[&hosts, &metrics, &first_at, &last_at, &alive_at],
    )
    .await
    .context("writing series")?;
    Ok(())
}

/// Adds rejected values to the table's counts.
pub(super) async fn write_rejections(tx: &Transaction<'_>, rejections: &[Rejection]) -> Result<()> {
    if rejections.is_empty() {
        return Ok(());
    }
    let hosts: Vec<&str> = rejections.iter().map(|rejection| &*rejection.host).collect();
    let metrics: Vec<Option<&str>> =
        rejections.iter().map(|rejection| rejection.metric.as_deref()).collect();
    let reasons: Vec<&str> = rejections.iter().map(|rejection| rejection.reason).collect();
    let starts: Vec<Option<Timestamp>> =
        rejections.iter().map(|rejection| rejection.start).collect();
    let counts: Vec<i64> = rejections.iter().map(|rejection| rejection.count).collect();
    let (last_at, last_ids): (Vec<Option<Timestamp>>, Vec<Uuid>) =
        rejections.iter().map(|rejection| rejection.last).unzip();
    tx.execute(
        "-- rollup::write_rejections
         INSERT INTO rejected AS r (host, metric, reason, start, count, last_at, last_id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[],
                              $6::timestamptz[], $7::uuid[])
         ON CONFLICT (host, metric, reason, start) DO UPDATE
         SET count = r.count + excluded.count,
             (last_at, last_id) = (
                 SELECT l.at, l.id FROM (VALUES (r.last_at, r.last_id),
                                                (excluded.last_at, excluded.last_id)) AS l (at, id)
                 ORDER BY l.at DESC NULLS LAST, l.id DESC LIMIT 1)",
        &[&hosts, &metrics, &reasons, &starts, &counts, &last_at, &last_ids],
    )
    .await
    .context("writing rejected")?;
    Ok(())
}
