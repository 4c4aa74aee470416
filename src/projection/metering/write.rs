//! Writes what changed: rows that are replaced leave their places, new ones are copied in, by table.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fact::Rejected;
use super::fold::{Changes, Place};
use super::located::Replaced;
use super::meter::Meter;
use super::month::Month;
use super::resource::Resource;
use super::sample::Sample;
use crate::db::{CopyRows, copy_in};

/// The columns that `superseded` has as well.
const SAMPLE: &str = "\"timestamp\", project_id, resource_id, counter_name, counter_type, \
    counter_unit, counter_volume, user_id, source, message_id, trusted, metadata_id, event_id, \
    position";
const SAMPLE_COUNT: i16 = 14;

/// Samples that were better, and those they took the place of.
pub(super) async fn samples(tx: &Transaction<'_>, changes: &Changes) -> Result<()> {
    let mut gone = BTreeMap::<Month, Vec<&str>>::new();
    for Place { month, ctid } in changes.superseded.iter().filter_map(|row| row.row.as_ref()) {
        gone.entry(*month).or_default().push(ctid);
    }
    for (month, places) in gone {
        delete(tx, &month.table(), &places).await?;
    }
    let mut by_month = BTreeMap::<Month, CopyRows>::new();
    for sample in &changes.new {
        let month = Month::of(sample.timestamp);
        let rows = by_month
            .entry(month)
            .or_insert_with(|| CopyRows::with_capacity(changes.new.len() * 300));
        rows.row(SAMPLE_COUNT);
        put(rows, sample)?;
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
        put(&mut rows, &superseded.sample)?;
        rows.bytes(&superseded.at.to_be_bytes());
    }
    copy(tx, "superseded", &format!("{SAMPLE}, superseded_at"), rows).await
}

/// The columns [`SAMPLE`].
fn put(rows: &mut CopyRows, sample: &Sample) -> Result<()> {
    rows.time(Some(sample.timestamp));
    rows.text(sample.project_id.as_deref());
    rows.text(Some(&sample.resource_id));
    rows.text(Some(&sample.counter_name));
    rows.text(sample.counter_type.as_deref());
    rows.text(sample.counter_unit.as_deref());
    rows.value(&sample.counter_volume, &Type::NUMERIC)
        .map_err(|error| anyhow!("writing the volume {}: {error}", sample.counter_volume))?;
    rows.text(sample.user_id.as_deref());
    rows.text(sample.source.as_deref());
    rows.text(Some(&sample.message_id));
    rows.bytes(&[u8::from(sample.trusted)]);
    rows.uuid(sample.metadata_id);
    rows.uuid(Some(sample.event_id));
    rows.bytes(&sample.position.to_be_bytes());
    Ok(())
}

/// Metadata that is not there yet.
pub(super) async fn metadata(tx: &Transaction<'_>, texts: &HashMap<Uuid, String>) -> Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = texts.keys().copied().collect();
    let statement = "-- metering::known_metadata
        SELECT metadata_id FROM metadata WHERE metadata_id = ANY($1)";
    let known = tx.query(statement, &[&ids]).await.context("reading metadata")?;
    let known: HashSet<Uuid> = known.iter().map(|row| row.get(0)).collect();
    let mut rows = CopyRows::with_capacity(texts.values().map(|body| body.len() + 32).sum());
    for (id, body) in texts.iter().filter(|(id, _)| !known.contains(id)) {
        rows.row(2);
        rows.uuid(Some(*id));
        rows.text(Some(body));
    }
    copy(tx, "metadata", "metadata_id, body", rows).await
}

/// Meters that changed.
pub(super) async fn meters(tx: &Transaction<'_>, meters: &Replaced<Meter>) -> Result<()> {
    delete(tx, "meter", &meters.gone).await?;
    let mut rows = CopyRows::with_capacity(meters.new.len() * 120);
    for meter in &meters.new {
        rows.row(6);
        rows.text(Some(&meter.counter_name));
        rows.text(meter.counter_type.as_deref());
        rows.text(meter.counter_unit.as_deref());
        rows.bytes(&meter.samples.to_be_bytes());
        rows.time(Some(meter.first_at));
        rows.time(Some(meter.last_at));
    }
    let columns = "counter_name, counter_type, counter_unit, samples, first_at, last_at";
    copy(tx, "meter", columns, rows).await
}

/// Resources that changed.
pub(super) async fn resources(tx: &Transaction<'_>, resources: &Replaced<Resource>) -> Result<()> {
    delete(tx, "resource", &resources.gone).await?;
    let mut rows = CopyRows::with_capacity(resources.new.len() * 1000);
    for resource in &resources.new {
        let (meters, last_at): (Vec<&String>, Vec<Timestamp>) = resource.meters.iter().unzip();
        let failed = |error| anyhow!("writing the meters of {}: {error}", resource.resource_id);
        rows.row(13);
        rows.text(resource.project_id.as_deref());
        rows.text(Some(&resource.resource_id));
        rows.time(Some(resource.first_at));
        rows.time(Some(resource.last_at));
        rows.value(&meters, &Type::TEXT_ARRAY).map_err(failed)?;
        rows.value(&last_at, &Type::TIMESTAMPTZ_ARRAY).map_err(failed)?;
        rows.text(resource.told.user_id.as_deref());
        rows.text(resource.told.source.as_deref());
        rows.uuid(resource.told.metadata_id);
        rows.time(Some(resource.told.at));
        rows.bytes(&[u8::from(resource.told.trusted)]);
        rows.text(Some(&resource.told.message_id));
        rows.uuid(Some(resource.told.event_id));
    }
    let columns = "project_id, resource_id, first_at, last_at, meters, meters_last_at, user_id, \
        source, metadata_id, told_at, told_trusted, told_message_id, told_event_id";
    copy(tx, "resource", columns, rows).await
}

/// Samples that do not count.
pub(super) async fn rejected(tx: &Transaction<'_>, rejected: &[Rejected]) -> Result<()> {
    let mut rows = CopyRows::with_capacity(rejected.len() * 300);
    for Rejected { event_id, index, position, said } in rejected {
        rows.row(10);
        rows.uuid(Some(*event_id));
        rows.bytes(&index.to_be_bytes());
        rows.bytes(&position.to_be_bytes());
        rows.text(Some(said.reason));
        rows.text(said.counter_name.as_deref());
        rows.text(said.project_id.as_deref());
        rows.text(said.resource_id.as_deref());
        rows.time(said.timestamp);
        rows.text(said.message_id.as_deref());
        rows.text(said.counter_volume.as_deref());
    }
    let columns = "event_id, index, position, reason, counter_name, project_id, resource_id, \
        \"timestamp\", message_id, counter_volume";
    copy(tx, "rejected", columns, rows).await
}

/// Takes rows out of their places.
async fn delete(
    tx: &Transaction<'_>,
    table: &str,
    places: &[impl AsRef<str> + Sync],
) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let places: Vec<&str> = places.iter().map(AsRef::as_ref).collect();
    let statement = format!(
        "-- metering::delete_{table}
         DELETE FROM {table} WHERE ctid = ANY($1::text[]::tid[])"
    );
    tx.execute(&statement, &[&places]).await.with_context(|| format!("replacing {table}"))?;
    Ok(())
}

async fn copy(tx: &Transaction<'_>, table: &str, columns: &str, rows: CopyRows) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement =
        format!("-- metering::copy_{table}\nCOPY {table} ({columns}) FROM STDIN BINARY");
    copy_in(tx, &statement, rows).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}
