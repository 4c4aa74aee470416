//! Replaces the stored rows of windows. `usage_window` is a large table: its COPY is laid out by hand.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use tokio_postgres::Transaction;

use super::windows::{Window, Windows};
use crate::billing::Usage;
use crate::db::{CopyRows, copy_in};
use crate::projection::metering::month::{self, Month};

const TABLE: &str = "usage_window";

/// Deletes the stored rows of the windows and writes the new ones, by month.
pub(super) async fn windows(tx: &Transaction<'_>, windows: &Windows<'_>) -> Result<()> {
    let mut by_month = BTreeMap::<Month, Vec<&Window<'_>>>::new();
    for window in &windows.0 {
        by_month.entry(Month::of(window.at)).or_default().push(window);
    }
    let months: BTreeSet<Month> = by_month.keys().copied().collect();
    month::ensure(tx, TABLE, &months).await?;
    for (month, windows) in by_month {
        let table = month.of_table(TABLE);
        delete(tx, &table, &windows).await?;
        copy(tx, &table, &windows).await?;
    }
    Ok(())
}

async fn delete(tx: &Transaction<'_>, table: &str, windows: &[&Window<'_>]) -> Result<()> {
    let gone: Vec<&Window<'_>> =
        windows.iter().copied().filter(|window| window.may_be_stored).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let projects: Vec<&str> = gone.iter().map(|window| window.project_id).collect();
    let times: Vec<_> = gone.iter().map(|window| window.at).collect();
    let resources: Vec<&str> = gone.iter().map(|window| window.resource_id).collect();
    let mappings: Vec<i16> = gone.iter().map(|window| window.mapping).collect();
    let statement = format!(
        "-- metering::delete_usage_window
         DELETE FROM {table} AS u
         USING unnest($1::text[], $2::timestamptz[], $3::text[], $4::smallint[])
               AS k (project_id, at, resource_id, mapping)
         WHERE u.project_id = k.project_id AND u.\"window\" = k.at
           AND u.resource_id = k.resource_id AND u.mapping = k.mapping"
    );
    tx.execute(&statement, &[&projects, &times, &resources, &mappings])
        .await
        .with_context(|| format!("replacing {table}"))?;
    Ok(())
}

async fn copy(tx: &Transaction<'_>, table: &str, windows: &[&Window<'_>]) -> Result<()> {
    let mut rows = CopyRows::with_capacity(windows.len() * 300);
    for window in windows {
        if window.usage.is_empty() {
            lay_out(&mut rows, window, None)?;
        }
        for used in &window.usage {
            lay_out(&mut rows, window, Some(used))?;
        }
    }
    let statement = format!(
        "-- metering::copy_usage_window
         COPY {table} (project_id, \"window\", resource_id, mapping, service, negative, volume, covered_us, description,
                       position, type_id)
         FROM STDIN BINARY"
    );
    copy_in(tx, &statement, rows).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}

/// Lays out the row of one service; `None`: the row of a window in which nothing was used.
fn lay_out(rows: &mut CopyRows, window: &Window<'_>, used: Option<&Usage>) -> Result<()> {
    rows.row(11);
    rows.text(Some(window.project_id));
    rows.time(Some(window.at));
    rows.text(Some(window.resource_id));
    rows.bytes(&window.mapping.to_be_bytes());
    rows.text(used.map(|used| used.service.as_str()));
    match used {
        Some(used) => rows.bytes(&[u8::from(used.is_negative)]),
        None => rows.null(),
    }
    rows.numeric(used.map(|used| used.volume.to_numeric()).as_deref())?;
    match used {
        Some(used) => rows.bytes(&used.covered_us.to_be_bytes()),
        None => rows.null(),
    }
    rows.text(window.description.as_deref());
    rows.bytes(&window.position.to_be_bytes());
    rows.text(used.and_then(|used| used.type_id.as_deref()));
    Ok(())
}
