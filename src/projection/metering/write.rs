//! Writes samples and their metadata. `sample` and `superseded` take most of the rows, so their COPY is
//! laid out by hand.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, anyhow};
use rust_decimal::Decimal;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::fold::{Changes, Location};
use super::metadata_text::MetadataText;
use super::month::Month;
use super::sample::Sample;
use crate::db::{CopyRows, copy_in};
use crate::projection::engine::table::{self, Columns, TableRow, table};

/// The columns of `sample`; `superseded` begins with the same ones.
const SAMPLE: &str = "\"timestamp\", project_id, resource_id, counter_name, counter_type, \
    counter_unit, counter_volume, user_id, source, message_id, trusted, metadata_id, event_id, \
    position, increase";
const SAMPLE_COUNT: i16 = 15;

table! {
    /// The `resource_metadata` of samples, each text once.
    MetadataRow in metering.metadata;
    metadata_id: Uuid = UUID,
    body: String = TEXT,
    host: String = TEXT,
}

/// Writes new samples, and those they supersede.
pub(super) async fn samples(tx: &Transaction<'_>, changes: &Changes) -> Result<()> {
    let mut gone = BTreeMap::<Month, Vec<&str>>::new();
    for Location { month, ctid } in changes.superseded.iter().filter_map(|row| row.row.as_ref()) {
        gone.entry(*month).or_default().push(ctid);
    }
    for (month, ctids) in gone {
        delete(tx, &month.table(), &ctids).await?;
    }
    let mut by_month = BTreeMap::<Month, CopyRows>::new();
    for sample in &changes.new {
        let month = Month::of(sample.timestamp);
        let rows = by_month
            .entry(month)
            .or_insert_with(|| CopyRows::with_capacity(changes.new.len() * 300));
        rows.row(SAMPLE_COUNT);
        lay_out(rows, sample)?;
    }
    for (month, rows) in by_month {
        copy(tx, &month.table(), SAMPLE, rows).await?;
    }
    if changes.superseded.is_empty() {
        return Ok(());
    }
    let mut rows = CopyRows::with_capacity(changes.superseded.len() * 300);
    for superseded in &changes.superseded {
        rows.row(SAMPLE_COUNT + 1);
        lay_out(&mut rows, &superseded.sample)?;
        rows.bytes(&superseded.at.to_be_bytes());
    }
    copy(tx, "superseded", &format!("{SAMPLE}, superseded_at"), rows).await
}

/// Lays out the columns [`SAMPLE`].
fn lay_out(rows: &mut CopyRows, sample: &Sample) -> Result<()> {
    rows.time(Some(sample.timestamp));
    rows.text(sample.project_id.as_deref());
    rows.text(Some(&sample.resource_id));
    rows.text(Some(&sample.counter_name));
    rows.text(sample.counter_type.as_deref());
    rows.text(sample.counter_unit.as_deref());
    lay_out_volume(rows, sample.counter_volume)?;
    rows.text(sample.user_id.as_deref());
    rows.text(sample.source.as_deref());
    rows.text(Some(&sample.message_id));
    rows.bytes(&[u8::from(sample.trusted)]);
    rows.uuid(sample.metadata_id);
    rows.uuid(Some(sample.event_id));
    rows.bytes(&sample.position.to_be_bytes());
    match sample.increase() {
        Some(increase) => lay_out_volume(rows, increase),
        None => {
            rows.null();
            Ok(())
        }
    }
}

fn lay_out_volume(rows: &mut CopyRows, volume: Decimal) -> Result<()> {
    rows.value(&volume, &Type::NUMERIC)
        .map_err(|error| anyhow!("writing the volume {volume}: {error}"))
}

/// Deletes rows by their places.
async fn delete(tx: &Transaction<'_>, table: &str, ctids: &[&str]) -> Result<()> {
    let statement = format!(
        "-- metering::delete_{table}
         DELETE FROM {table} WHERE ctid = ANY($1::text[]::tid[])"
    );
    tx.execute(&statement, &[&ctids]).await.with_context(|| format!("replacing {table}"))?;
    Ok(())
}

async fn copy(tx: &Transaction<'_>, table: &str, columns: &str, rows: CopyRows) -> Result<()> {
    let statement =
        format!("-- metering::copy_{table}\nCOPY {table} ({columns}) FROM STDIN BINARY");
    copy_in(tx, &statement, rows).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}

/// Writes the texts of metadata that are not stored yet.
pub(super) async fn metadata(
    tx: &Transaction<'_>,
    texts: HashMap<Uuid, MetadataText>,
) -> Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = texts.keys().copied().collect();
    let statement = "-- metering::stored_metadata
        SELECT metadata_id FROM metadata WHERE metadata_id = ANY($1)";
    let stored = tx.query(statement, &[&ids]).await.context("reading metadata")?;
    let stored: HashSet<Uuid> = stored.iter().map(|row| row.get(0)).collect();
    let new = texts.into_iter().filter(|(id, _)| !stored.contains(id));
    let rows: Vec<MetadataRow> = new
        .map(|(metadata_id, MetadataText { body, host })| MetadataRow { metadata_id, body, host })
        .collect();
    table::copy(tx, &rows).await
}
